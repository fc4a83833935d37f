"""Planning a budget over layers or linears, from a profile, in pure numpy: levels, solvers, correction, prediction."""

from core.plan.allocation import (
    Allocation,
    allocate,
    family,
    layer_means,
    limits,
    linear_parameters,
    same_allocation,
    spread_budget,
)
from core.plan.budget import TOLERANCE, Bounds, binding, project, share_spent, shift_linears_to_means, with_fixed_layers
from core.plan.evidence import Evidence
from core.plan.gains import (
    BAND,
    FEWEST_SEQUENCES,
    FLOOR_MARGIN,
    Gains,
    at_drift,
    averaged,
    below_floor,
    crossing,
    drift_curves,
    drift_left,
    gains_of,
    log_gain,
    per_layer,
    split_log_gain,
    student,
    tested,
    unreadable,
    verdicts_of,
)
from core.plan.prediction import Predictor, errors
from core.plan.responses import at_levels, is_sketched
from core.plan.sizes import (
    DENSE,
    MASKED,
    PATTERN,
    SMALLEST,
    check_bytes,
    outside_harm,
    taken,
    total,
    with_outside,
    with_target,
    within_bytes,
)
from core.plan.sketches import PAIRED, agreements, changes, correlation, inside_layers, neighbours, part_changes
from core.plan.solvers import Choices, check_finite, curves, hull, round_to_levels, solve, solve_levels
from core.plan.sweep import fix_layers
