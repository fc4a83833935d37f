"""Widgets -> an allocation request. Every setting is held equal to the URL, where the allocation is one parameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from core.ask import grammar
from core.ask.allocations import AllocationRequest, Correction
from core.base.errors import UserError
from core.base.formats import per_cent
from core.base.spec import checked
from core.kinds import BASE_LABELS, METHODS
from core.kinds.allocator import Allocator, Parameter, steps
from core.kinds.treatments import NO_REPAIR, PRUNER_LABELS, PRUNERS, REPAIRS, USUAL, Treatment
from core.plan.correction import CLIP, direction_of
from core.results import candidates
from core.show import words
from core.store.profiles import Profile
from pages.ui import view

STRENGTHS = steps(0, 0.1, 0.001)
TARGETS = steps(0, 0.95, 0.01)
REPAIRED = {NO_REPAIR: NO_REPAIR} | {name: row.label for name, row in REPAIRS.items()}
OPENS = 0.04  # the strength that the page opens at, where that leads no layer beyond what was measured
CLIPS = {math.log(1.5): "1.5×", math.log(2): "2×", CLIP: "3× (paper default)", math.log(5): "5×", math.log(100): "100×"}
CONTROLS = {"none": "the correction", "reversed": "reversed", "shuffled": "shuffled", "ramp": "ramp"}
ABOUT_CONTROLS = (
    "Reversed protects the layers that absorb instead; shuffled gives the same shifts to other layers; ramp is a "
    "straight line over depth of the same width. If a control does as well, the correction is not what helps."
)
ORIGIN = (
    "From the paper: a coefficient of each layer, measured by perturbing it, shifts an existing allocation. We know "
    "these details only from secondary sources: the coefficient as a mean of ratios, its cap at 3×, and the centred "
    "shift, which protects layers that amplify. Ours: the geometric mean instead of the mean of ratios, the noise that "
    "drives it and its tokens, the strength, and how the budget is restored."
)
ABOUT_HAND = "A layer and its sparsity, several with commas. The others move together, so that the budget is kept."

Option = TypeVar("Option")


def read(profile: Profile, drawn: bool = True) -> AllocationRequest:
    """The allocation that is chosen; whether its budget can be met is for the allocator to say.

    Args:
        drawn: `draw` follows.
    """

    def chosen(key: str, options: Sequence[Option], default: Option) -> Option:
        return view.sync(key, options, default, drawn=drawn)

    view.unfold(WORD, PARTS, _decoded)
    method = METHODS[chosen("base", list(METHODS), "owl")]
    usual = candidates.usual(method, profile)
    own = {
        each.name: chosen(each.key or each.name, each.options, getattr(usual, each.name))
        for each in method.parameters()
    }
    budget = {key: chosen(key, TARGETS, usual) for key, usual in (("target", 0.7), ("low", 0.0), ("high", 0.95))}
    shifted = _correction(profile, chosen, opens=drawn and not method.measured)
    view.fold(WORD, PARTS, _encoded)
    return checked(AllocationRequest, base=checked(method, **own), correction=shifted, **budget)


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


def treatment() -> Treatment:
    """The pruner and the repair that are chosen, as on Prune."""
    repair = view.sync("repair", list(REPAIRED), NO_REPAIR)
    return Treatment(view.sync("by", list(PRUNERS), USUAL), None if repair == NO_REPAIR else repair)


def by_hand(asked: AllocationRequest) -> str:
    """Layers set by hand, as typed; none where each linear has a budget of its own."""
    return "" if asked.base.per_linear else view.text("hand", "")


def draw(asked: AllocationRequest, profile: Profile, target: bool) -> None:
    """The widget of every setting but the strength, which is dragged in the live picture.

    Args:
        target: that of the target too, which has a picture of its own where anything predicts.
    """
    method = METHODS[asked.base.kind]
    about = "Mean over layers, weighted by their parameters."
    if target:
        st.select_slider("Target sparsity", TARGETS, key="target", format_func=per_cent, help=about)
    how = {"format_func": BASE_LABELS.get, "help": method.caption, "on_change": _opened}
    st.selectbox("Method", list(METHODS), key="base", **how)
    for each in method.parameters():
        _parameter(each)
    left, right = st.columns(2)
    left.selectbox("Pruner", list(PRUNERS), key="by", format_func=PRUNER_LABELS.get)
    right.selectbox("Repair", list(REPAIRED), key="repair", format_func=REPAIRED.get)
    st.selectbox("Correction or control", list(CONTROLS), key="control", format_func=CONTROLS.get, help=ABOUT_CONTROLS)
    if asked.correction.control == "shuffled":
        st.select_slider("Shuffle", range(10), key="shuffle")
    with st.expander("More settings"):
        _more(profile)
    if not asked.base.per_linear:
        st.text_input("Layers set by hand", key="hand", placeholder="3:0.55, 7:0.9", help=ABOUT_HAND)


def _opened() -> None:
    """Another method is chosen: one that goes up to what was measured opens without a correction, which goes beyond."""
    if METHODS[st.session_state["base"]].measured:
        st.session_state["strength"] = 0.0


def _more(profile: Profile) -> None:
    """What is seldom changed: the bounds, and what drives the correction."""
    for key, label in (("low", "Minimum"), ("high", "Maximum")):
        st.select_slider(f"{label} sparsity per layer", TARGETS, key=key, format_func=per_cent)
    said = lambda name: words.perturbation(profile.perturbations[name])  # noqa: E731
    st.selectbox("Correction driven by the gain of", list(profile.by_name), key="driver", format_func=said)
    st.select_slider("Cap gains at", list(CLIPS), key="clip", format_func=CLIPS.get)


def _parameter(asked: Parameter) -> None:
    key = asked.key or asked.name
    if asked.words:
        view.switch(asked.label, asked.words, key)
    else:
        st.select_slider(asked.label, asked.options, key=key, format_func="{:g}".format)


# --- the allocation in the URL: `owl m=5 lam=0.08:0.7` --------------------------------------------------------------


def _keys(method: type[Allocator]) -> dict[str, str]:
    """Field of an allocator -> key of its widget."""
    return {each.name: each.key or each.name for each in method.parameters()}


OF_CORRECTION = {each: "shuffle" if each == "seed" else each for each in Correction.model_fields}  # field -> key
BOUNDS = ("low", "high")


def _decoded(text: str) -> dict[str, object]:
    """An allocation as the grammar writes it -> its choices; of a correction, strength and what is said.

    Raises:
        UserError: it does not read so, or asks for numbers that keep no budget.
    """
    words, target = grammar.split(text)
    kind, given = grammar.parts(words)
    asked = grammar.built(kind, given, target)
    if asked.unclipped:
        raise UserError("the reference code's unclipped numbers are printed by `python -m core allocate` only")
    found = {"base": kind, "target": asked.target}
    found |= {key: getattr(asked.base, name) for name, key in _keys(METHODS[kind]).items()}
    found |= {key: getattr(asked, key) for key in BOUNDS}
    said = {"strength", *given}
    return found | {key: getattr(asked.correction, name) for name, key in OF_CORRECTION.items() if name in said}


def _encoded(chosen: Mapping[str, object]) -> str:
    """An allocation as the grammar writes it, from the choices."""
    kind = str(chosen["base"])
    keys = _keys(METHODS[kind]) | {key: key for key in BOUNDS} | OF_CORRECTION
    if chosen.get("control") != "shuffled":
        del keys["seed"]
    given = {name: chosen[key] for name, key in keys.items() if key in chosen}
    return grammar.write(grammar.built(kind, given, chosen["target"]))


OF_METHODS = [key for method in METHODS.values() for key in _keys(method).values()]
PARTS = ("base", "target", *BOUNDS, *OF_CORRECTION.values(), *OF_METHODS)
WORD = "allocation"
