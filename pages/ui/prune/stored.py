"""Stored studies of the model in view, put together where their protocol is the same."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import streamlit as st

from core import studies
from core.errors import UserError
from core.profiles import Profile
from core.settings import Setting, StudySpec
from core.specs import TextSpec
from core.store import Entry, Store
from core.studies import Measured, Study
from pages.ui import view
from pages.ui.prune.comparing import Results


@dataclass(frozen=True, eq=False)
class Group:
    """All studies of one protocol."""

    key: str  # of the oldest of its studies, which stays when others join
    entries: tuple[Entry, ...]  # newest first
    results: Results
    badge: str

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
    return spec.model.key, spec.text.key, _calibration(spec), _profile(entry.provenance.get("profile"))


def _calibration(spec: StudySpec) -> tuple | None:
    """A calibration text by content and amount; which windows were drawn is the seed's matter."""
    used = [each.pruned.calibration for each in spec.points if each.pruned and each.pruned.calibration]
    return _amount(used[0]) if used else None


def _amount(text: TextSpec) -> tuple:
    return text.content, text.tokenizer, text.packing, text.bos, text.length, text.sequences


def _profile(typed: str | None) -> str | None:
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
    whole = merged(read)
    return Group(_entries[-1].key, tuple(_entries), Results(whole), badge(whole))


def merged(found: list[Study]) -> Study:
    """Studies of one protocol as one: every point once, with all tasks that were asked of it."""
    points: dict[tuple, Measured] = {}
    for each in (point for study in found for point in study.points):
        key = each.setting, each.point.pruned
        known = points.get(key)
        if known is None or known.evaluated is None:
            points[key] = each
        else:
            points[key] = replace(known, tasks={**each.tasks, **known.tasks})
    tasks = {task.name: task for study in reversed(found) for task in study.spec.tasks}
    told = next((each.provenance for each in found if each.provenance.get("calibration")), found[0].provenance)
    spec = found[0].spec.model_copy(
        update={"points": tuple(each.point for each in points.values()), "tasks": tuple(tasks.values())}
    )
    return Study(spec, told, tuple(points.values()))


def badge(study: Study) -> str:
    """The protocol in one line: it stands under every number."""
    spec, told = study.spec, study.provenance
    text = spec.text
    said = [f"{told.get('text', 'text')}, {text.sequences} × {text.length} tokens"]
    calibration = next(
        (each.pruned.calibration for each in spec.points if each.pruned and each.pruned.calibration), None
    )
    if calibration is None:
        said += ["no calibration"]
    else:
        drawn = sorted({each.setting.calibration_seed for each in spec.points if each.setting})
        seeds = ("seed " if len(drawn) == 1 else "seeds ") + ", ".join(map(str, drawn))
        amount = f"{calibration.sequences} × {calibration.length}"
        said += [f"calibrated on {told.get('calibration') or 'text'}, {amount}, {seeds}"]
    return " · ".join([*said, spec.model.dtype, f"text {text.content[:6]}", f"study {spec.key[:6]}"])
