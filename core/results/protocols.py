"""Protocols of measurement: stored studies put together where theirs is the same, and its short name."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from core.base import profile_names, unique
from core.methods import DEFAULT_PRUNER, TREATMENTS, ZEROS
from core.requests import DEFAULT_CALIBRATION, Recipe, StudyRecipe, StudySpec, TextSpec, WindowRequest
from core.results.setting_result import Result
from core.results.study_results import Slice, Study, load, slice_of
from core.store import Entry, Store


class Protocol(NamedTuple):
    """Everything but the profile that must be equal for two numbers to be compared."""

    model: str  # key of the model in its precision
    text: str  # key of the text that judges
    calibration: tuple | None  # None: no point looks at a calibration text


@lru_cache(maxsize=1024)
def protocol(spec: StudySpec) -> Protocol:
    """The protocol of a study."""
    read = spec.calibration
    # by content and amount: which windows were drawn is the seed's matter
    drawn = (read.content, read.tokenizer, read.packing, read.bos, read.length, read.sequences) if read else None
    return Protocol(spec.model.key, spec.text.key, drawn)


def grouped_by_protocol(store: Store, entries: Iterable[Entry]) -> dict[str, Study]:
    """Studies put together where their protocol and profile are the same; by the key of the oldest, which stays.

    The newest come first; those that ship with the project after all others, the one over the most targets of zeros
    before.

    Args:
        entries: the newest first; where those that ship stand among them does not count.
    """
    chosen_on = {entry.spec.selection.text.key for entry in store.entries("best")}
    studies = []
    for each in (load(store, entry) for entry in sorted(entries, key=_shipped)):
        selects = each.spec.text.key in chosen_on or profile_names.part(label(each.provenance)).endswith("selection")
        studies.append(replace(each, selects=selects))
    alike = by_protocol(studies, lambda each: (protocol(each.spec), each.profiles))
    return {each.entries[-1].key: each for each in sorted(alike, key=_place)}


def _shipped(entry: Entry) -> tuple[bool, float]:
    """A checkout writes all that ships anew, in any order: of these the one that was measured last comes first."""
    made = datetime.fromisoformat(entry.provenance["created"]).timestamp() if entry.committed else 0.0
    return entry.committed, -made


def _place(study: Study) -> tuple[bool, int, int]:
    ships = all(entry.committed for entry in study.entries)
    targets = {part.target for part in study.slices if part.treatment.budget_unit is ZEROS}
    return ships, -ships * len(targets), -ships * len(study.settings)


@lru_cache
def with_comparable(study: Study, others: tuple[Study, ...]) -> Study:
    """A protocol, and what it lacks of those that differ in the profile alone or look at no calibration text.

    A setting that it has is not taken from another, where it may be another allocation; uniform is one everywhere.
    """
    mine, parts = protocol(study.spec), [study]
    for each in others:
        its = protocol(each.spec)
        if each is study or mine not in (its, its._replace(calibration=its.calibration or mine.calibration)):
            continue
        measured = {point.setting.seedless for part in parts for point in part.points if point.setting}
        settings = ((point, point.setting) for point in each.points)
        lent = [point for point, own in settings if not own or own == own.uniform or own.seedless not in measured]
        parts.append(replace(each, points=tuple(lent)))
    every = merged(parts)
    return replace(every, entries=study.entries, guests=every.entries[len(study.entries) :])


def main_protocol(groups: Iterable[Study]) -> Protocol | None:
    """The protocol that all pages show of a model: the one by which most settings were evaluated, with any profile.

    A text that selects comes after all others: on it the best of many is better by luck too.
    """
    sizes = Counter()
    for each in groups:
        sizes[not each.selects, protocol(each.spec)] += _settings(each.spec)
    return max(sizes, key=lambda each: (each[0], sizes[each]), default=(True, None))[1]


@lru_cache(maxsize=1024)
def _settings(spec: StudySpec) -> int:
    return len({each.setting.seedless for each in spec.points if each.setting})


class StudySlice(NamedTuple):
    """A protocol, and what is compared within it."""

    study: Study
    part: Slice

    @property
    def settings(self) -> list[Result]:
        """Without shuffles: each is a draw of many, which says nothing on its own."""
        return [each for each in self.study.within(self.part) if each.control != "shuffled"]


def best_slice(
    groups: Iterable[Study],
    target: float,
    pruner: str = DEFAULT_PRUNER,
    mine: Recipe | None = None,
    has: Callable[[Study, Slice], bool] = lambda *_: True,
) -> StudySlice | None:
    """The protocol and the slice that a page shows; None where nothing was evaluated.

    Chosen by, in this order: same budget unit; nearest target; pattern; pruner; main protocol; contains the setting in
    view; most methods; most settings; of equals the first, the newest. What was measured alike by another profile, or
    without a calibration text, stands beside.

    Args:
        groups: in the order of `grouped_by_protocol`.
        pruner: the name of a treatment.
        mine: the setting in view, whose pattern counts too; without it no pattern is preferred.
        has: whether what is looked for was evaluated there.
    """
    groups = tuple(groups)
    pattern, first = mine and mine.pattern, main_protocol(groups)
    budget_unit = TREATMENTS[pruner].budget_unit

    def good(one):
        holds = mine is not None and slice_of(mine) == one.part and one.study.of(mine) is not None
        near = -round(abs(one.part.target - target), 9)
        methods = {each.setting.allocation.base.kind for each in one.settings if not each.strength}
        likes = one.part.pattern == pattern, one.part.treatment.name == pruner
        alike = one.part.treatment.budget_unit is budget_unit
        return alike, near, *likes, protocol(one.study.spec) == first, holds, len(methods), len(one.settings)

    places = (StudySlice(found, part) for found in groups for part in found.slices if has(found, part))
    best = max(places, key=good, default=None)
    return best and StudySlice(with_comparable(best.study, groups), best.part)


def merged(studies: Sequence[Study]) -> Study:
    """Studies of one protocol as one: every point once, with all tasks that were asked of it."""
    points = {}
    for each in (point for study in studies for point in study.points):
        earlier = points.get((each.setting, each.pruned))
        first = each if earlier is None or earlier.evaluated is None else earlier
        points[each.setting, each.pruned] = replace(first, tasks={**each.tasks, **(earlier.tasks if earlier else {})})
    provenance = next(
        (each.provenance for each in studies if each.provenance.get("calibration")), studies[0].provenance
    )
    points_asked = tuple(StudyRecipe(setting=setting, pruned=pruned) for setting, pruned in points)
    tasks = tuple(unique(task for study in reversed(studies) for task in study.spec.tasks))
    spec = studies[0].spec.replace(points=points_asked, tasks=tasks)
    entries = tuple(entry for each in studies for entry in each.entries)
    profiles = tuple(unique(key for each in studies for key in each.profiles))
    return Study(spec, provenance, tuple(points.values()), entries, profiles=profiles, selects=studies[0].selects)


def by_protocol(
    studies: Iterable[Study], key: Callable[[Study], Hashable] = lambda each: protocol(each.spec)
) -> list[Study]:
    """Studies put together where their protocol is the same; by default whatever profile allocations looked at."""
    homes = defaultdict(list)
    for each in studies:
        homes[key(each)].append(each)
    return [merged(parts) for parts in homes.values()]


# --- names --------------------------------------------------------------------------------------------------------


UNSEEN = " held out"  # of the part of a text that nothing was chosen on


@lru_cache
def short_name(study: Study) -> str:
    """The name beside a number: `48 unseen passages of C4, 512 tokens each`; an unusual precision follows."""
    dtype = study.spec.model.dtype
    return name_of_spec(study.spec, study.provenance) + f", {dtype}" * (dtype != "float32")


def name_of_spec(spec: StudySpec, provenance: Mapping) -> str:
    """The same of a study as stored; calibration is named where its text or its amount is not the usual one."""
    read, judge, own = spec.calibration, label(provenance), profile_names.text(label(provenance))
    part = profile_names.part(judge)
    unseen, text = "unseen " * part.endswith(UNSEEN), part.removesuffix(UNSEEN)
    name = f"{spec.text.sequences} {unseen}passages of {text}, {spec.text.length} tokens each"
    if read is None:
        return name
    other, size = profile_names.text(label(provenance, "calibration")), amount(read)
    parts = [other * (other not in ("C4", own)), size * (size != amount(DEFAULT_CALIBRATION))]
    return f"{name}, calibrated on {' '.join(filter(None, parts))}" if any(parts) else name


def label(provenance: Mapping, role: str = "text") -> str:
    return str(provenance.get(role) or "text")


def amount(text: TextSpec | WindowRequest) -> str:
    return f"{text.sequences} × {text.length}"
