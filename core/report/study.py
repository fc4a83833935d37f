"""A study as a part of a report: the page's own charts and verdicts, every number, and what remakes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from core.analysis import rows as reading
from core.analysis import verdicts
from core.analysis.evaluated import EvaluatedSetting
from core.analysis.evaluations import Evaluations, Slice
from core.figures import of_evaluations as drawing
from core.figures.style import Chart, Palette
from core.report import provenance, remake
from core.report.exhibits import exhibit, texts
from core.report.page import Exhibit, Part, Table
from core.search.best import Best
from core.specs.errors import UserError
from core.store.cache import Entry
from core.store.profiles import Profile

PAIRED = (
    "Changes of perplexity are paired over windows: the interval is the 95% one of a bootstrap over the differences "
    "in loss, window by window."
)
OBJECTIVE, FEWEST = "kl", 3  # the harm that estimates are made of, and how many allocations have an order
Draw = Callable[[Palette], Chart]


def part(entry: Entry, found: Evaluations, profile: Profile | None = None) -> Part:
    """Everything that is reported of a study; `entry` may be the best setting that it judges.

    Args:
        profile: of its model, to hold the additive estimate against what was measured; None: there is none at hand.
    """
    spec = found.spec
    return Part(
        key=entry.key,
        title=f"{found.provenance.get('model', spec.model.content)}: what does pruning cost?",
        sentences=(f"Perplexity of the dense model: {_dense(found)}.", *_said(found), *_warned(found), PAIRED),
        exhibits=tuple(_exhibits(found, profile, provenance.note(entry, spec.model, spec.text, spec))),
        tables=(("Every number", numbers(found)),),
        provenance=provenance.rows(entry, spec.model, spec.text, spec),
        commands=tuple(remake.study(found)),
    )


def best(entry: Entry, found: Best, commands: tuple[str, ...], profile: Profile | None = None) -> Part:
    """The best setting: its answer, then the study that judged it."""
    judged = part(entry, found.final, profile)
    said = (found.sentence, found.loss_sentence, *found.more_sentences)
    return Part(
        key=entry.key,
        title=f"{found.provenance.get('model', 'Model')}: the best setting",
        sentences=(*said, *judged.sentences),
        exhibits=judged.exhibits,
        tables=judged.tables,
        provenance=(*judged.provenance, *provenance.search(entry, found)),
        commands=tuple(remake.best(found, commands)),
    )


# --- sentences -----------------------------------------------------------------------------------------------------


def _dense(found: Evaluations) -> str:
    return reading.perplexity(found.dense) if found.dense else "not measured"


def _said(found: Evaluations) -> list[str]:
    """The verdicts of the page, of every pruner and target."""
    return [f"At {each.name}: {said}" for each in found.slices for said in verdicts.sentences(found, each, None)]


def _warned(found: Evaluations) -> list[str]:
    """What pruning had to be helped along with, setting by setting."""
    return [
        f"{each.name} at {each.setting.allocation.target:.0%}: {each.helped}" for each in found.settings if each.helped
    ]


# --- charts --------------------------------------------------------------------------------------------------------


def _exhibits(results: Evaluations, profile: Profile | None, note: str) -> list[Exhibit]:
    if not results.settings:
        return []
    prefix = results.spec.key[:6]
    shown = [exhibit(partial(drawing.perplexity, results, None), note, prefix)]
    for within in results.slices:
        named = f"{prefix}-{within.treatment.name}-{within.target:g}"
        for base, draw in _draws(results, within, profile):
            shown.append(exhibit(_titled(draw, within), note, f"{named}-{base}" if base else named))
    return shown


def _draws(results: Evaluations, within: Slice, profile: Profile | None) -> list[tuple[str, Draw]]:
    """What is drawn of one pruner and target, each with what tells it from another of its kind."""
    found: list[tuple[str, Draw]] = []
    if drawing.against_uniform(results, within, None):
        found.append(("", partial(drawing.against_uniform, results, within, None)))
    for index, base in enumerate(drawing.corrected_bases(results, within)):
        found.append((f"of-{index}", _of_correction(results, within, base)))
    tasks = drawing.tasks_within(results, within)
    if tasks:
        task = drawing.MEAN if drawing.MEAN in tasks and len(tasks) > 2 else list(tasks)[-1]
        found.append(("", partial(drawing.zero_shot, results, within, task, None)))
    if profile is not None and _estimable(results, within, profile):
        found.append(("", partial(drawing.trust, results, within, profile, OBJECTIVE, None)))
    return found


def _of_correction(results: Evaluations, within: Slice, base: EvaluatedSetting) -> Draw:
    """Several bases may be corrected, so its title says which."""

    def draw(look: Palette) -> Chart:
        chart = drawing.correction(results, within, base, None, look)
        return replace(chart, title=f"{chart.title}, on {base.name}")

    return draw


def _titled(draw: Draw, within: Slice) -> Draw:
    """A report shows several targets, so each title says which."""

    def titled(look: Palette) -> Chart:
        chart = draw(look)
        return replace(chart, title=f"{chart.title}: {within.name}")

    return titled


def _estimable(results: Evaluations, within: Slice, profile: Profile) -> bool:
    """Whether enough allocations have an estimate to be put in order."""
    if len(results.within(within)) < FEWEST:
        return False
    try:
        table = drawing.trust(results, within, profile, OBJECTIVE, None).table
    except UserError:
        return False
    return int(table.notna().all(axis=1).sum()) >= FEWEST


# --- numbers -------------------------------------------------------------------------------------------------------


def numbers(found: Evaluations) -> Table:
    """A row per point: perplexity, change against uniform with its interval, divergence, agreement, accuracies."""
    tasks = [task.name for task in found.spec.tasks]
    columns = ["setting", "perplexity", "against uniform", "KL, nats", "agreement", "zeros, mean of linears", *tasks]
    rows = []
    for each in found.singles:
        change = each.against_uniform
        said = verdicts.said(change.windows) if change else ""
        accuracies = [reading.accuracy(each, name) for name in tasks]
        rows.append((each.name, reading.perplexity(each), said, each.kl, each.agreement, each.zeros, *accuracies))
    return texts(columns, rows)
