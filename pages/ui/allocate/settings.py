"""Widgets -> an allocation request. Every setting is held equal to the URL."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from core.allocation.allocator import Allocator, Parameter, steps
from core.allocation.correction import CLIP
from core.allocation.estimates import judge_of
from core.allocation.response import OBJECTIVES
from core.analysis.responses import Judge, pruners
from core.figures import labels
from core.specs import grammar
from core.specs.allocations import BASE_LABELS, METHODS, AllocationRequest, Correction
from core.specs.base import checked
from core.specs.pruners import PRUNER_LABELS
from core.store.profiles import Profile
from pages.ui import view

STRENGTHS = steps(0, 0.1, 0.001)
TARGETS = steps(0, 0.95, 0.01)
CLIPS = {math.log(1.5): "1.5×", math.log(2): "2×", CLIP: "3×, the paper's", math.log(5): "5×", math.log(100): "100×"}
CONTROLS = {"none": "none", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}
ABOUT_CONTROLS = (
    "Reversed protects the absorbers instead; shuffled gives the same shifts to other layers; ramp is a straight line "
    "over depth of the same width. If a control does as well, the correction is not what helps."
)
WHOSE = (
    "From the paper itself: a coefficient of each layer, measured by disturbing it, shifts an existing allocation. "
    "Known to us second-hand only: the coefficient as a mean of ratios, its clip at ln 3, and the centred shift, which "
    "protects layers that amplify. Ours: the geometric mean in place of the mean of ratios, which noise drives it and "
    "at which tokens, the strength, and how the budget is restored. Nothing here is a claim until it is pruned and "
    "evaluated."
)
ABOUT_UNCLIPPED = (
    "For comparison: what the authors' code computes, as it is. OWL's then prunes 0.01 where this reaches 0 or less, "
    "and NeuroAL's keeps its line inside 0.01 to 0.99. Off, the same wish is shifted by one number and kept inside the "
    "bounds, so that the budget is met exactly."
)
LOOSE = (
    "The correction and setting layers by hand are off: both spend an exact budget inside bounds, and unclipped "
    "numbers know neither."
)


Option = TypeVar("Option")


def _keys(method: type[Allocator]) -> dict[str, str]:
    """Field of an allocator -> key of its widget."""
    return {each.name: each.key or each.name for each in method.parameters()}


OF_CORRECTION = {each: "shuffle" if each == "seed" else each for each in Correction.model_fields}  # field -> key
OF_ALLOCATION = {each: each for each in grammar.OF_ALLOCATION}


def _read(text: str) -> dict[str, str]:
    """An allocation as the grammar writes it -> the text of each choice; what is left out of a correction is not said.

    Raises:
        UserError: it does not read so.
    """
    words, target = grammar.split(text)
    kind, given = grammar.parts(words)
    asked = grammar.built(kind, given, target)
    found = {"base": kind, "target": str(asked.target)}
    found |= {key: str(getattr(asked.base, name)) for name, key in _keys(METHODS[kind]).items()}
    found |= {key: str(getattr(asked, name)) for name, key in OF_ALLOCATION.items()}
    return found | {key: str(getattr(asked.correction, name)) for name, key in OF_CORRECTION.items() if name in given}


def _write(chosen: Mapping[str, object]) -> str:
    """The other way round, with no correction beside numbers that know neither bounds nor budget."""
    kind = str(chosen["base"])
    loose = METHODS[kind].reference and str(chosen.get("unclipped")) == "True"
    left_out = {*OF_CORRECTION} if loose else {"unclipped"}
    left_out |= set() if chosen.get("control") == "shuffled" else {"seed"}
    keys = _keys(METHODS[kind]) | OF_ALLOCATION | OF_CORRECTION
    given = {name: chosen[key] for name, key in keys.items() if key in chosen and name not in left_out}
    return grammar.write(grammar.built(kind, given, chosen["target"]))


OF_METHODS = [key for method in METHODS.values() for key in _keys(method).values()]
PARTS = ("base", "target", *OF_ALLOCATION, *OF_CORRECTION.values(), *OF_METHODS)
ALLOCATION = view.Word("allocation", PARTS, _read, _write)


def read(profile: Profile, drawn: bool = True) -> AllocationRequest:
    """The allocation that is chosen; whether its budget can be met is for the allocator to say.

    Args:
        drawn: `draw` follows.
    """

    def chosen(key: str, options: Sequence[Option], default: Option, drawn: bool = drawn) -> Option:
        return view.sync(key, options, default, drawn=drawn, word=ALLOCATION)

    method = METHODS[chosen("base", list(METHODS), "owl")]
    usual = method()
    own = {
        each.name: chosen(each.key or each.name, each.options, getattr(usual, each.name))
        for each in method.parameters()
    }
    loose = method.reference and chosen("unclipped", [False, True], False)
    spent = {"target": chosen("target", TARGETS, 0.7)}
    for key, default in (("low", 0.0), ("high", 0.95)):
        spent[key] = chosen(key, TARGETS, default, drawn and not loose)
    shifted = Correction() if loose else _correction(profile, chosen)
    return checked(AllocationRequest, base=checked(method, **own), correction=shifted, unclipped=loose, **spent)


def _correction(profile: Profile, chosen: Callable[..., Any]) -> Correction:
    names = list(profile.by_name)
    usual = Correction()
    control = chosen("control", list(CONTROLS), usual.control)
    return Correction(
        strength=chosen("strength", STRENGTHS, usual.strength),
        driver=chosen("driver", names, usual.driver if usual.driver in names else names[0]),
        control=control,
        seed=chosen("shuffle", range(10), usual.seed) if control == "shuffled" else usual.seed,
        clip=chosen("clip", list(CLIPS), usual.clip),
    )


def draw(asked: AllocationRequest, profile: Profile) -> None:
    """The widget of every setting but the strength, which is dragged in the live chart."""
    method = METHODS[asked.base.kind]
    st.selectbox("Base allocator", list(METHODS), key="base", format_func=BASE_LABELS.get)
    for each in method.parameters():
        _parameter(each)
    st.caption(method.caption)
    if method.reference:
        st.toggle("Reference code unclipped", key="unclipped", help=ABOUT_UNCLIPPED)
    about = "Mean over layers, weighted by their parameters."
    st.select_slider("Target sparsity", TARGETS, key="target", format_func="{:g}".format, help=about)
    if asked.unclipped:
        st.caption(LOOSE)
        return
    for place, key, label in zip(st.columns(2), ("low", "high"), ("Least", "Greatest"), strict=True):
        place.select_slider(f"{label} of a layer", TARGETS, key=key, format_func="{:g}".format)
    names = list(profile.by_name)
    st.selectbox(
        "Correction driven by the gain of", names, key="driver", format_func=lambda name: disturbance(profile, name)
    )
    st.selectbox("Control in its place", list(CONTROLS), key="control", format_func=CONTROLS.get, help=ABOUT_CONTROLS)
    if asked.correction.control == "shuffled":
        st.select_slider("Shuffle", range(10), key="shuffle")
    st.select_slider("Gains count up to", list(CLIPS), key="clip", format_func=CLIPS.get)


def _parameter(asked: Parameter) -> None:
    key = asked.key or asked.name
    if asked.words:
        view.switch(asked.label, asked.words, key)
    else:
        st.select_slider(asked.label, asked.options, key=key, format_func="{:g}".format)


def disturbance(profile: Profile, name: str) -> str:
    """A perturbation and its positions, in one line."""
    asked = profile.perturbations[name]
    everywhere = getattr(asked, "positions", "after_first") == "all"
    return asked.label + (f", {labels.POSITIONS['all']}" if everywhere else "")


def judge(request: AllocationRequest, profile: Profile) -> Judge:
    """By what the additive estimates are made; the switches are drawn elsewhere."""
    known = pruners(profile, request.base.per_linear)
    usual = judge_of(request, profile)
    by = view.sync("judge_pruner", list(dict.fromkeys([usual, *known])), usual)
    return Judge(view.sync("judge", list(OBJECTIVES), "drift"), by)


def judge_switches(request: AllocationRequest, profile: Profile) -> None:
    """Which harm the estimates sum and, where several pruners were measured alone, whose."""
    with st.container(horizontal=True):
        view.switch("Estimate the harm by", OBJECTIVES, "judge")
        known = pruners(profile, request.base.per_linear)
        if len(known) > 1:
            view.switch("of layers pruned by", {each: PRUNER_LABELS[each] for each in known}, "judge_pruner")


def keys(asked: AllocationRequest) -> list[str]:
    """The settings in use: what undo takes back. Those of other allocators keep their values unseen."""
    method = METHODS[asked.base.kind]
    own = [each.key or each.name for each in method.parameters()]
    loose = ["unclipped"] if method.reference else []
    fix = [] if asked.unclipped else ["driver", "control", "clip", "strength"]
    shuffled = ["shuffle"] if asked.correction.control == "shuffled" else []
    held = [] if asked.unclipped or asked.base.per_linear else ["hand"]
    return ["base", "target", "low", "high", "judge", "judge_pruner", *held, *own, *loose, *fix, *shuffled]
