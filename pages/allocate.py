"""How is a sparsity budget spread over layers? Live."""

import shlex
import subprocess
import sys

import numpy as np
import streamlit as st

from core import response
from core.allocation import recipes, requests
from core.allocation.allocate import Allocation, allocate, estimates, family, layer_parameters
from core.allocation.budget import Bounds, binding
from core.allocation.by_hand import pinned
from core.allocation.requests import AllocationRequest, Correction
from core.errors import UserError
from core.profiles import Profile
from core.results import Array
from core.store import HOME, Store
from pages.ui import charts, frame, hand, live, settings, undo, view, words

THIS = "this allocation"
SHUFFLES = range(5)
ADDITIVE = (
    "An additive estimate sums what pruning each layer alone was measured to do. It can rank allocations of one target "
    "and pruner; it cannot tell the real harm, for pruned layers also disturb one another."
)
KEYS = (
    "base", "target", "low", "high", "driver", "control", "shuffle", "clip", "strength", "hand", "judge",
    *(each.key or each.name for method in settings.METHODS.values() for each in method.parameters),
)  # fmt: skip


def judged(rows: Array, profile: Profile, request: AllocationRequest, objective: str) -> Array | None:
    """Additive estimates of allocations, (rows,); None where the profile holds too few residuals."""
    try:
        return estimates(rows, profile, objective, pruner_of(request))
    except UserError:
        return None


def pruner_of(request: AllocationRequest) -> str:
    """Whose one-layer responses an allocation is judged by."""
    return request.base.pruner if isinstance(request.base, requests.Response) else "wanda"


def by_hand(rows: Array, held: dict[int, float], allocation: Allocation) -> Array:
    """The allocations with the layers set by hand, (rows, layers).

    Raises:
        UserError: these values leave the other layers no way to meet the budget.
    """
    request = allocation.request
    bounds = Bounds(request.low, request.high)
    return np.stack([pinned(row, held, allocation.parameters, request.target, bounds) for row in rows])


def controls(request: AllocationRequest, profile: Profile) -> dict[str, Array]:
    """Name -> allocations of the correction and its controls at this strength, but for the one on screen."""
    asked = request.correction
    if not asked.strength:
        return {}
    found = {}
    for kind in settings.CONTROLS:
        seeds = SHUFFLES if kind == "shuffled" else (0,)
        each = [asked.model_copy(update={"control": kind, "seed": seed}) for seed in seeds]
        rows = [allocate(request.model_copy(update={"correction": one}), profile).sparsity for one in each]
        name = {"none": "the correction", "shuffled": f"control: {len(SHUFFLES)} shuffles"}.get(kind)
        if kind != asked.control:
            found[name or f"control: {kind}"] = np.stack(rows)
    return found


def of_methods(request: AllocationRequest, profile: Profile) -> dict[str, Array]:
    """Name -> sparsity of every base allocator for this budget: the chosen one as set, the others as published."""
    found = {}
    for kind, method in settings.METHODS.items():
        base = request.base if kind == request.base.kind else method.form()
        try:
            plain = request.model_copy(update={"base": base, "correction": Correction()})
            found[method.title] = allocate(plain, profile).sparsity
        except UserError:
            continue  # said beside the allocator when it is chosen
    return found


def prediction(request: AllocationRequest, allocation: Allocation, now: Array, profile: Profile, by: str) -> None:
    """The additive estimate of this allocation beside its base, its controls and uniform."""
    st.caption(ADDITIVE)
    rows = {THIS: now[None], "its base": allocation.base[None], **controls(request, profile)}
    rows["uniform"] = np.full((1, len(now)), request.target)
    points = []
    for name, sparsities in rows.items():
        found = judged(sparsities, profile, request, by)
        points.append(charts.Estimate(name, float(np.median(found)), float(found.min()), float(found.max())))
    if not np.isfinite([each.value for each in points]).any():
        largest = response.of_profile(profile, pruner_of(request), by).highest
        st.info(f"These allocations go beyond {largest:g}, the largest sparsity measured: measure a larger one.")
        return
    unit = f"{response.NAMES[by]}, curves from {words.PRUNERS[pruner_of(request)]}"
    frame.show(charts.estimates(points, THIS, unit, view.look()), prefix, "estimates")


def compared(request: AllocationRequest, now: Array, profile: Profile) -> None:
    """Methods on one axis, and how alike they rank the layers."""
    every = of_methods(request, profile)
    default = ",".join(every)
    picked = settings.text("methods", default, lambda text: set(filter(None, text.split(","))) <= set(every))
    st.session_state["methods-picked"] = list(filter(None, picked.split(",")))
    st.pills(
        "Compared with",
        list(every),
        selection_mode="multi",
        key="methods-picked",
        on_change=lambda: st.session_state.update(methods=",".join(st.session_state["methods-picked"])),
    )
    lines = {THIS: now, **{name: every[name] for name in every if name in picked.split(",")}}
    frame.show(charts.methods(lines, THIS, request.target, view.look()), prefix, "methods")
    with st.expander("How alike do they rank the layers?"):
        st.caption("Rank correlation (Spearman) of the sparsities; a flat allocation has none.")
        table = charts.agreement({**lines, **harm_alone(profile)})
        st.dataframe(table.round(2), alt="Rank correlation between the methods")


def harm_alone(profile: Profile) -> dict[str, Array]:
    """The ground truth to rank by: what pruning each layer alone does to the output, where it was measured."""
    name = next((each for each in ("residual:wanda:0.7", "residual:wanda:0.5") if each in profile.by_name), None)
    return {"harm alone (KL)": profile.seeds(name)[0].kl.mean(1)} if name else {}


def taken_along(allocation: Allocation, profile: Profile, by: str) -> None:
    """The command that makes the same, and files for other tools."""
    request = allocation.request
    line = ["python", "-m", "core", *recipes.arguments(request, profile.entry.key)]
    line += [] if Store().root.resolve() == HOME.resolve() else ["--cache", str(Store().root)]
    st.code(subprocess.list2cmdline(line) if sys.platform == "win32" else shlex.join(line), "bash", wrap_lines=True)
    found = judged(allocation.sparsity[None], profile, request, by)
    told = {by: None if found is None or np.isnan(found[0]) else float(found[0])}
    method = settings.METHODS[request.base.kind].title if request.base.kind in settings.METHODS else "set by hand"
    about = f"{words.source(profile)}: {method}, budget {allocation.budget:.6f}"
    with st.container(horizontal=True):
        download("JSON", recipes.as_json(allocation, profile, told), "allocation.json", "application/json")
        for pruner in ("Wanda", "SparseGPT"):
            modifier = {"Wanda": "WandaPruningModifier", "SparseGPT": "SparseGPTModifier"}[pruner]
            recipe = recipes.llm_compressor(allocation.sparsity, modifier, about)
            download(f"llm-compressor recipe, {pruner}", recipe, f"recipe-{pruner.lower()}.yaml", "application/yaml")


def download(label: str, content: str, file: str, mime: str) -> None:
    """A button for a file made of what is on screen."""
    st.download_button(label, content, f"{prefix}-{file}", mime, key=file, on_click="ignore")


def final(allocation: Allocation, now: Array, held: dict[int, float]) -> Allocation:
    """What is on screen as one allocation; layers set by hand make all of it manual."""
    if not held:
        return allocation
    old = allocation.request
    request = AllocationRequest(
        base=requests.Manual(sparsity=tuple(now.tolist())), target=old.target, low=old.low, high=old.high
    )
    return Allocation(request, now, now, allocation.parameters, binding(now, Bounds(old.low, old.high)))


profile = view.profile()
view.heading("How is a budget spread over layers?", profile)
prefix = profile.entry.key[:6]
try:
    layer_parameters(profile)
except UserError as error:
    st.error(str(error))
    st.stop()

left, right = st.columns([1, 2], gap="large")
with left:
    request = settings.request(profile)
    held = hand.chosen(profile.layers)
    by = view.sync("judge", list(settings.OBJECTIVES), "drift")
    undo.remember(KEYS, profile.entry.key)
    undo.button()

with right:
    try:
        allocation = allocate(request, profile)
        rows = family(request, profile, np.array(settings.STRENGTHS))
    except UserError as error:
        st.error(str(error))
        st.stop()
    try:
        rows = by_hand(rows, held, allocation)
        now = by_hand(allocation.sparsity[None], held, allocation)[0]
    except UserError as error:
        st.error(f"{error}. Until then the layers set by hand are left out.")
        now, held_now = allocation.sparsity, {}
    else:
        held_now = held
    others = np.stack([allocation.base, np.full(profile.layers, request.target)])
    against = judged(others, profile, request, by)
    live.strength(
        live.Family(
            strengths=settings.STRENGTHS,
            base=allocation.base,
            rows=rows,
            parameters=allocation.parameters,
            target=request.target,
            bounds=Bounds(request.low, request.high),
            hand=held_now,
            estimates=judged(rows, profile, request, by),
            against={} if against is None else dict(zip(("base", "uniform"), against.tolist(), strict=True)),
            unit=response.NAMES[by],
        ),
        request.correction.strength,
    )
    st.caption(settings.WHOSE)
    if against is None:
        st.subheader("What it is estimated to cost", anchor=False)
        try:
            response.measured(profile, pruner_of(request), by)
        except UserError as error:
            st.info(str(error))
    else:
        view.switch("Harm by", settings.OBJECTIVES, "judge")
        prediction(request, allocation, now, profile, by)

compared(request, now, profile)

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Set single layers by hand", anchor=False)
    st.caption("The other layers move together, so that the budget is kept.")
    hand.editor(allocation, now, held)
with right:
    st.subheader("Take it along", anchor=False)
    st.caption("This command prints the same numbers.")
    taken_along(final(allocation, now, held_now), profile, by)
