"""Chapters 5 and 6: spread a sparsity budget by absorption or against it; the harm of each layer pruned alone."""

from dataclasses import replace

from core.base import UserError, digits, per_cent, perplexity
from core.methods import DEFAULT_PRUNER, Owl, Treatment
from core.requests import AllocationRequest, Correction, grammar
from core.show.figures import axes
from core.show.lessons import damage, guesses
from core.show.lessons import shared as lessons
from core.show.words import study_lines
from core.store import Array, Profile
from pages.ui import current_profile, studies, tour
from pages.ui.compress import picture
from pages.ui.live.figure import Slot, fixed, written

START = 0.04
SAYS = "Layers lose [{low}](layers) to [{high}](layers) of their weights."
PREDICTED = " Predicted perplexity: [{cost}](gauge)."
LEAD = (
    "{} Here is a **budget** of {} zeros. **OWL** spares layers with many outliers; the **correction** then takes more "
    "from layers that absorb and spares those that amplify. **Try:** drag its strength; to the left of the middle it "
    "does the opposite."
)
ALONE = "Pruned alone to {} zeros, a typical layer does {} nats of harm. How much does it do at {}?"
OPENING = (
    "Pruning sets weights to zero. Prune one layer, leave the others alone, and measure the **harm**: how far the "
    "predictions move from those of the unpruned model. **Try:** drag the sparsity, and click layers to compare."
)


def allocate(profile: Profile) -> tour.Screen:
    """OWL's allocation under a correction that is dragged either way, with the predicted perplexity below."""
    forecast, _ = studies.forecast_of(studies.groups(profile), profile, Treatment(DEFAULT_PRUNER))
    request = AllocationRequest(base=Owl(), target=lessons.TARGET, correction=Correction(driver=lessons.DRIVER))
    swept, figure = picture.drawn(request, (), profile, forecast)
    if swept.off:
        raise UserError(swept.off)
    [slider] = figure.controls
    stops = dict(zip(map("{:g}".format, swept.strengths), slider.stops, strict=True))
    push = tour.control("push", picture.STRENGTH, stops, f"{START:g}", marks=slider.marks, spoken=slider.spoken)
    corrected = request.replace(correction=request.correction.replace(**slider.values[push.index]))
    # without "hand" what was last chosen there would stay
    link = tour.link("tune", "Tune it with every method", profile, allocation=grammar.write(corrected), hand="")
    costs = forecast and forecast.perplexities(swept.rows).value
    sentence, gauge, middle = damage.obvious(costs), figure.gauge, len(swept.rows) // 2
    figure = replace(
        figure,
        name="allocate",
        title="Sparsity per layer, base and corrected, with the predicted perplexity",
        finding=lessons.plain(sentence),
        controls=[push],
        gauge=gauge and replace(gauge, points=[middle, 2 * middle], height=96),
        hand=None,
        hero=None,
        idle="",
        says=SAYS + PREDICTED * bool(forecast),
        slots=figure.slots | _told(swept.rows, costs),
        height=136,
        first=False,
        lead=LEAD.format(sentence, lessons.ref(per_cent(request.target), lessons.FOOT)),
        notes=[*map(fixed, filter(None, [damage.unpredicted(costs), forecast and study_lines.basis(forecast)]))],
    )
    return tour.Screen(figure, [link], guesses.reverse(costs) if damage.is_predicted(costs) else None)


def _told(rows: Array, costs: Array | None) -> dict[str, Slot]:
    """Words for the least and most pruned layer at every strength, and for the predicted perplexity."""
    ends = {"low": rows.min(1), "high": rows.max(1)}
    words = {name: Slot([per_cent(share, 1) for share in shares]) for name, shares in ends.items()}
    return words if costs is None else words | {"cost": Slot([perplexity(each) for each in costs])}


def prune(profile: Profile) -> tour.Screen:
    """The measured harm of each layer pruned alone, under a slider of sparsity."""
    lesson, layer = damage.prune(profile), current_profile.layer(profile)
    zeros = tour.slider("zeros", "Share of zeros", lesson.strengths, lesson.at, per_cent)
    label, residual = "See drift beside harm on Model", f"residual:wanda:{lesson.strengths[zeros.index]:g}"
    link = tour.link("absorption", label, profile, perturbation=residual, layer=layer)
    ranks = [[damage.rank(row, each) for each in range(len(row))] for row in lesson.values]
    figure = tour.bars(
        lesson,
        layer,
        zeros,
        "Layer pruned",
        "layer {layer}, pruned alone",
        "another layer, pruned alone",
        name="prune",
        title="Harm of each layer pruned alone",
        says="Pruned alone to [{zeros}](control-zeros) zeros, layer [{layer}](layer-{layer}) does "
        "[{harm}](layer-{layer}) nats of harm and ranks [{rank}](layer-{layer}).",
        slots={"zeros": Slot(zeros.stops), "harm": written(digits, lesson.values), "rank": Slot(ranks, "both")},
        y=[axes.linear_axis("harm, nats of KL divergence", 0, 1.05 * row.max()) for row in lesson.values],
        x="layer that is pruned",
        lead=OPENING,
    )
    guess = guesses.in_proportion(ALONE, lesson, per_cent, digits)
    return tour.Screen(figure, [link], guess)
