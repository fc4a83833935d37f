"""Widgets of an allocation request, kept equal to the URL, where the allocation is one parameter."""

import math
from collections.abc import Mapping
from contextlib import nullcontext, suppress

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.base import UserError, per_cent
from core.methods import (
    BASE_LABELS,
    CHAINS,
    HALF,
    METHODS,
    NO_REPAIR,
    REPAIRS,
    UNITS,
    ZEROS,
    Allocator,
    BudgetUnit,
    Parameter,
    Treatment,
    default_pruner,
    pruners_counting,
    steps,
)
from core.plan import responses
from core.requests import DEFAULT_METHOD as OPENING
from core.requests import AllocationRequest, Correction, grammar
from core.results import candidates
from core.show import words
from core.store import Profile
from pages.ui import choices, form

STRENGTHS = steps(0, 0.1, 0.001)
TARGETS = steps(0, 0.95, 0.01)
REPAIRED = {NO_REPAIR: NO_REPAIR} | CHAINS
CONTROLS = {
    "none": "as planned",
    "reversed": "control: reversed",
    "shuffled": "control: random order",
    "ramp": "control: by depth",
}
LEVEL_CONTROLS = 3  # of them, for whole levels: a ramp has none between
STEP = 0.1  # bits a weight between targets
THREE_BITS, A_FIFTH = 1 - 3 / HALF, 0.2  # the share that is saved at the first target shown, of bits and of layers
OPTIONS = {
    **dict.fromkeys(("target", "low", "high"), TARGETS),
    "strength": STRENGTHS,
    "control": tuple(CONTROLS),
    "clip": tuple(map(math.log, (1.5, 2, 3, 5, 100))),
}
ABOUT_CONTROLS = (
    "Reversed protects the layers that absorb instead; shuffled gives the same shifts to other layers; ramp is a "
    "straight line over depth of the same width. If a control does as well, the correction is not what helps."
)
ABOUT_CURRENCY = (
    "Zeros: weights that go. Layers: those that are left out. Else how many bits each linear gets. The slider is then "
    "the size of all weights in megabytes. The page takes a profile that measured it, where one is here."
)
ORIGIN = (
    "From the paper: a coefficient of each layer, measured by perturbing it, shifts an existing allocation. We know "
    "these details only from secondary sources: the coefficient as a mean of ratios, its cap at 3×, and the centred "
    "shift, which protects layers that amplify. Ours: the geometric mean instead of the mean of ratios, the noise that "
    "drives it and its tokens, the strength, and how the budget is restored."
)
ABOUT_REPAIRS = " ".join(row.about for row in REPAIRS.values())
ABOUT_HAND = (
    "A layer and its mean sparsity, several with commas. The others move together, so that the budget is kept; the "
    "linears of a layer keep their differences as far as the bounds allow."
)

# The allocation in the URL is one word, `owl m=5 lam=0.08:0.7`. What has no widget is said there: bounds, the cap of
# gains, which shuffle.
WORD = "allocation"
OWN = [each for method in METHODS.values() for each in method.parameters()]
KEYS = {each.name: each.key for each in OWN if each.key} | {"seed": "shuffle"}  # of the state, where not the name
NAMES = ("base", "currency", "target", "low", "high", *Correction.model_fields, *(each.name for each in OWN))
PARTS = [KEYS.get(name, name) for name in NAMES]


def read(profile: Profile, drawn: bool = True) -> AllocationRequest:
    """The request of the chosen allocation; the allocator checks that its budget can be met.

    Args:
        drawn: `draw` follows.
    """

    def chosen(name, options, usual):
        return choices.sync(KEYS.get(name, name), list(options), usual, drawn=drawn)

    choices.unfold(WORD, PARTS, _decoded)
    measured = (each for each in UNITS.values() for fine in (True, False) if responses.pruners(profile, fine, each))
    measured_units = (
        each.name for each in measured if not each.of_layers
    )  # every profile tells what leaving one out harms
    unit = UNITS[chosen("currency", UNITS, next(measured_units, ZEROS.name))]
    per_linear = default_pruner(unit) in responses.pruners(profile, True, unit)
    kind = chosen("base", METHODS, "response" if per_linear or unit.levels else OPENING)
    names, usual, options = list(profile.by_name), AllocationRequest(), OPTIONS
    own, rest = candidates.default_method(METHODS[kind], profile, unit), dict(usual) | dict(usual.correction)
    if unit.levels:
        options = {"target": amounts(profile, unit), "control": list(CONTROLS)[:LEVEL_CONTROLS]}
        first = THREE_BITS if unit.bits else A_FIFTH
        rest["target"] = min(options["target"], key=lambda share: abs(share - first))
    fields = {each.name: chosen(each.name, each.options, getattr(own, each.name)) for each in parameters(own, unit)}
    fields |= {name: chosen(name, steps, rest[name]) for name, steps in options.items()}
    if unit.levels:
        fields["currency"] = unit.name
    else:
        fields["driver"] = chosen("driver", names, rest["driver"] if rest["driver"] in names else names[0])
    if fields["control"] == "shuffled":
        fields["seed"] = chosen("seed", range(10), rest["seed"])
    request = grammar.build(kind, fields, fields.pop("target"))
    choices.fold(WORD, PARTS, grammar.write(request))
    return request


def parameters(method: Allocator | type[Allocator], unit: BudgetUnit) -> list[Parameter]:
    """Parameters with a widget: a unit with levels uses the default quantiser's curves; layers are left out whole."""
    fixed = ["pruner"] * bool(unit.levels) + ["granularity"] * (unit.of_layers)
    return [each for each in method.parameters() if each.name not in fixed]


def amounts(profile: Profile, unit: BudgetUnit) -> list[float]:
    """Targets from the most that is saved to the least, at every tenth of a bit, or every layer up to half of them."""
    if unit.of_layers:
        return [gone / profile.layers for gone in range(profile.layers // 2, 0, -1)]
    shares = unit.shares
    for per_linear in (True, False):
        with suppress(UserError):
            shares = responses.at_levels(profile, default_pruner(unit), "kl", per_linear)[0]
    low, high = (HALF * (1 - shares[end]) for end in (-1, 0))
    tenths = (round(each * STEP, 1) for each in range(math.ceil(low / STEP), math.floor(high / STEP) + 1))
    return [1 - each / HALF for each in sorted({low, high, *tenths})]


def treatment(unit: BudgetUnit) -> Treatment:
    """Draw pruner and repair, the same in all parts of Compress; what rounds is not repaired."""
    left, right = st.columns(2)
    pruner = form.choice("Pruner", pruners_counting(unit), "by", default_pruner(unit), left)
    if unit.levels:
        return Treatment(pruner)
    repair = form.choice("Repair", REPAIRED, "repair", NO_REPAIR, right, help=ABOUT_REPAIRS)
    return Treatment(pruner, None if repair == NO_REPAIR else repair)


def draw(request: AllocationRequest, profile: Profile, more: DeltaGenerator) -> None:
    """Draw the widgets of an allocation; target and strength are dragged in live pictures instead.

    Args:
        more: where those stand that are rarely moved.
    """
    method = METHODS[request.base.kind]
    st.selectbox("Method", list(METHODS), key="base", format_func=BASE_LABELS.get, help=method.caption)
    for each in parameters(method, request.budget_unit):
        key = KEYS.get(each.name, each.name)
        with more if each.quiet else nullcontext():
            if isinstance(each.options, dict):
                form.segments(each.label, each.options, key)
            else:
                st.select_slider(each.label, each.options, key=key, format_func="{:g}".format)
    more.selectbox("Budget is in", list(UNITS), key="currency", help=ABOUT_CURRENCY)
    controls, labels = list(CONTROLS)[: LEVEL_CONTROLS if request.budget_unit.levels else None], CONTROLS.get
    more.selectbox("Plan or control", controls, key="control", format_func=labels, help=ABOUT_CONTROLS)
    if request.budget_unit.levels:
        return
    drivers = {name: words.perturbation(each) for name, each in profile.perturbations.items()}
    about = {"format_func": drivers.get, "help": ORIGIN}
    more.selectbox("Correction driven by the gain of", list(drivers), key="driver", **about)
    more.select_slider("Maximum sparsity per layer", TARGETS, key="high", format_func=per_cent)
    more.text_input("Fix a layer, e.g. 3 at 55 %", key="hand", placeholder="3:0.55, 7:0.9", help=ABOUT_HAND)


def _decoded(text: str) -> Mapping[str, object]:
    """Choices by key of an allocation as the grammar writes it; of a correction, its strength and fields written out.

    Raises:
        UserError: it does not read so, or asks for numbers that keep no budget.
    """
    kind, fields, target = grammar.parse(text)
    request = grammar.build(kind, fields, target)
    if request.unclipped:
        raise UserError("the reference code's unclipped numbers are printed by `python -m core allocate` only")
    values = request.base.model_dump() | dict(request.correction) | dict(request) | {"base": kind}
    own = (each.name for each in METHODS[kind].parameters())
    named = {"base", "currency", "target", "low", "high", "strength", *fields, *own}
    return {KEYS.get(name, name): values[name] for name in named}
