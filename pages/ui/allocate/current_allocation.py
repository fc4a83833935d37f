"""The allocation itself: the live picture over strengths, layers set by hand, methods beside it, and its export."""

import json
import math
from functools import lru_cache

import streamlit as st

from core.base import UserError, duration, perplexity, plain, sentence
from core.methods import Manual, Treatment
from core.models import machine, run_cost
from core.plan.allocation import Allocation, allocate, linear_parameters
from core.requests import AllocationRequest, grammar
from core.requests.commands import line, request_of
from core.results import Anchors, Result, Slice, Study, anchor_studies, anchors, leaderboard
from core.show.figures import Chart
from core.show.figures import allocation as charts
from core.show.words import forecast, perplexity_sentences
from core.store import Profile, Store
from pages.ui import layout, studies, url_state, watch
from pages.ui.allocate import picture, settings


def in_view(request: AllocationRequest, by_hand: str, profile: Profile) -> Allocation:
    """An allocation with the layers set by hand, where those leave the others a way to the budget, which else is said.

    Args:
        by_hand: as typed.

    Raises:
        UserError: the settings cannot be met on this profile.
    """
    try:
        return allocated(request, profile, tuple(read_hand(by_hand, profile.layers).items()))
    except UserError as error:
        found = allocated(request, profile)
        layout.error(f"{error}; the layers set by hand are left out")
        return found


def read_hand(typed: str, layers: int) -> dict[int, float]:
    """Layer -> sparsity of `3:0.55, 7:0.9`.

    Raises:
        UserError: it does not read so, or there is no such layer.
    """
    try:
        pairs = (part.split(":") for part in typed.split(",") if part.strip())
        found = {int(layer): float(value) for layer, value in pairs}
    except ValueError:
        found = {layers: 0.0}
    if not all(0 <= layer < layers and 0 <= value < 1 for layer, value in found.items()):
        raise UserError(
            f"layers set by hand are written as in 3:0.55, 7:0.9, with layers 0 to {layers - 1} and sparsities from 0 "
            f"to below 1, not {typed!r}"
        )
    return found


@lru_cache(maxsize=2048)
def allocated(request: AllocationRequest, profile: Profile, held: tuple[tuple[int, float], ...] = ()) -> Allocation:
    """An allocation, computed once for all readers; with layers set by hand it is one of its own.

    Raises:
        UserError: as `allocate`, or these values leave the other layers no way to meet the budget.
    """
    found = allocate(request, profile)
    if not held:
        return found
    [now] = picture.by_hand(found.exact[None], found, dict(held), profile)
    base = Manual(sparsity=now.tolist())
    return allocate(AllocationRequest(base=base, target=request.target, low=request.low, high=request.high), profile)


def draw(
    request: AllocationRequest,
    by_hand: str,
    shown: Allocation,
    profile: Profile,
    found: Anchors | None,
    measured: Result | None,
) -> None:
    """Draw the live picture: the allocation at every strength, and what each is predicted to cost.

    Args:
        by_hand: layers set by hand, as typed.
        shown: the allocation in view, which keeps them where it can.
        found: what predicts; None: nothing does.
        measured: the setting of the allocation in view, which is not among that.
    """
    correction = request.correction
    still = request.replace(correction=correction.replace(strength=0.0))
    held = read_hand(by_hand, profile.layers) if shown.request.base.by_hand else {}
    sweep, bars = picture.drawn(still, tuple(held.items()), profile, found)
    if sweep.off:
        layout.warn(f"The correction is off: {sweep.off}")
    layout.live(bars, {"strength": sweep.frame(correction.strength, correction.control)})
    if found:
        told = {
            "Shaded: the interval.": bars.gauge,
            "Points were measured.": bars.gauge and bars.gauge.marks,
            f"This allocation was measured: {measured and perplexity(measured.perplexity)}.": measured,
            forecast.basis(found): True,
        }
        layout.caption(" ".join(said for said, known in told.items() if known))
        if more := None if measured else anchor_studies.narrower(found, shown.request, Store()):
            layout.caption(forecast.narrower(more), more.command)


def by_linear(shown: Allocation, profile: Profile) -> None:
    """Draw the sparsity, or the bits, of layers by linears."""
    names, counted = profile.provenance["linears"], shown.request.budget_unit
    chart = charts.bits(shown.exact, names, counted) if counted.levels else charts.linears(
        shown.exact, linear_parameters(profile), names, shown.bounds
    )  # fmt: skip
    layout.show(chart, profile.key[:6], "linears", brief=True)


# --- beside other methods ------------------------------------------------------------------------------------------

_ranking = lru_cache(leaderboard.Leaderboard.ranking)
corrected = lru_cache(perplexity_sentences.corrected)


def race(
    request: AllocationRequest,
    shown: Allocation,
    found: Anchors | None,
    treatment: Treatment,
    protocols: tuple[Study, ...],
    profile: Profile,
) -> None:
    """What each method costs, measured or else predicted, beside what it gives the layers; and the protocol once.

    Args:
        shown: the allocation on screen.
        found: what predicts, by one protocol; None: nothing does.
        protocols: the model's studies.
    """
    target, prefix = request.target, profile.key[:6]
    if found:
        study, part = found.study, Slice(treatment.pruner, None, target, treatment.repair)
    else:
        alike = lambda _, part: part.treatment == treatment  # noqa: E731
        study, part = leaderboard.where(protocols, target, treatment.name, alike) or (None, None)
    lanes, costs = _drawn(request.plain, shown, leaderboard.Leaderboard(profile, study, part, found))
    if study is None:
        layout.show(lanes, prefix, "lanes")
        return
    studies.badge(study)
    left, right = st.columns(2, gap="large")
    with left:
        layout.show(costs, prefix, "finish", brief=True)
    with right:
        layout.show(lanes, prefix, "lanes", brief=True)


@lru_cache
def _drawn(request: AllocationRequest, shown: Allocation, among: leaderboard.Leaderboard) -> tuple[Chart, Chart | None]:
    """What each method gives the layers and, where that is known, costs: drawn once for all readers."""
    every, study = [among.in_view("this allocation", shown.exact), *_ranking(among, request)], among.study
    dense = study.dense.perplexity if study and study.dense else math.nan
    return charts.lanes(every, request.target), charts.finish(every, dense) if study else None


# --- what can be done with it -----------------------------------------------------------------------------------------


def section(allocation: Allocation, request: AllocationRequest, profile: Profile) -> None:
    """The link to Prune, the command that prints the same numbers, and a file of them.

    Args:
        allocation: as on screen, with layers set by hand.
        request: as it was chosen.
    """
    layout.header("Export allocation")
    query = url_state.url() | {settings.WORD: grammar.write(request)}
    st.page_link("prune.py", label="Prune with this allocation", icon=":material/content_cut:", query_params=query)
    st.caption("This command prints the same numbers.")
    file = f"{profile.key[:6]}-allocation.json"
    asked = file if allocation.request.base.by_hand else allocation.request
    layout.command(line("allocate", profile=profile.key, allocation=asked, cache=Store().elsewhere))
    st.download_button("JSON", written(allocation, profile), file, "application/json", key="json", on_click="ignore")


def written(allocation: Allocation, profile: Profile) -> str:
    """An allocation as `--allocation FILE` reads it, and where it comes from."""
    told = {
        "profile": profile.key,
        "model": profile.provenance.get("model"),
        "request": allocation.request.model_dump(mode="json"),
        "budget": allocation.budget,
        "sparsity": allocation.exact.tolist(),
    }
    return json.dumps(told, indent=1)


def evaluate_anchors(why: UserError, treatment: Treatment, profile: Profile) -> None:
    """Why nothing is predicted and, where settings to learn from are missing, a button that evaluates them."""
    if not isinstance(why, anchors.TooFewAnchors):
        layout.note(sentence(why))
        return
    layout.note(f"Nothing is predicted for {treatment.spoken} yet: that takes four settings evaluated so.")
    device = machine.devices()[0]
    try:
        asked = anchor_studies.study(profile, treatment, request_of("anchors"))
        cost = run_cost.estimate(asked, Store(), device)
    except UserError:  # no such model here: said on Measure
        return
    label = f"Evaluate four settings{f', about {duration(cost.seconds)}' if cost else ''}"
    about = plain(f"{sentence(why)} {len(asked.points)} points on the demo text: {run_cost.words(cost)}")
    layout.button(label, watch.begin, [asked, device], icon=":material/play_arrow:", key="anchors", help=about)
