"""Parts of the allocate page: an allocation beside its base, its controls and other methods, and what to take along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core import figures
from core.allocation.budget import Bounds, binding
from core.allocation.by_hand import pinned
from core.allocation.estimates import estimates, judge_of
from core.allocation.spread import Allocation, allocate, bounds_of, exact_family, layer_means, linear_parameters
from core.analysis import responses
from core.analysis.responses import Judge
from core.export import recipes
from core.figures import labels
from core.figures.allocation import unclipped
from core.figures.linears import linears
from core.specs import EACH, MeasureRequest, ResidualLinear, UserError, WindowRequest, measurements
from core.specs.allocations import BASE_LABELS, AllocationRequest, Correction, Manual
from core.specs.commands import Allocating, command_line
from core.specs.formats import capital, ranges
from core.specs.pruners import PRUNERS, TREATMENT_LABELS
from core.specs.typed import absolute
from core.store.cache import Store
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, live, view
from pages.ui.allocate import hand, settings

THIS = "this allocation"
FREE = "all layers as computed"
ALONE = "harm alone"
COST = "additive estimate"
BRIEF = {THIS: "this", ALONE: "harm", COST: "estimate"}  # headings that fit into narrow columns
FORMS = {THIS: "%.2f", ALONE: "%.2f", COST: "%.3g"}
SHUFFLES = range(5)
OF_CONTROLS = {"none": "the correction", "shuffled": f"median of {len(SHUFFLES)} shuffles", "ramp": "ramp control"}
ADDITIVE = (
    "An additive estimate sums what pruning each layer alone was measured to do. It can rank allocations of one target "
    "and pruner; it cannot tell the real harm, for pruned layers also disturb one another."
)
ABOUT_RANKS = (
    "Spearman's rank correlation over layers, with this allocation and with the harm alone; a flat one has none. Harm "
    "alone is the divergence when one layer is pruned and no other: a method that spares the layers that matter ranks "
    "opposite to it, near -1. The estimate is the additive one, chosen above; lower is better."
)
OF_LINEARS = (
    "Here each linear was pruned alone, so this sum compares with other sums over linears only: those over layers, of "
    "one budget per layer, are other numbers."
)
NO_HAND = "Setting layers by hand is off: here each linear has a budget of its own, and a layer has no single number."
NO_PRUNING = (
    "Unclipped numbers are for comparison: turn the switch off to prune with an allocation that keeps its budget."
)
MEASURED_ALONE = (0.5, 0.7, 0.9)
HARM_ALONE = ("residual:wanda:0.7", "residual:wanda:0.5")


def judged(rows: Array, profile: Profile, judge: Judge) -> Array | None:
    """Additive estimates of allocations, (rows,); None where the profile holds too few residuals.

    Args:
        rows: (rows, layers) or (rows, layers, linears).
    """
    try:
        return estimates(rows, profile, judge.harm, judge.pruner)
    except UserError:
        return None


def held_by_hand(rows: Array, held: Mapping[int, float], allocation: Allocation) -> Array:
    """The allocations with the layers set by hand, (rows, layers).

    Raises:
        UserError: these values leave the other layers no way to meet the budget, or each linear has its own.
    """
    if not held:
        return rows
    if allocation.linears is not None:
        raise UserError("a layer cannot be set by hand where each linear has a budget of its own")
    request = allocation.request
    bounds = Bounds(request.low, request.high)
    return np.stack([pinned(row, held, allocation.parameters, request.target, bounds) for row in rows])


def as_manual(allocation: Allocation, now: Array) -> Allocation:
    """What is on screen, with layers set by hand, as an allocation of its own."""
    old = allocation.request
    request = AllocationRequest(
        base=Manual(sparsity=tuple(now.tolist())), target=old.target, low=old.low, high=old.high
    )
    bounds = Bounds(old.low, old.high)
    return Allocation(request, now, now, allocation.parameters, binding(now, bounds), bounds)


# --- the allocation itself -----------------------------------------------------------------------------------------


def dragged(
    allocation: Allocation, held: Mapping[int, float], profile: Profile, judge: Judge
) -> tuple[Array, Mapping[int, float]]:
    """The live chart: the allocation at every strength, estimates beside it.

    Returns:
        What is on screen, as exact as a pruner is told, and the layers set by hand that it keeps.
    """
    request = allocation.request
    strengths = settings.STRENGTHS
    try:
        rows = exact_family(request, profile, np.array(strengths))
    except UserError as error:  # without strength the base stands; only the correction lacks something
        st.warning(f"No correction: {error}.")
        strengths, rows = [0.0], allocation.exact[None]
    try:
        rows, kept = held_by_hand(rows, held, allocation), held
    except UserError as error:
        st.error(f"{error}; until then the layers set by hand are left out")
        kept = {}
    against = others(allocation, kept, profile, judge)
    if against:
        settings.judge_switches(allocation.request, profile)
    per_linear = allocation.linears is not None
    view.write()
    live.strength(
        live.Family(
            strengths=strengths,
            base=allocation.base,
            rows=layer_means(rows, linear_parameters(profile)) if per_linear else rows,
            parameters=allocation.parameters,
            target=request.target,
            bound=on_bounds(rows, strengths, request, profile),
            highest=bounds_of(request, profile, 0).high if request.base.measured else None,
            hand=kept,
            estimates=judged(rows, profile, judge),
            against=against,
            unit=responses.NAMES[judge.harm],
        ),
        request.correction.strength,
        frame.go_on if frame.is_first_paint() else None,
    )
    if frame.is_first_paint():
        view.end()
    now = rows[strengths.index(request.correction.strength)]
    return now, kept


def on_bounds(rows: Array, strengths: Sequence[float], request: AllocationRequest, profile: Profile) -> Array:
    """Which layers sit on a bound at each strength, or have a linear there, (strengths, layers)."""
    bounds = (bounds_of(request, profile, strength) for strength in strengths)
    found = np.stack([binding(row, each) for row, each in zip(rows, bounds, strict=True)])
    return found.reshape(*found.shape[:2], -1).any(-1)


def others(allocation: Allocation, held: Mapping[int, float], profile: Profile, judge: Judge) -> dict[str, float]:
    """Additive estimates of the base, with the same layers set by hand, and of uniform; none where none are known."""
    base = allocation.exact_base[None]
    rows = np.concatenate([held_by_hand(base, held, allocation), np.full_like(base, allocation.request.target)])
    found = judged(rows, profile, judge)
    names = ("base with the same layers by hand" if held else "base", "uniform")
    return {} if found is None else dict(zip(names, found.tolist(), strict=True))


def cost_of_hand(allocation: Allocation, now: Array, held: Mapping[int, float], profile: Profile, judge: Judge) -> str:
    """The additive estimate of what is on screen, beside the same with no layer set by hand; empty without one."""
    found = judged(np.stack([now, allocation.exact]), profile, judge)
    if found is None:
        return ""
    mine, free = map(live.estimated, found)
    return f"Additive estimate: **{mine}**" + (f"; with no layer set by hand: {free}." if held else ".")


def loose(allocation: Allocation, prefix: str) -> None:
    """The numbers of the reference code, and what they really spend."""
    target = allocation.request.target
    frame.show(unclipped(allocation.sparsity, allocation.parameters, target, view.look()), prefix, "loose")


def by_linear(now: Array, request: AllocationRequest, profile: Profile, prefix: str) -> None:
    """Layers by linears, (layers, linears)."""
    names = profile.provenance["linears"]
    bounds = bounds_of(request, profile, request.correction.strength)
    frame.show(linears(now, linear_parameters(profile), names, bounds, view.look()), prefix, "linears")


def to_measure(request: AllocationRequest, profile: Profile) -> None:
    """The command that measures what a budget per linear looks at, where the profile lacks it."""
    if not request.base.per_linear:
        return
    try:
        responses.measured_linears(profile, request.base.pruner, request.base.objective)
    except UserError:
        st.caption("This command measures each linear alone, and what this profile holds where it is not stored yet.")
        st.code(measuring(profile, request.base.pruner), None, wrap_lines=True)


def measuring(profile: Profile, pruner: str) -> str:
    """`python -m core measure ...`: everything that the profile holds, and each linear pruned alone."""
    told, text = profile.provenance, profile.spec.text
    alone = [ResidualLinear(pruner=pruner, sparsity=sparsity, linear=EACH) for sparsity in MEASURED_ALONE]
    request = MeasureRequest(
        model=absolute(str(told.get("model_source", "demo"))),
        revision=told.get("revision"),
        dtype=profile.spec.model.dtype,
        text=WindowRequest(
            source=absolute(str(told.get("text_source", "demo"))),
            documents=told.get("documents"),
            sequences=text.sequences,
            length=text.length,
            bos=text.bos,
        ),
        measurements=measurements([*profile.perturbations.values(), *alone]),
    )
    return command_line(request, "auto", Store().elsewhere)


# --- prediction ----------------------------------------------------------------------------------------------------


def estimated(
    allocation: Allocation, now: Array, held: Mapping[int, float], profile: Profile, judge: Judge, prefix: str
) -> None:
    """The additive estimate, or what to measure for one."""
    if judged(now[None], profile, judge) is not None:
        prediction(allocation, now, held, profile, judge, prefix)
        return
    st.header("What it is estimated to cost", anchor=False)
    try:
        estimates(now[None], profile, judge.harm, judge.pruner)
    except UserError as error:
        st.info(str(error))


def prediction(
    allocation: Allocation, now: Array, held: Mapping[int, float], profile: Profile, judge: Judge, prefix: str
) -> None:
    """The additive estimate of this allocation beside its base, its controls and uniform.

    Layers set by hand are set in the base and the controls too: else the hand would look like the correction.

    Args:
        now: (layers,) or (layers, linears) on screen.
        held: the layers set by hand that it keeps.
    """
    request = allocation.request
    rows = {THIS: now[None]}
    if not request.unclipped:  # else it is its own base
        alike = {"its base": allocation.exact_base[None], **controls(request, profile)}
        rows |= {name: held_by_hand(each, held, allocation) for name, each in alike.items()}
    rows |= {FREE: allocation.exact[None]} if held else {}
    rows["uniform"] = np.full_like(now, request.target)[None]
    points = []
    for name, sparsities in rows.items():
        found = judged(sparsities, profile, judge)
        points.append(figures.Estimate(name, float(np.median(found)), float(found.min()), float(found.max())))
    per_linear = allocation.linears is not None
    if not np.isfinite([each.value for each in points]).any():
        curves = responses.of_linears if per_linear else responses.of_profile
        largest = curves(profile, judge.pruner, judge.harm).highest
        st.info(f"These allocations go beyond {largest:g}, the largest sparsity measured: measure a larger one.")
        return
    alone = " on each linear" if per_linear else ""
    unit = f"{responses.NAMES[judge.harm]}, curves from {TREATMENT_LABELS[judge.pruner]}{alone}"
    frame.show(figures.estimates(points, THIS, unit, view.look()), prefix, "estimates")
    said = [ADDITIVE, *([OF_LINEARS] if per_linear else []), *([same_by_hand(held)] if held else [])]
    st.caption(" ".join(said))


def same_by_hand(held: Mapping[int, float]) -> str:
    """Which of the compared allocations keep the layers set by hand."""
    some = f"layer{'s' if len(held) > 1 else ''} {ranges(sorted(held))}"
    return f"All but {FREE!r} and uniform keep {some} as set by hand, so that what else differs can be told."


def controls(request: AllocationRequest, profile: Profile) -> dict[str, Array]:
    """Name -> allocations of the correction and its controls at this strength, but the one shown.

    Each (rows, layers), or (rows, layers, linears).
    """
    asked = request.correction
    if not asked.strength:
        return {}
    found = {}
    for kind in settings.CONTROLS:
        if kind == asked.control:
            continue
        seeds = SHUFFLES if kind == "shuffled" else (0,)
        each = [asked.model_copy(update={"control": kind, "seed": seed}) for seed in seeds]
        rows = [allocate(request.model_copy(update={"correction": one}), profile).exact for one in each]
        found[OF_CONTROLS.get(kind, kind)] = np.stack(rows)
    return found


# --- methods side by side ------------------------------------------------------------------------------------------


def compared(request: AllocationRequest, now: Array, profile: Profile, judge: Judge, prefix: str) -> None:
    """Methods on one axis, how alike they rank the layers, and what each is estimated to cost."""
    every = of_methods(request, profile)
    slot = st.container()
    picked = pick(list(every))
    left, right = slot.columns(2, gap="large")
    lines = {THIS: now, **{name: every[name] for name in picked}}
    with left:
        frame.show(figures.methods(lines, THIS, request.target, view.look()), prefix, "compared")
    with right:
        st.header("Do they rank alike?", anchor=False)
        harm = harm_alone(profile)
        table = figures.agreement({**lines, **harm}).round(2)
        narrow = table.reindex(index=list(lines), columns=[each for each in (THIS, *harm) if each in table])
        if not request.base.per_linear:  # a sum over linears is another number
            narrow[COST] = judged(np.stack(list(lines.values())), profile, judge)
        small = {name: st.column_config.NumberColumn(BRIEF[name], width="small", format=FORMS[name]) for name in narrow}
        said = "Rank correlation of each method with this allocation and with the harm alone, and its additive estimate"
        frame.show_table(narrow, said, small, hide_index=False)
        st.caption(" ".join([ABOUT_RANKS, *beyond(narrow, profile, judge)]))
    with st.expander("Rank correlation of every pair"):
        frame.show_table(table, "Rank correlation between all methods", hide_index=False)


def beyond(table: pd.DataFrame, profile: Profile, judge: Judge) -> list[str]:
    """Why some methods have no estimate beside others that have one."""
    if COST not in table or table[COST].isna().all():
        return []
    lacking = list(table.index[table[COST].isna()])
    largest = responses.of_profile(profile, judge.pruner, judge.harm).highest
    why = f"no estimate, for a layer goes beyond {largest:g}, the largest sparsity measured."
    some = " and ".join(filter(None, [", ".join(lacking[:-1]), *lacking[-1:]]))
    return [f"{capital(some)} {'have' if len(lacking) > 1 else 'has'} {why}"] if lacking else []


def pick(names: list[str]) -> list[str]:
    """Which methods are drawn; in the URL as one text."""
    picked = view.several("methods", names, names)
    st.pills("Compared with", names, selection_mode="multi", key="methods")
    return picked


def of_methods(request: AllocationRequest, profile: Profile) -> dict[str, Array]:
    """Name -> (layers,) of every base allocator for this budget: the chosen one as set, the others as published."""
    found = {}
    for kind, method in settings.METHODS.items():
        base = request.base if kind == request.base.kind else method()
        try:
            plain = request.model_copy(update={"base": base, "correction": Correction()})
            found[BASE_LABELS[kind]] = allocate(plain, profile).sparsity
        except UserError:
            continue  # said beside the allocator when it is chosen
    return found


def harm_alone(profile: Profile) -> dict[str, Array]:
    """What pruning each layer alone does to the output, (layers,), where it was measured."""
    name = next((each for each in HARM_ALONE if each in profile.by_name), None)
    return {ALONE: profile.seeds(name)[0].kl.mean(1)} if name else {}


# --- to take along -------------------------------------------------------------------------------------------------


def taken_along(allocation: Allocation, profile: Profile, judge: Judge, prefix: str) -> None:
    """The command that makes the same, and files for other tools."""
    request = allocation.request
    st.code(command(request, profile, judge), None, wrap_lines=True)
    found = judged(allocation.exact[None], profile, judge)
    told = {judge.harm: None if found is None or np.isnan(found[0]) else float(found[0]), "pruner": judge.pruner}
    about = f"{labels.source(profile)}: {BASE_LABELS[request.base.kind]}, budget {allocation.budget:.6f}"
    with st.container(horizontal=True):
        _download("JSON", recipes.as_json(allocation, profile, told), f"{prefix}-allocation.json", "application/json")
        if request.unclipped:
            return
        names = profile.provenance.get("linears", []) if allocation.linears is not None else []
        for pruner, row in PRUNERS.items():
            if row.modifier:
                recipe = recipes.llm_compressor(allocation.exact, row.modifier, about, names)
                file = f"{prefix}-recipe-{pruner}.yaml"
                _download(f"llm-compressor recipe, {row.label}", recipe, file, "application/yaml")


def on_to_prune(request: AllocationRequest) -> None:
    """The way to the page that prunes with the allocation in view."""
    if request.unclipped:
        st.caption(NO_PRUNING)
        return
    link = view.url()
    if not hand.allowed(request):
        link.pop("hand", None)
    st.page_link("prune.py", label="Prune with this allocation", icon=":material/content_cut:", query_params=link)


def command(request: AllocationRequest, profile: Profile, judge: Judge) -> str:
    """`python -m core allocate ...` that prints the same numbers, the estimate of this harm among them."""
    other = None if judge.pruner == judge_of(request, profile) else judge.pruner
    asked = Allocating(profile=profile.entry.key, allocation=request, judge=judge.harm, judge_pruner=other)
    return command_line(asked, cache=Store().elsewhere)


def _download(label: str, content: str, file: str, mime: str) -> None:
    st.download_button(label, content, file, mime, key=f"download-{label}", on_click="ignore")
