"""Estimates of an allocation, folded away: beside its controls, beside other methods, against what was measured."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import capital, listed, ranges, sentence
from core.kinds.treatments import TREATMENT_LABELS
from core.plan import responses
from core.plan.estimates import estimates
from core.plan.responses import Judge
from core.plan.spread import Allocation, allocate
from core.results.leaderboard import Runner
from core.show import figures
from core.store.profiles import Profile
from core.store.results import Array
from pages.ui import frame, view
from pages.ui.allocate import racing, settings
from pages.ui.allocate.spread import held_by_hand, judged

THIS = "this allocation"
FREE = "all layers as computed"
ALONE = "harm alone"
COST = "estimated harm"
BRIEF = {THIS: "this", ALONE: "harm", COST: "estimate"}  # headings that fit into narrow columns
FORMS = {THIS: "%.2f", ALONE: "%.2f", COST: "%.3g"}
SHUFFLES = range(5)
OF_CONTROLS = {"none": "the correction", "shuffled": f"median of {len(SHUFFLES)} shuffles", "ramp": "ramp control"}
ADDITIVE = (
    "The estimate adds up what pruning each layer alone was measured to do. It can rank allocations of one target and "
    "pruner, but it is not the harm of pruning all layers at once: pruned layers disturb one another."
)
ABOUT_RANKS = (
    "Spearman's rank correlation over layers, with this allocation and with the harm of pruning each layer alone. A "
    "method that spares the layers that matter ranks opposite to that harm, near -1; a flat one has no rank. Lower "
    "estimates are better."
)
OF_LINEARS = "This sum is over linears pruned alone; it does not compare with sums over layers."
HARM_ALONE = ("residual:wanda:0.7", "residual:wanda:0.5")


def section(
    allocation: Allocation,
    now: Array,
    means: Array,
    kept: Mapping[int, float],
    runners: list[Runner],
    profile: Profile,
    judge: Judge,
    prefix: str,
) -> None:
    """All estimates, drawn once they are opened.

    Args:
        now: (layers,) or (layers, linears) on screen.
        means: (layers,) of it.
        kept: the layers set by hand that it keeps.
    """
    opened = view.sync("estimates", [False, True], False)
    with st.expander("Estimates, where nothing was measured", key="estimates", on_change="rerun"):
        if not opened:
            return
        settings.judge_switches(allocation.request, profile)
        estimated(allocation, now, kept, profile, judge, prefix)
        ranked(allocation.request, means, runners, profile, judge)
        racing.trust(profile, allocation.request, now, judge, prefix)


def estimated(
    allocation: Allocation, now: Array, held: Mapping[int, float], profile: Profile, judge: Judge, prefix: str
) -> None:
    """The additive estimate, or what to measure for one."""
    if judged(now[None], profile, judge) is not None:
        prediction(allocation, now, held, profile, judge, prefix)
        return
    st.header("What is this allocation estimated to cost?", anchor=False)
    try:
        estimates(now[None], profile, judge.harm, judge.pruner)
    except UserError as error:
        st.info(plain(sentence(error)))


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
        alike = {"without correction": allocation.exact_base[None], **controls(request, profile)}
        rows |= {name: held_by_hand(each, held, allocation) for name, each in alike.items()}
    rows |= {FREE: allocation.exact[None]} if held else {}
    rows["uniform"] = np.full_like(now, request.target)[None]
    points = []
    for name, sparsities in rows.items():
        found = judged(sparsities, profile, judge)
        points.append(figures.Estimate(name, float(np.median(found)), float(found.min()), float(found.max())))
    per_linear = allocation.linears is not None
    if not np.isfinite([each.value for each in points]).any():
        largest = responses.of_profile(profile, judge.pruner, judge.harm, per_linear).highest
        st.info(f"These allocations go beyond {largest:g}, the largest sparsity measured. Measure a larger one.")
        return
    alone = " on each linear" if per_linear else ""
    unit = f"{responses.NAMES[judge.harm]}, curves from {TREATMENT_LABELS[judge.pruner]}{alone}"
    frame.show(figures.estimates(points, THIS, unit, view.look()), prefix, "additive")
    said = [ADDITIVE, *([OF_LINEARS] if per_linear else []), *([same_by_hand(held)] if held else [])]
    st.caption(" ".join(said))


def same_by_hand(held: Mapping[int, float]) -> str:
    """Which of the compared allocations keep the layers set by hand."""
    some = f"layer{'s' if len(held) > 1 else ''} {ranges(sorted(held))}"
    return f"All but {FREE!r} and uniform keep {some} as set by hand, so that only the rest differs."


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


def ranked(request: AllocationRequest, now: Array, runners: list[Runner], profile: Profile, judge: Judge) -> None:
    """How alike the methods rank the layers, and what each is estimated to cost.

    Args:
        now: (layers,) on screen.
    """
    st.header("Do the methods rank layers alike?", anchor=False)
    lines = {THIS: now, **{each.name: each.sparsity for each in runners if not each.of_linears}}
    harm = harm_alone(profile)
    table = figures.agreement({**lines, **harm}).round(2)
    narrow = table.reindex(index=list(lines), columns=[each for each in (THIS, *harm) if each in table])
    if not request.base.per_linear:  # a sum over linears is another number
        narrow[COST] = judged(np.stack(list(lines.values())), profile, judge)
    small = {name: st.column_config.NumberColumn(BRIEF[name], width="small", format=FORMS[name]) for name in narrow}
    said = "Rank correlation of each method with this allocation and with the harm alone, and its estimated harm"
    frame.show_table(narrow, said, small, hide_index=False)
    st.caption(" ".join([ABOUT_RANKS, *beyond(narrow, profile, judge)]))
    st.markdown("**Rank correlation of every pair**")
    frame.show_table(table, "Rank correlation between all methods", hide_index=False)


def beyond(table: pd.DataFrame, profile: Profile, judge: Judge) -> list[str]:
    """Why some methods have no estimate beside others that have one."""
    if COST not in table or table[COST].isna().all():
        return []
    lacking = list(table.index[table[COST].isna()])
    largest = responses.of_profile(profile, judge.pruner, judge.harm).highest
    why = f"no estimate: a layer goes beyond {largest:g}, the largest sparsity measured."
    return [f"{capital(listed(lacking))} {'have' if len(lacking) > 1 else 'has'} {why}"] if lacking else []


def harm_alone(profile: Profile) -> dict[str, Array]:
    """What pruning each layer alone does to the output, (layers,), where it was measured."""
    name = next((each for each in HARM_ALONE if each in profile.by_name), None)
    return {ALONE: profile.seeds(name)[0].kl.mean(1)} if name else {}
