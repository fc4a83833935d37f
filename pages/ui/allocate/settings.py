"""Widgets -> an allocation request. Every setting is held equal to the URL."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from core.ask.allocations import AllocationRequest, Correction
from core.base.errors import UserError
from core.base.formats import per_cent
from core.base.spec import checked
from core.kinds import BASE_LABELS, METHODS
from core.kinds.allocator import Allocator, Parameter, steps
from core.kinds.response import OBJECTIVES
from core.kinds.treatments import PRUNER_LABELS
from core.plan.correction import CLIP, direction_of
from core.plan.estimates import judge_of
from core.plan.responses import Judge, pruners
from core.show.figures import labels
from core.store.profiles import Profile
from pages.ui import view
from pages.ui.allocate.word import ALLOCATION

STRENGTHS = steps(0, 0.1, 0.001)
TARGETS = steps(0, 0.95, 0.01)
OPENS = 0.04  # the strength that the page opens at: the one of the committed study, so that what it costs is known
CLIPS = {math.log(1.5): "1.5×", math.log(2): "2×", CLIP: "3× (paper default)", math.log(5): "5×", math.log(100): "100×"}
CONTROLS = {"none": "the correction", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}
ABOUT_CONTROLS = (
    "Reversed protects the layers that absorb instead; shuffled gives the same shifts to other layers; ramp is a "
    "straight line over depth of the same width. If a control does as well, the correction is not what helps."
)
WHOSE = (
    "From the paper: a coefficient of each layer, measured by perturbing it, shifts an existing allocation. We know "
    "these details only from secondary sources: the coefficient as a mean of ratios, its cap at 3×, and the centred "
    "shift, which protects layers that amplify. Ours: the geometric mean instead of the mean of ratios, the noise that "
    "drives it and its tokens, the strength, and how the budget is restored."
)
ABOUT_UNCLIPPED = (
    "For comparison: the numbers that the authors' code computes. OWL's code then prunes 0.01 where they reach 0 or "
    "less, and NeuroAL's keeps them within 0.01 and 0.99. Switched off, they are shifted together and kept within the "
    "bounds, so that the budget is met exactly."
)
LOOSE = "The correction and layers set by hand need an exact budget within bounds, so both are off."


Option = TypeVar("Option")


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
    shifted = Correction() if loose else _correction(profile, chosen, opens=drawn)
    return checked(AllocationRequest, base=checked(method, **own), correction=shifted, unclipped=loose, **spent)


def _correction(profile: Profile, chosen: Callable[..., Any], opens: bool) -> Correction:
    names = list(profile.by_name)
    usual = Correction()
    control = chosen("control", list(CONTROLS), usual.control)
    driver = chosen("driver", names, usual.driver if usual.driver in names else names[0])
    return Correction(
        strength=chosen("strength", STRENGTHS, OPENS if opens and _can_drive(driver, profile) else usual.strength),
        driver=driver,
        control=control,
        seed=chosen("shuffle", range(10), usual.seed) if control == "shuffled" else usual.seed,
        clip=chosen("clip", list(CLIPS), usual.clip),
    )


def _can_drive(driver: str, profile: Profile) -> bool:
    try:
        direction_of(Correction(driver=driver), profile)
    except UserError:
        return False
    return True


def draw(asked: AllocationRequest, profile: Profile) -> None:
    """The widget of every setting but the strength, which is dragged in the live chart."""
    method = METHODS[asked.base.kind]
    about = "Mean over layers, weighted by their parameters."
    st.select_slider("Target sparsity", TARGETS, key="target", format_func=per_cent, help=about)
    st.selectbox("Method", list(METHODS), key="base", format_func=BASE_LABELS.get, help=method.caption)
    for each in method.parameters():
        _parameter(each)
    if asked.unclipped:
        _unclipped(method)
        st.caption(LOOSE)
        return
    st.selectbox("Correction or control", list(CONTROLS), key="control", format_func=CONTROLS.get, help=ABOUT_CONTROLS)
    if asked.correction.control == "shuffled":
        st.select_slider("Shuffle", range(10), key="shuffle")
    with st.expander("More settings"):
        _more(method, profile)


def _more(method: type[Allocator], profile: Profile) -> None:
    """What is seldom changed: the bounds, what drives the correction, the reference code's numbers."""
    for key, label in (("low", "Minimum"), ("high", "Maximum")):
        st.select_slider(f"{label} sparsity per layer", TARGETS, key=key, format_func=per_cent)
    said = partial(disturbance, profile)
    st.selectbox("Correction driven by the gain of", list(profile.by_name), key="driver", format_func=said)
    st.select_slider("Cap gains at", list(CLIPS), key="clip", format_func=CLIPS.get)
    _unclipped(method)


def _unclipped(method: type[Allocator]) -> None:
    if method.reference:
        st.toggle("Unclipped reference numbers", key="unclipped", help=ABOUT_UNCLIPPED)


def _parameter(asked: Parameter) -> None:
    key = asked.key or asked.name
    if asked.words:
        view.switch(asked.label, asked.words, key)
    else:
        st.select_slider(asked.label, asked.options, key=key, format_func="{:g}".format)


def disturbance(profile: Profile, name: str) -> str:
    """A perturbation and its positions, in one line."""
    return labels.perturbation(profile.perturbations[name])


def judge(request: AllocationRequest, profile: Profile) -> Judge:
    """By what the additive estimates are made; the switches are drawn elsewhere, once the estimates are opened."""
    known = pruners(profile, request.base.per_linear)
    usual = judge_of(request, profile)
    drawn = view.sync("estimates", [False, True], False)
    by = view.sync("judge_pruner", list(dict.fromkeys([usual, *known])), usual, drawn=drawn and len(known) > 1)
    return Judge(view.sync("judge", list(OBJECTIVES), "drift", drawn=drawn), by)


def judge_switches(request: AllocationRequest, profile: Profile) -> None:
    """Which harm the estimates sum and, where several pruners were measured alone, whose."""
    with st.container(horizontal=True):
        view.switch("Estimate harm by", OBJECTIVES, "judge")
        known = pruners(profile, request.base.per_linear)
        if len(known) > 1:
            view.switch("Layers pruned by", {each: PRUNER_LABELS[each] for each in known}, "judge_pruner")


def keys(asked: AllocationRequest) -> list[str]:
    """The settings in use: what undo takes back. Those of other allocators keep their values unseen."""
    method = METHODS[asked.base.kind]
    own = [each.key or each.name for each in method.parameters()]
    loose = ["unclipped"] if method.reference else []
    fix = [] if asked.unclipped else ["driver", "control", "clip", "strength"]
    shuffled = ["shuffle"] if asked.correction.control == "shuffled" else []
    held = [] if asked.unclipped or asked.base.per_linear else ["hand"]
    return ["base", "target", "low", "high", "judge", "judge_pruner", *held, *own, *loose, *fix, *shuffled]
