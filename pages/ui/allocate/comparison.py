"""An allocation beside other methods: what each gives the layers, was measured to cost, and is estimated to cost."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import streamlit as st

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds.treatments import TREATMENT_LABELS, USUAL
from core.plan import responses
from core.plan.estimates import estimates
from core.plan.responses import Judge
from core.plan.spread import Allocation, allocate
from core.results import leaderboard, protocols
from core.results.evaluations import Slice
from core.results.leaderboard import Contender
from core.results.protocols import Place
from core.show import figures
from core.show.figures import allocation as race
from core.show.figures import estimate
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, studies, view
from pages.ui.allocate import settings
from pages.ui.allocate.spread import judged, pinned_rows

THIS = "this allocation"
ALONE = "harm alone"
COST = "estimated harm"
SHUFFLES = range(5)
OF_CONTROLS = {"none": "the correction", "shuffled": f"median of {len(SHUFFLES)} shuffles", "ramp": "ramp control"}
ADDITIVE = (
    "The estimate adds up what pruning each layer alone was measured to do. It can rank allocations of one target and "
    "pruner, but it is not the harm of pruning all layers at once: pruned layers disturb one another. Layers set by "
    "hand are set in all but uniform."
)
ABOUT_RANKS = (
    "Spearman's rank correlation over layers, with this allocation and with the harm of pruning each layer alone. A "
    "method that spares the layers that matter ranks opposite to that harm, near -1; a flat one has no rank. Lower "
    "estimates are better; there is none beyond the largest sparsity measured."
)
OF_LINEARS = "This sum is over linears pruned alone; it does not compare with sums over layers."
HARM_ALONE = ("residual:wanda:0.7", "residual:wanda:0.5")
TRUST = "Estimate against measured"
FEWEST = 3  # allocations a rank correlation needs
LACKING = (
    f"There are no measurements to compare the estimate with yet: evaluate {FEWEST} or more allocations of one target "
    "and pruner on the Prune page."
)


def place(profile: Profile, target: float, pruner: str) -> Place | None:
    """The protocol and slice in which the methods were measured at a target; None where they were not."""
    return leaderboard.where(studies.groups(profile).values(), target, pruner)


def corrected(request: AllocationRequest, profile: Profile, pruner: str) -> str:
    """What the correction was measured to do, in whichever protocol it was tried on what is most like this base."""
    return leaderboard.corrected(studies.groups(profile).values(), request, pruner)


def measured(
    request: AllocationRequest,
    now: Array,
    contenders: list[Contender],
    found: Place | None,
    profile: Profile,
    prefix: str,
) -> None:
    """What each method was measured to cost beside what it gives the layers, and the protocol once.

    Args:
        now: (layers,) or (layers, linears) on screen.
    """
    look, target = view.look(), request.target
    name = f"{THIS}: {naming.allocation(request)}"
    this = leaderboard.in_view(name, now, profile, *(found or (None, None)))
    lanes = race.lanes([this, *contenders], target, look)
    if found is None:
        st.header("Which layers does each method prune more?", anchor=False)
        groups = studies.groups(profile).values()
        anything, said = Slice(USUAL, None, target), plain(leaderboard.at(groups, target))
        studies.lacking(said, "", "Methods were measured", anything, None, groups, lambda *_: True)
        frame.show(lanes, prefix, "lanes", brief=True)
        return
    dense = found[0].dense.perplexity if found[0].dense else math.nan
    st.header(plain(leaderboard.winner(contenders, target)), anchor=False)
    left, right = st.columns(2, gap="large")
    with left:
        frame.show(race.finish([this, *contenders], dense, look), prefix, "finish", brief=True)
    with right:
        frame.show(lanes, prefix, "lanes", brief=True)
    studies.badge(found[0])


def estimated(
    allocation: Allocation,
    now: Array,
    means: Array,
    held: Mapping[int, float],
    contenders: list[Contender],
    profile: Profile,
    judge: Judge,
    prefix: str,
) -> None:
    """All estimates, drawn once they are opened.

    Args:
        now: (layers,) or (layers, linears) on screen.
        means: (layers,) of it.
        held: the layers set by hand that it keeps.
    """
    opened = view.sync("estimates", [False, True], False)
    with st.expander("Estimates, where nothing was measured", key="estimates", on_change="rerun"):
        if opened:
            settings.judge_switch()
            _controlled(allocation, now, held, profile, judge, prefix)
            _ranked(allocation.request, means, contenders, profile, judge)
            _trust(profile, allocation.request, now, judge, prefix)


def _controlled(
    allocation: Allocation, now: Array, held: Mapping[int, float], profile: Profile, judge: Judge, prefix: str
) -> None:
    """The additive estimate of this allocation beside its base, its controls and uniform, or what it lacks.

    Layers set by hand are set in the base and the controls too: else the hand would look like the correction.
    """
    request, per_linear = allocation.request, allocation.linears is not None
    alike = {"without correction": allocation.exact_base[None], **controls(request, profile)}
    rows = {THIS: now[None]} | {name: pinned_rows(each, held, allocation) for name, each in alike.items()}
    rows["uniform"] = np.full_like(now, request.target)[None]
    try:
        found = {name: estimates(each, profile, judge.harm, judge.pruner) for name, each in rows.items()}
    except UserError as error:
        st.header("What is this allocation estimated to cost?", anchor=False)
        st.info(plain(sentence(error)))
        return
    points = [
        figures.Estimate(name, float(np.median(each)), float(each.min()), float(each.max()))
        for name, each in found.items()
    ]
    if not np.isfinite([each.value for each in points]).any():
        largest = responses.of_profile(profile, judge.pruner, judge.harm, per_linear).highest
        st.info(f"These allocations go beyond {largest:g}, the largest sparsity measured. Measure a larger one.")
        return
    alone = " on each linear" if per_linear else ""
    unit = f"{responses.NAMES[judge.harm]}, curves from {TREATMENT_LABELS[judge.pruner]}{alone}"
    frame.show(figures.estimates(points, THIS, unit, view.look()), prefix, "additive")
    st.caption(f"{ADDITIVE} {OF_LINEARS}" if per_linear else ADDITIVE)


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


def _ranked(
    request: AllocationRequest, means: Array, contenders: list[Contender], profile: Profile, judge: Judge
) -> None:
    """How alike the methods rank the layers, and what each is estimated to cost."""
    st.header("Do the methods rank layers alike?", anchor=False)
    lines = {THIS: means, **{each.name: each.sparsity for each in contenders if not each.of_linears}}
    harm = harm_alone(profile)
    table = figures.agreement({**lines, **harm}).round(2)
    table = table.reindex(index=list(lines), columns=[each for each in (THIS, *harm) if each in table])
    if not request.base.per_linear:  # a sum over linears is another number
        table[COST] = judged(np.stack(list(lines.values())), profile, judge)
    said = "Rank correlation of each method with this allocation and with the harm alone, and its estimated harm"
    frame.show_table(table, said, hide_index=False)
    st.caption(ABOUT_RANKS)


def harm_alone(profile: Profile) -> dict[str, Array]:
    """What pruning each layer alone does to the output, (layers,), where it was measured."""
    name = next((each for each in HARM_ALONE if each in profile.by_name), None)
    return {ALONE: profile.seeds(name)[0].kl.mean(1)} if name else {}


def _trust(profile: Profile, request: AllocationRequest, now: Array, judge: Judge, prefix: str) -> None:
    """The additive estimate against the measured loss where all pages look first; a sentence without enough."""
    place, lacking = protocols.place(studies.groups(profile).values(), request.target, judge.pruner), LACKING
    if place and sum(each.finite for each in place.settings) >= FEWEST:
        mine = now if abs(place.part.target - request.target) < 1e-9 else None
        try:
            chart = estimate.trust(*place, profile, judge.harm, mine, view.look())
        except UserError as error:
            lacking = f"The estimate cannot be compared with measurements: {error}."
        else:
            frame.show(chart, prefix, "trust")
            st.caption(plain(protocols.badge(place.evaluations)))
            return
    st.header(TRUST, anchor=False)
    st.caption(plain(lacking))
