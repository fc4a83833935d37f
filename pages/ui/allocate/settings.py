"""Widgets -> an allocation request. Every setting is held equal to the URL."""

from __future__ import annotations

import math
from collections.abc import Callable

import streamlit as st

from core.allocation.allocator import Allocator, Parameter, steps
from core.allocation.correction import CLIP
from core.allocation.estimates import judge_of
from core.allocation.response import OBJECTIVES
from core.analysis.responses import Judge, pruners
from core.figures import labels
from core.specs.allocations import BASE_LABELS, BASES, AllocationRequest, Correction
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


METHODS = {kind: form for kind, form in BASES.items() if not form.by_hand}


def text(key: str, default: str, valid: Callable[[str], bool]) -> str:
    """A setting without a widget of its own, in the session's state and the URL; what is not valid is dropped."""
    known = [st.query_params.get(key), st.session_state.get(key)]
    return view.sync(key, [default, *(each for each in known if each is not None and valid(each))], default)


def base() -> Allocator:
    """Choose an allocator and its own parameters."""
    kind = view.sync("base", list(METHODS), "owl")
    st.selectbox("Base allocator", list(METHODS), key="base", format_func=BASE_LABELS.get)
    method = METHODS[kind]
    values = {each.name: _parameter(each, method) for each in method.parameters()}
    st.caption(method.caption)
    return checked(method, **values)


def _parameter(asked: Parameter, form: type[Allocator]) -> float | str:
    key = asked.key or asked.name
    about = form.model_fields[asked.name]
    value = view.sync(key, asked.options, about.default)
    if asked.words:
        view.switch(asked.label, asked.words, key)
    else:
        st.select_slider(asked.label, asked.options, key=key, format_func="{:g}".format)
    return value


def unclipped(draw: bool = True) -> bool:
    """Whether the reference code's own numbers are asked for, which no bound and no budget holds.

    Args:
        draw: show the switch; without it the setting is only read.
    """
    if not METHODS[st.session_state["base"]].reference:
        return False
    asked = view.sync("unclipped", [False, True], False)
    if draw:
        st.toggle("Reference code unclipped", key="unclipped", help=ABOUT_UNCLIPPED)
    return asked


def budget(bounded: bool = True) -> dict[str, float]:
    """Target, and bounds where they hold."""
    found = {"target": view.sync("target", TARGETS, 0.7)}
    about = "Mean over layers, weighted by their parameters."
    st.select_slider("Target sparsity", TARGETS, key="target", format_func="{:g}".format, help=about)
    columns = st.columns(2) if bounded else (None, None)
    for place, key, label, default in zip(columns, ("low", "high"), ("Least", "Greatest"), (0.0, 0.95), strict=True):
        found[key] = view.sync(key, TARGETS, default)
        if place:
            place.select_slider(f"{label} of a layer", TARGETS, key=key, format_func="{:g}".format)
    return found


def correction(profile: Profile) -> Correction:
    """What drives the correction, and the control in its place. The strength is dragged in the live chart."""
    names = list(profile.by_name)
    driver = view.sync("driver", names, "gaussian:0.3" if "gaussian:0.3" in names else names[0])
    st.selectbox(
        "Correction driven by the gain of", names, key="driver", format_func=lambda name: disturbance(profile, name)
    )
    control = view.sync("control", list(CONTROLS), "none")
    st.selectbox("Control in its place", list(CONTROLS), key="control", format_func=CONTROLS.get, help=ABOUT_CONTROLS)
    seed = 0
    if control == "shuffled":
        seed = view.sync("shuffle", range(10), 0)
        st.select_slider("Shuffle", range(10), key="shuffle")
    clip = view.sync("clip", list(CLIPS), CLIP)
    st.select_slider("Gains count up to", list(CLIPS), key="clip", format_func=CLIPS.get)
    strength = view.sync("strength", STRENGTHS, 0.0)
    return Correction(strength=strength, driver=driver, control=control, seed=seed, clip=clip)


def disturbance(profile: Profile, name: str) -> str:
    """A perturbation and its positions, in one line."""
    asked = profile.perturbations[name]
    everywhere = getattr(asked, "positions", "after_first") == "all"
    return asked.label + (f", {labels.POSITIONS['all']}" if everywhere else "")


def request(profile: Profile) -> AllocationRequest:
    """Draw every setting and put them together; whether the budget can be met is for the allocator to say."""
    chosen = base()
    loose = unclipped()
    spent = budget(bounded=not loose)
    if loose:
        st.caption(LOOSE)
    shifted = Correction() if loose else correction(profile)
    return checked(AllocationRequest, base=chosen, correction=shifted, unclipped=loose, **spent)


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
