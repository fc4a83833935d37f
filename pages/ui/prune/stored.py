"""Stored studies of the model in view, put together where their protocol is the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import streamlit as st

from core.analysis import studies
from core.analysis.comparing import Results, labels, seedless, tasks_asked
from core.analysis.studies import Measured, Study
from core.specs.pruners import PRUNER_LABELS
from core.specs.settings import Setting
from core.specs.studies import StudySpec
from core.specs.texts import TextSpec
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import view

SHORT = 6  # digits of a key or a hash on screen


class Protocol(NamedTuple):
    """What must be alike for two numbers to be compared."""

    model: str  # key of the model in its precision
    text: str  # key of the text that judges
    calibration: tuple | None  # None: no point looks at a calibration text
    profile: str | None


@dataclass(frozen=True, eq=False)
class Group:
    """All studies of one protocol, with what joins them from studies of another calibration."""

    key: str  # of the oldest of its studies, which stays when others join
    entries: tuple[Entry, ...]  # newest first
    results: Results
    badge: str
    versions: str = ""  # of what measured it, in words
    guests: tuple[Entry, ...] = ()  # studies of which only the points without calibration are here

    def holding(self, setting: Setting) -> str | None:
        """The key of the newest study that has this setting, as it is measured here."""
        for entry in (*self.entries, *(self.guests if not setting.reads_text else ())):
            if any(point.setting == setting for point in entry.spec.points):
                return entry.key
        return None


def groups(profile: Profile) -> dict[str, Group]:
    """Protocol key -> studies of the profile's model, the newest first.

    Points of a pruner that looks at no calibration text may stand beside those of any: they join every group of their
    model, precision and text, and a study of nothing else is a group of its own only where there is none to join.
    """
    found: dict[Protocol, list[Entry]] = defaultdict(list)
    mine = profile.spec.model
    for entry in Store().entries("study"):
        model = entry.spec.model
        if (model.content, model.initialised) == (mine.content, mine.initialised):
            found[protocol(entry)].append(entry)
    made = (_group_of(each, found) for each in found if not _joins_whole(each, found))
    return {group.key: group for group in made}


def _group_of(where: Protocol, found: Mapping[Protocol, Sequence[Entry]]) -> Group:
    guests = {
        entry.key: (entry, joining)
        for home, entries in found.items()
        for entry in entries
        if home != where and (joining := _joining(entry, home, where))
    }
    entries = found[where]
    paths = [str(each.path) for each in entries], [(str(each.path), joining) for each, joining in guests.values()]
    return _group(*paths, entries, [each for each, _ in guests.values()])


def _joining(entry: Entry, home: Protocol, where: Protocol) -> tuple[int, ...]:
    """Which points of a study may stand in a group of another protocol: those that what differs had no part in."""
    if (home.model, home.text) != (where.model, where.text):
        return ()
    points = entry.spec.points
    free = [
        each.pruned is None
        or (each.pruned.calibration is None and (home.profile == where.profile or each.setting == each.setting.uniform))
        for each in points
    ]
    pruned = any(each.pruned and joins for each, joins in zip(points, free, strict=True))
    return tuple(i for i, joins in enumerate(free) if joins) if pruned or all(free) else ()


def _joins_whole(home: Protocol, found: Mapping[Protocol, Sequence[Entry]]) -> bool:
    """Whether all of some studies stands in a group that is calibrated."""
    calibrated = [each for each in found if each.calibration is not None]
    return home.calibration is None and any(
        all(len(_joining(entry, home, where)) == len(entry.spec.points) for entry in found[home])
        for where in calibrated
    )


def choose(found: dict[str, Group], setting: Setting) -> Group:
    """The group that the URL names by any of its studies, else the one that holds the setting in view, else the newest.

    A picker is drawn where there are several.
    """
    asked = st.query_params.get("study")
    homes = {entry.key: key for key, each in reversed(found.items()) for entry in each.guests}
    homes |= {entry.key: key for key, each in found.items() for entry in each.entries}
    home = homes.get(asked)
    if asked and home is None:
        st.warning(f"The link asks for study {asked!r}, which is not of this model or not in this cache.")
        st.query_params.pop("study")
    first = next((key for key, each in found.items() if each.results.of(setting)), next(iter(found)))
    key = view.sync("study", list(found), first, homes)
    if len(found) > 1:
        st.selectbox(
            "Protocol",
            list(found),
            key="study",
            format_func=lambda each: found[each].badge,
            help="Numbers of other protocols are never drawn on one axis.",
        )
    return found[key]


def protocol(entry: Entry) -> Protocol:
    """What the numbers of a study depend on beside their settings."""
    spec = entry.spec
    profile = profile_key(entry.provenance.get("profile"))
    return Protocol(spec.model.key, spec.text.key, _calibration(spec), profile)


def _calibration(spec: StudySpec) -> tuple | None:
    """A calibration text by content and amount; which windows were drawn is the seed's matter."""
    used = [each.pruned.calibration for each in spec.points if each.pruned and each.pruned.calibration]
    return _amount(used[0]) if used else None


def _amount(text: TextSpec) -> tuple:
    return text.content, text.tokenizer, text.packing, text.bos, text.length, text.sequences


def profile_key(typed: str | None) -> str | None:
    """A profile by its whole key, however it was named."""
    return studies.profile_key(Store(), typed)


@st.cache_resource(max_entries=16, show_spinner="Reading studies")
def _group(
    paths: list[str], joining: list[tuple[str, tuple[int, ...]]], _entries: list[Entry], _guests: list[Entry]
) -> Group:
    """Read once: a folder's name is the hash of what it means.

    Args:
        joining: path of each guest, and which of its points are here.
    """
    store = Store()
    read = [studies.load(store, entry) for entry in _entries]
    read += [_part(studies.load(store, entry), kept) for entry, (_, kept) in zip(_guests, joining, strict=True)]
    joined = merged(read)
    said = badge(joined, [each.key for each in (*_entries, *_guests)])
    return Group(_entries[-1].key, tuple(_entries), Results(joined), said, versions(joined.points), tuple(_guests))


def _part(study: Study, kept: Sequence[int]) -> Study:
    """Some points of a study; what it was calibrated on is not theirs."""
    spec = study.spec.model_copy(update={"points": tuple(study.spec.points[i] for i in kept)})
    told = {name: value for name, value in study.provenance.items() if name != "calibration"}
    return Study(spec, told, tuple(study.points[i] for i in kept))


def merged(found: list[Study]) -> Study:
    """Studies of one protocol as one: every point once, with all tasks that were asked of it.

    Its answers are called as `labels` calls the tasks, so that those to other examples stay apart.
    """
    tasks = list(dict.fromkeys(task for study in reversed(found) for task in study.spec.tasks))
    called = labels(tasks)
    points: dict[tuple, Measured] = {}
    for study in found:
        names = {task.name: called[task] for task in study.spec.tasks}
        for each in study.points:
            answers = {names[name]: answer for name, answer in each.tasks.items()}
            key = each.setting, each.point.pruned
            known = points.get(key)
            first = each if known is None or known.evaluated is None else known
            points[key] = replace(first, tasks={**answers, **(known.tasks if known else {})})
    told = next((each.provenance for each in found if each.provenance.get("calibration")), found[0].provenance)
    spec = found[0].spec.model_copy(
        update={"points": tuple(each.point for each in points.values()), "tasks": tuple(tasks)}
    )
    return Study(spec, told, tuple(points.values()))


# --- the badge -----------------------------------------------------------------------------------------------------


def stamp(said: str, told: str = "") -> None:
    """The protocol under a number, a chart or a table; what measured it is in its help."""
    st.caption(f"**Protocol:** {said}", help=told or None)


def badge(study: Study, keys: Sequence[str] = (), text: str | None = None) -> str:
    """The protocol in one line: it stands under every number.

    Args:
        keys: of the studies that it is merged from; none: it is one.
        text: what the text is called, where the study's provenance is not its own.
    """
    spec, told = study.spec, study.provenance
    keys = keys or [spec.key]
    said = [f"{text or told.get('text', 'text')}, {spec.text.sequences} × {spec.text.length} tokens"]
    said += [_calibrated(study), *tasks_asked(spec.tasks), spec.model.dtype, f"text {spec.text.content[:SHORT]}"]
    said += [("study " if len(keys) == 1 else "studies ") + ", ".join(key[:SHORT] for key in keys)]
    return " · ".join(said)


def _calibrated(study: Study) -> str:
    used = [each.pruned.calibration for each in study.spec.points if each.pruned and each.pruned.calibration]
    if not used:
        return "no calibration"
    amount = f"{used[0].sequences} × {used[0].length}"
    words = [f"calibrated on {study.provenance.get('calibration') or 'text'}, {amount}", *_seeds(study.pruned)]
    blind = dict.fromkeys(PRUNER_LABELS[each.setting.pruner] for each in study.pruned if not each.setting.reads_text)
    return "; ".join([", ".join(words), *(f"{name} looks at no text" for name in blind)])


def _seeds(points: Iterable[Measured]) -> list[str]:
    """Which calibration seeds were drawn: of all settings, or of how many each."""
    drawn = defaultdict(set)
    for each in points:
        if each.point.pruned.calibration is not None:
            drawn[seedless(each.setting)].add(each.setting.calibration_seed)
    counts = Counter(tuple(sorted(seeds)) for seeds in drawn.values())
    named = {
        ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds)): count
        for seeds, count in sorted(counts.items(), key=lambda each: (-len(each[0]), each[0]))
    }
    if len(named) < 2:
        return list(named)
    return [", ".join(f"{name} for {count} setting{'s' * (count > 1)}" for name, count in named.items())]


def versions(points: Iterable[Measured]) -> str:
    """What measured some points, as far as it was noted."""
    noted = [each.about["versions"] for each in points if isinstance(each.about.get("versions"), dict)]
    known = [{name: each[name] for name in ("torch", "transformers") if name in each} for each in noted]
    found = dict.fromkeys(", ".join(f"{name} {version}" for name, version in each.items()) for each in known if each)
    return f"Measured with {'; '.join(found)}." if found else "With which versions it was measured was not noted."
