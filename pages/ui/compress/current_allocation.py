"""The allocation in view: live picture over strengths, layers set by hand, other methods beside it, and export."""

import math
from contextlib import suppress
from functools import lru_cache

from core.base import UserError, duration, escape_markdown, sentence
from core.jobs import cost
from core.methods import Manual, Treatment
from core.models import machine
from core.plan import Allocation, allocate, fix_layers, linear_parameters, responses
from core.requests import AllocationRequest, MeasureRequest, StudyRequest, request_of
from core.results import Forecast, Result, Slice, Study, candidates, leaderboard, stored_forecasts
from core.show.figures import Chart, maps, perplexity
from core.show.words import study_lines
from core.store import Profile, Store
from pages.ui import current_profile, layout, studies, watch
from pages.ui.compress import picture


def in_view(request: AllocationRequest, by_hand: str, profile: Profile) -> Allocation:
    """The allocation with layers set by hand; without them, and with an error drawn, where the budget cannot be met.

    Args:
        by_hand: as typed.

    Raises:
        UserError: the settings cannot be met on this profile.
    """
    try:
        return allocated(request, profile, tuple(read_hand(by_hand, profile.layers).items()))
    except UserError as error:
        allocation = allocated(request, profile)
        layout.error(f"{error}; the layers set by hand are left out")
        return allocation


def read_hand(typed: str, layers: int) -> dict[int, float]:
    """Layer -> sparsity of `3:0.55, 7:0.9`.

    Raises:
        UserError: it does not read so, or there is no such layer.
    """
    try:
        pairs = (part.split(":") for part in typed.split(",") if part.strip())
        by_layer = {int(layer): float(value) for layer, value in pairs}
    except ValueError:
        by_layer = {layers: 0.0}
    if not all(0 <= layer < layers and 0 <= value < 1 for layer, value in by_layer.items()):
        raise UserError(
            f"layers set by hand are written as in 3:0.55, 7:0.9, with layers 0 to {layers - 1} and sparsities from 0 "
            f"to below 1, not {typed!r}"
        )
    return by_layer


@lru_cache(maxsize=2048)
def allocated(request: AllocationRequest, profile: Profile, fixed: tuple[tuple[int, float], ...] = ()) -> Allocation:
    """An allocation, computed once for all readers; layers set by hand make a manual allocation of it.

    Raises:
        UserError: as `allocate`, or these values leave the other layers no way to meet the budget.
    """
    allocation = allocate(request, profile)
    if not fixed:
        return allocation
    [now] = fix_layers(allocation.exact[None], allocation, dict(fixed))
    base = Manual(sparsity=now.tolist())
    return allocate(AllocationRequest(base=base, target=request.target, low=request.low, high=request.high), profile)


def draw(
    request: AllocationRequest,
    by_hand: str,
    allocation: Allocation,
    profile: Profile,
    forecast: Forecast | None,
    measured: Result | None,
) -> None:
    """Draw the live picture: the allocation at every strength, and what each is predicted to cost.

    Args:
        by_hand: layers set by hand, as typed.
        allocation: the allocation in view, which keeps them where it can.
        forecast: what predicts; None: nothing does.
        measured: the setting of the allocation in view, which is not among that.
    """
    correction = request.correction
    still = request.replace(correction=correction.replace(strength=0.0))
    fixed = read_hand(by_hand, profile.layers) if allocation.request.base.by_hand else {}
    own = measured and (correction.strength, correction.control, measured.perplexity)
    sweep, bars = picture.drawn(still, tuple(fixed.items()), profile, forecast, own)
    if sweep.off:
        layout.warn(f"The correction is off: {sweep.off}")
    layout.live(bars, {"strength": sweep.frame(correction.strength, correction.control)})
    if forecast:
        others = measured and study_lines.interval(*forecast.predict(allocation.exact, allocation.request.outside)[:3])
        sentences = {
            f"The other settings predict {others}.": measured,
            "Shaded: the interval.": bars.gauge,
            "Points were measured.": bars.gauge and bars.gauge.marks,
            study_lines.basis(forecast): True,
        }
        layout.caption(" ".join(said for said, known in sentences.items() if known))


def next_words(allocation: Allocation, forecast: Forecast) -> None:
    """Draw the predicted divergence and share of next words that change, where the anchors tell them."""
    with suppress(UserError):  # a layer beyond what was measured: said above
        if words := study_lines.next_words(forecast.predict(allocation.exact, allocation.request.outside)):
            layout.caption(words)


def by_linear(allocation: Allocation, profile: Profile) -> None:
    """Draw the sparsity, or the bits, of layers by linears."""
    names, unit = profile.provenance["linears"], allocation.request.budget_unit
    chart = maps.linears(allocation.exact, linear_parameters(profile), names, unit)
    layout.show(chart, profile.key[:6], "linears", brief=True)
    if origin := responses.source(profile, allocation.request.base):
        layout.caption(origin)


# --- beside other methods ------------------------------------------------------------------------------------------

_ranking = lru_cache(leaderboard.Leaderboard.ranking)


def race(
    request: AllocationRequest,
    allocation: Allocation,
    forecast: Forecast | None,
    treatment: Treatment,
    protocols: tuple[Study, ...],
    profile: Profile,
) -> None:
    """Draw the cost of each method, measured or else predicted, and its protocol; nothing where neither is.

    Args:
        allocation: the allocation on screen.
        forecast: what predicts, by one protocol; None: nothing does.
        protocols: the model's studies.
    """
    if forecast:
        study, part = forecast.study, Slice(treatment, None, request.target)
    else:
        alike = lambda _, part: part.treatment == treatment  # noqa: E731
        study, part = leaderboard.place_at(protocols, request.target, treatment.name, alike) or (None, None)
    if study:
        studies.badge(study)
        among = leaderboard.Leaderboard(profile, study, part, forecast)
        layout.show(_costs(request.uncorrected, allocation, among), profile.key[:6], "finish")


@lru_cache
def _costs(request: AllocationRequest, allocation: Allocation, among: leaderboard.Leaderboard) -> Chart:
    """Chart of the cost of each method; built once for all readers."""
    every, dense = [among.in_view("this allocation", allocation.exact), *_ranking(among, request)], among.study.dense
    return perplexity.perplexity_by_method(every, dense.perplexity if dense else math.nan)


# --- what a prediction lacks ------------------------------------------------------------------------------------------


def evaluate_anchors(why: UserError, treatment: Treatment, profile: Profile) -> None:
    """Say why nothing is predicted; if anchors are missing, offer a button that evaluates them."""
    if not isinstance(why, stored_forecasts.TooFewAnchors):
        _measure_rest(why, profile)
        return
    layout.note(f"Nothing is predicted for {treatment.spoken} yet: that takes four settings evaluated so.")
    try:
        request = candidates.anchor_study(profile, treatment, request_of("anchors"))
    except UserError:  # no such model here: said on Measure
        return
    points = f"{len(request.points)} points on the demo text"
    _offer("Evaluate four settings", request, f"{sentence(why)} {points}", "anchors")


def _measure_rest(why: UserError, profile: Profile) -> None:
    """Say why the profile predicts nothing, and offer to measure what it lacks: the sketch of every linear."""
    layout.note("Too little was measured to predict a cost." if profile.sketch is None else sentence(why))
    if profile.sketch is None:
        with suppress(UserError):  # it does not say where its model lies
            request = current_profile.request_again(profile).replace(sketch=True)
            _offer("Measure the rest", request, sentence(why), "rest")


def _offer(label: str, request: MeasureRequest | StudyRequest, about: str, key: str) -> None:
    """Draw a button that runs a request, with its minutes; nothing where its model is not here."""
    device = machine.devices()[0]
    try:
        expected = cost.estimate(request, Store(), device)
    except UserError:
        return
    label += f", about {duration(expected.seconds)}" if expected and expected.seconds else ""
    words = escape_markdown(f"{about}: {cost.words(expected)}".removeprefix(": "))
    layout.button(label, watch.begin, [request, device], icon=":material/play_arrow:", key=key, help=words)
