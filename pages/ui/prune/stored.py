"""Stored studies of the model in view, put together where their protocol is the same."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from core import studies
from core.errors import UserError
from core.profiles import Profile
from core.settings import Setting, StudySpec, TaskSpec
from core.specs import TextSpec
from core.store import Entry, Store
from core.studies import Measured, Study
from pages.ui import view
from pages.ui.prune.comparing import Results, examples, labels, seedless

SHORT = 6  # digits of a key or a hash on screen


@dataclass(frozen=True, eq=False)
class Group:
    """All studies of one protocol."""

    key: str  # of the oldest of its studies, which stays when others join
    entries: tuple[Entry, ...]  # newest first
    results: Results
    badge: str
    versions: str = ""  # of what measured it, in words

    def holding(self, setting: Setting) -> str | None:
        """The key of the newest study that has this setting."""
        for entry in self.entries:
            if any(point.setting == setting for point in entry.spec.points):
                return entry.key
        return None


def groups(profile: Profile) -> dict[str, Group]:
    """Protocol key -> studies of the profile's model, the newest first."""
    found: dict[tuple, list[Entry]] = defaultdict(list)
    mine = profile.spec.model
    for entry in Store().entries("study"):
        model = entry.spec.model
        if (model.content, model.initialised) == (mine.content, mine.initialised):
            found[protocol(entry)].append(entry)
    return {entries[-1].key: _group([str(each.path) for each in entries], entries) for entries in found.values()}


def choose(found: dict[str, Group], setting: Setting) -> Group:
    """The group that the URL names by any of its studies, else the one that holds the setting in view, else the newest.

    A picker is drawn where there are several.
    """
    asked = st.query_params.get("study")
    home = next((key for key, each in found.items() if asked in {entry.key for entry in each.entries}), None)
    if asked and home is None:
        st.warning(f"The link asks for study {asked!r}, which is not of this model or not in this cache.")
        st.query_params.pop("study")
    elif asked and asked != home:
        st.query_params["study"] = home
    first = next((key for key, each in found.items() if each.results.of(setting)), next(iter(found)))
    key = view.sync("study", list(found), first)
    if len(found) > 1:
        st.selectbox(
            "Protocol",
            list(found),
            key="study",
            format_func=lambda each: found[each].badge,
            help="Numbers of other protocols are never drawn on one axis.",
        )
    return found[key]


def protocol(entry: Entry) -> tuple:
    """What must be alike for two numbers to be compared: model and precision, text, calibration, profile."""
    spec = entry.spec
    return spec.model.key, spec.text.key, _calibration(spec), profile_key(entry.provenance.get("profile"))


def _calibration(spec: StudySpec) -> tuple | None:
    """A calibration text by content and amount; which windows were drawn is the seed's matter."""
    used = [each.pruned.calibration for each in spec.points if each.pruned and each.pruned.calibration]
    return _amount(used[0]) if used else None


def _amount(text: TextSpec) -> tuple:
    return text.content, text.tokenizer, text.packing, text.bos, text.length, text.sequences


def profile_key(typed: str | None) -> str | None:
    """A profile by its whole key, however it was named."""
    try:
        return Store().profile(typed).key if typed else None
    except UserError:
        return typed


@st.cache_resource(max_entries=16, show_spinner="Reading studies")
def _group(paths: list[str], _entries: list[Entry]) -> Group:
    """Read once: a folder's name is the hash of what it means."""
    store = Store()
    read = [studies.load(store, entry) for entry in _entries]
    joined = merged(read)
    said = badge(joined, [each.key for each in _entries])
    return Group(_entries[-1].key, tuple(_entries), Results(joined), said, versions(joined.points))


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
    said += [_calibrated(study), *_asked(spec.tasks), spec.model.dtype, f"text {spec.text.content[:SHORT]}"]
    said += [("study " if len(keys) == 1 else "studies ") + ", ".join(key[:SHORT] for key in keys)]
    return " · ".join(said)


def _calibrated(study: Study) -> str:
    used = [each.pruned.calibration for each in study.spec.points if each.pruned and each.pruned.calibration]
    if not used:
        return "no calibration"
    amount = f"{used[0].sequences} × {used[0].length}"
    words = [f"calibrated on {study.provenance.get('calibration') or 'text'}, {amount}", *_seeds(study.pruned)]
    return ", ".join(words)


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


def _asked(tasks: Iterable[TaskSpec]) -> list[str]:
    """Zero-shot tasks with their examples, those of one sample size together."""
    found = defaultdict(list)
    for task in tasks:
        found[examples(task) + (f" drawn by seed {task.seed}" if task.seed else "")].append(task.name)
    return [f"zero-shot on {amount} of {', '.join(dict.fromkeys(names))}" for amount, names in found.items()]


def versions(points: Iterable[Measured]) -> str:
    """What measured some points, as far as it was noted."""
    noted = [each.about["versions"] for each in points if isinstance(each.about.get("versions"), dict)]
    known = [{name: each[name] for name in ("torch", "transformers") if name in each} for each in noted]
    found = dict.fromkeys(", ".join(f"{name} {version}" for name, version in each.items()) for each in known if each)
    return f"Measured with {'; '.join(found)}." if found else "With which versions it was measured was not noted."
