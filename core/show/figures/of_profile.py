"""From a profile in view to each chart of the table: what is looked up, and what to measure where it lacks."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import numpy as np

from core.base.errors import UserError
from core.kinds.treatments import Treatment
from core.plan.gains import gains_of
from core.results import precision, propagation
from core.show.figures import drift, gain, labels, overlay, why
from core.show.figures import matrix as maps
from core.show.figures import sizes as turning
from core.show.figures.in_view import PRUNED, REPAIRED, InView
from core.show.figures.style import Chart
from core.store.profiles import Profile


def curves(asked: InView) -> Chart:
    """Drift over the read layers, of every injection layer."""
    return drift.curves(asked.seeds, asked.layer, asked.look)


def matrix(asked: InView) -> Chart:
    """Drift left at every read layer, of every injection layer."""
    return maps.heatmap(asked.seeds, asked.profile.floor.drift, asked.layer, asked.look)


def gains(asked: InView) -> Chart:
    """Gains at every strength of the perturbation; beside another profile's, where one that holds it is compared."""
    profile, name = asked.profile, asked.name
    if asked.twin and name in asked.twin.by_name:
        return overlay.of_profiles([profile, asked.twin], name, asked.statistic, asked.look)
    names = labels.family(profile, name)
    lines = [
        gain.line(escape(profile.perturbations[each].short), profile.seeds(each), asked.statistic) for each in names
    ]
    finding = precision.finding(asked.profile, asked.name)
    return gain.gains(lines, names.index(name), asked.layer, finding, look=asked.look)


def sizes(asked: InView) -> Chart:
    """Gain over size and layer of gaussian noise, at the positions in view where two sizes are measured there."""
    positions = getattr(asked.profile.perturbations[asked.name], "positions", "after_first")
    here, usual = asked.profile.noise(positions), asked.profile.noise()
    found = here if len(here) > 1 else usual
    if len(found) < 2:
        raise UserError(
            "measure gaussian noise at two or more sizes (for instance 0.03 and 0.3) to see where absorption begins"
        )
    lines = [gain.line(name, asked.profile.seeds(name), asked.statistic) for name in found.values()]
    return turning.size_map(list(found), lines, asked.layer, asked.look)


def dilution(asked: InView) -> Chart:
    """How much of the gain is growth of the stream."""
    return why.dilution(asked.seeds, asked.profile.activation, asked.layer, asked.look)


def direction(asked: InView) -> Chart:
    """How far the damage turns out of the stream's direction."""
    return drift.direction(asked.seeds, asked.layer, asked.look)


def harm(asked: InView) -> Chart:
    """What the output suffers, beside the drift."""
    return why.harm(asked.seeds, asked.layer, asked.look)


def matched(asked: InView) -> Chart:
    """Real pruning against gaussian noise of the same measured drift."""
    profile = asked.profile
    found = profile.noise()
    residuals = [name for name, each in profile.perturbations.items() if each.prunes == "layer"]
    if len(found) < 2 or not residuals:
        raise UserError("measure gaussian noise at two or more sizes, and residual:wanda:0.7, to compare them")
    real = next((each for each in (asked.name, PRUNED) if each in residuals), residuals[0])
    noise = [gains_of(profile.seeds(each)) for each in found.values()]
    target = gains_of(profile.seeds(real)).drift
    logs = propagation.at_drift(target, np.array([n.drift for n in noise]), np.log([n.value for n in noise]))
    unknown = np.full(profile.layers, np.nan)
    lines = (
        gain.line("pruning", profile.seeds(real)),
        gain.Line("noise", np.exp(logs), unknown, unknown, *[("not tested",) * profile.layers] * 2),
    )
    between = f"{profile.perturbations[real].label}: a lower gain than noise of the same measured drift"
    return gain.compared(*lines, asked.layer, "Noise against real pruning", between, asked.look)


def repaired(asked: InView) -> Chart:
    """The damage of pruning a layer with its repair against the same without it, at one sparsity."""
    profile = asked.profile
    pairs = _repaired(profile)
    if not pairs:
        raise UserError(f"measure {' and '.join(REPAIRED)} to see what a repair changes")
    found = (pair for name in (asked.name, PRUNED) for pair in pairs if name in pair)
    plain, mended = next(found, pairs[0])
    before, after = (gains_of(profile.seeds(name)) for name in (plain, mended))
    size = float(np.nanmedian(after.drift / before.drift))
    between = f"{profile.perturbations[mended].label}: a lower gain than without the repair"
    lines = gain.line("repaired", profile.seeds(mended)), gain.line("pruned", profile.seeds(plain))
    chart = gain.compared(*lines, asked.layer, "Repaired damage against damage", between, asked.look)
    said = f"{chart.finding} Where it arises, the repaired damage is {labels.times(size)} as large in the median layer."
    return replace(chart, finding=said)


def _repaired(profile: Profile) -> list[tuple[str, str]]:
    """Names of each pruning of a layer that was measured without and with a repair."""
    layers = {name: each for name, each in profile.perturbations.items() if each.prunes == "layer"}
    return [
        (plain, mended)
        for plain, one in layers.items()
        for mended, other in layers.items()
        if other.treatment.repair
        and (one.treatment, one.sparsity) == (Treatment(other.treatment.pruner), other.sparsity)
    ]
