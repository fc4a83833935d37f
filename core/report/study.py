"""A study as a part of a report: the page's own charts and verdicts, every number, and what remakes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from core.base.errors import UserError
from core.base.formats import per_cent
from core.report import provenance, remake
from core.report.exhibits import exhibit, texts
from core.report.page import Exhibit, Part
from core.results import verdicts
from core.results.evaluations import Evaluations, Slice
from core.results.study_table import rows_of, study_table
from core.search.best import Best
from core.show.figures import of_evaluations as drawing
from core.show.figures.style import Chart, Palette
from core.store.cache import Entry
from core.store.profiles import Profile

PAIRED = (
    "Changes of perplexity are paired: the 95 % interval is Student's t over the differences in loss, window by window."
)
OBJECTIVE, FEWEST = "kl", 3  # the harm that estimates are made of, and how many allocations have an order
Draw = Callable[[Palette], Chart]


def part(entry: Entry, found: Evaluations, profile: Profile | None = None) -> Part:
    """Everything that is reported of a study; `entry` may be the best setting that it judges.

    Args:
        profile: of its model, to hold the additive estimate against what was measured; None: there is none at hand.
    """
    spec = found.spec
    dense = found.dense.written if found.dense else "not measured"
    said = [f"At {each.name}: {text}" for each in found.slices for text in verdicts.sentences(found, each, None)]
    helped = [each for each in found.settings if each.helped]
    said += [f"{each.name} at {per_cent(each.setting.allocation.target)}: {each.helped}" for each in helped]
    return Part(
        key=entry.key,
        title=f"{found.provenance.get('model', spec.model.content)}: what does pruning cost?",
        sentences=(f"Perplexity of the dense model: {dense}.", *said, PAIRED),
        exhibits=tuple(_exhibits(found, profile, provenance.note(entry, spec.model, spec.text, spec))),
        tables=(("Every number", texts(*study_table(rows_of(found)).texts)),),
        provenance=provenance.rows(entry, spec.model, spec.text, spec),
        commands=tuple(remake.study(found)),
    )


def best(entry: Entry, found: Best, commands: tuple[str, ...], profile: Profile | None = None) -> Part:
    """The best setting: its answer, then the study that judged it."""
    judged = part(entry, found.final, profile)
    said = (found.sentence, found.loss_sentence, *found.more_sentences)
    return replace(
        judged,
        title=f"{found.provenance.get('model', 'Model')}: the best setting",
        sentences=(*said, *judged.sentences),
        provenance=(*judged.provenance, *provenance.search(entry, found)),
        commands=tuple(remake.best(found, commands)),
    )


# --- charts --------------------------------------------------------------------------------------------------------


def _exhibits(results: Evaluations, profile: Profile | None, note: str) -> list[Exhibit]:
    if not results.settings:
        return []
    prefix = results.spec.key[:6]
    shown = []
    last = {each.pruned: each for each in results.slices}
    for pruned, within in last.items():
        draw = partial(drawing.perplexity, results, None, part=within)
        told = (f"{prefix}-{_file(within)}", f": {pruned}") if len(last) > 1 else (prefix, "")
        shown.append(exhibit(draw, note, *told))
    for within in results.slices:
        named = f"{prefix}-{_file(within)}-{within.target:g}"
        for base, of, draw in _draws(results, within, profile):
            shown.append(exhibit(draw, note, f"{named}-{base}" if base else named, f"{of}: {within.name}"))
    return shown


def _file(part: Slice) -> str:
    """A part of a file's name."""
    return "-".join(filter(None, [part.treatment.name, part.pattern]))


def _draws(results: Evaluations, within: Slice, profile: Profile | None) -> Iterator[tuple[str, str, Draw]]:
    """What is drawn of one pruner and target, after what tells it from its like: in its file's name and its title."""
    if drawing.against_uniform(results, within, None):
        yield "", "", partial(drawing.against_uniform, results, within, None)
    for index, base in enumerate(drawing.corrected_bases(results, within)):
        yield f"of-{index}", f", on {base.name}", partial(drawing.correction, results, base, None)
    tasks = drawing.tasks_within(results, within)
    if tasks:
        task = drawing.MEAN if drawing.MEAN in tasks and len(tasks) > 2 else list(tasks)[-1]
        yield "", "", partial(drawing.zero_shot, results, within, task, None)
    if profile is not None and _estimable(results, within, profile):
        yield "", "", partial(drawing.trust, results, within, profile, OBJECTIVE, None)


def _estimable(results: Evaluations, within: Slice, profile: Profile) -> bool:
    """Whether enough allocations have an estimate to be put in order."""
    if len(results.within(within)) < FEWEST:
        return False
    try:
        table = drawing.trust(results, within, profile, OBJECTIVE, None).table
    except UserError:
        return False
    return int(table.notna().all(axis=1).sum()) >= FEWEST
