"""A stored result as one HTML file: what its page shows first, its charts, its table, its origin and its command."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from plotly.offline import get_plotlyjs

from core.base import UserError
from core.plan.gains import gains_of
from core.results import Study, protocols, rows_of, study_results
from core.results import best as bests
from core.results.checkpoints import compared
from core.results.study_table import study_table
from core.show import words
from core.show.figures import evaluation as drawing
from core.show.figures import perplexity
from core.show.figures.charts import CHARTS, COMPARED, InView
from core.show.report import remake
from core.show.report.page import Exhibit, Report, exhibit, page, table
from core.show.words import advice, gain_sentences, perplexity_sentences
from core.store import Entry, Profile, Store, profiles
from core.store.provenance_schema import without_folders

KINDS = ("profile", "study", "best")
PREFERRED = "gaussian:0.3"  # charts of a profile are of this perturbation, where it was measured


def html(store: Store, entry: Entry) -> str:
    """The report on a profile, a study or a best setting.

    Raises:
        UserError: it is an export, or a unit is missing.
    """
    made = f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by the absorption explorer; it opens offline."
    return page(report(store, entry), made, get_plotlyjs())


def report(store: Store, entry: Entry) -> Report:
    """Everything that is reported of a result; errors as `html`."""
    entry = replace(entry, provenance=without_folders(entry.provenance))  # a report goes to others
    match entry.kind:
        case "profile":
            return _profile(profiles.load(store, entry))
        case "study":
            return _study(entry, study_results.load(store, entry))
        case "best":
            found = bests.load(store, entry)
            judged = _study(entry, found.final)
            said = (advice.loss(found), *judged.sentences)
            return replace(judged, title=advice.answer(found), sentences=said, commands=tuple(remake.best(found)))
    raise UserError(f"{entry.key} is an export: report on the study whose numbers its model card gives")


def _origin(entry: Entry) -> tuple[tuple[str, str], ...]:
    """Everything that a result says of itself, and what exactly was measured."""
    packs = {"imported in a pack, SHA-256": ", ".join(entry.packs)}
    spec = {"what was measured": entry.spec.model_dump(mode="json", exclude_none=True)}
    told = {"key": entry.key, **packs, **entry.provenance, **spec}
    written = {name: each if isinstance(each, str) else json.dumps(each) for name, each in told.items() if each}
    return tuple((name.replace("_", " "), each) for name, each in written.items())


# --- profiles ------------------------------------------------------------------------------------------------------


def _profile(found: Profile) -> Report:
    shown = [PREFERRED if PREFERRED in found.by_name else next(iter(found.by_name)), *found.others]
    called = {name: words.perturbation(each) for name, each in found.perturbations.items()}
    told = {name: gain_sentences.of_perturbation(found, name) for name in found.by_name}
    return Report(
        title=f"{called[shown[0]]}: {told[shown[0]]}",
        sentences=(
            f"{words.named(found)}.",
            *(gain_sentences.worst(compared(found, name)) for name in found.others),
            *filter(None, [gain_sentences.rounding(found)]),
        ),
        exhibits=tuple(each for name in dict.fromkeys(shown) for each in _charts(found, name)),
        table=table([("perturbation", "verdict"), *((called[name], said) for name, said in told.items())]),
        origin=_origin(found.entry),
        commands=tuple(remake.profile(found.entry)),
    )


def _charts(found: Profile, name: str) -> Iterator[Exhibit]:
    """The charts of the Absorption page, as far as the profile has what they draw."""
    gains = np.nan_to_num(gains_of(found.seeds(name)).value[:-1], nan=-np.inf)
    asked = InView(found, name, int(gains.argmax()) if gains.size else 0)
    label = words.perturbation(found.perturbations[name])
    note = f"{label}; the marked layer, {asked.layer}, has the greatest gain · {words.named(found)}"

    for row in CHARTS:
        if row.group != COMPARED or name in found.others:
            with suppress(UserError):  # nothing of the kind was measured
                yield exhibit(row.draw(asked), note, f"{found.key[:6]} {row.key}", label)


# --- studies -------------------------------------------------------------------------------------------------------


def _study(entry: Entry, found: Study) -> Report:
    """The report of a study; `entry` may be the best setting that it judges.

    Raises:
        UserError: losses of a point are not here, for instance because they were corrupt and set aside.
    """
    gap = next((each for each in found.points if each.evaluated is None), None)
    if gap:
        raise UserError(f"study {found.spec.key} lacks {gap.name}: evaluate it again to fill the gap")
    return Report(
        title=_headline(found),
        sentences=(
            f"{protocols.badge(found)}.",
            *perplexity_sentences.of_study(found),
            *(f"{each.name}: {each.helped}" for each in found.settings if each.helped),
        ),
        exhibits=tuple(_pictures(found)),
        table=study_table(rows_of(found)).differing.texts,
        origin=_origin(entry),
        commands=tuple(remake.study(found)),
    )


def _headline(found: Study) -> str:
    """What its page leads with: the lowest perplexity where most was compared."""
    if not found.settings:
        return f"Perplexity of the dense model: {found.dense.written}"
    part = max(found.slices, key=lambda each: len(found.within(each)))
    one = perplexity_sentences.leading(found, part)
    return f"Perplexity {one.written} at {part.name}: {one.name}"


def _pictures(found: Study) -> Iterator[Exhibit]:
    """Perplexity over targets of each way of pruning; then each target's changes and corrections."""
    note, prefix = protocols.short(found), found.spec.key[:6]
    for part in {each.pruned: each for each in found.slices}.values():
        yield exhibit(perplexity.of_evaluations(found, None, part), note, prefix, part.pruned)
    for part in found.slices:
        corrected = (drawing.correction(found, base, None) for base in drawing.corrected_bases(found, part))
        for number, chart in enumerate(filter(None, (drawing.against_uniform(found, part, None), *corrected))):
            yield exhibit(chart, note, f"{prefix} {number}", part.name)
