"""An allocation at every strength of its correction, with layers fixed by hand: the numbers behind a slider."""

from collections.abc import Mapping, Sequence

import numpy as np

from core.base import Array, UserError, frozen
from core.plan import prediction, responses
from core.plan.allocation import Allocation, family, layer_means
from core.plan.budget import Bounds, binding, shift_linears_to_means, with_fixed_layers
from core.store import Profile

THINNED = 10  # strengths from one point of a control to the next
SHUFFLES = 5  # of the shuffled control


@frozen
class Sweep:
    """An allocation at every strength of its correction, or of a control; below 0 the correction is reversed."""

    strengths: Sequence[float]
    control: str  # from 0 on
    rows: Array  # (strengths, layers) or (strengths, layers, linears), with the fixed layers
    free: Array  # the rows without them
    others: Sequence[tuple[str, Array]] = ()  # controls by label, at every `THINNED`th strength from 0 on
    off: str = ""  # the reason why there is no correction

    def frame(self, strength: float, control: str = "none") -> int:
        """Index of the nearest strength."""
        signed = -strength if control == "reversed" else strength
        return int(np.abs(np.array(self.strengths) - signed).argmin())


def sweep(
    allocation: Allocation,
    strengths: Sequence[float],
    profile: Profile,
    fixed: Mapping[int, float],
    controls: Mapping[str, str],
) -> Sweep:
    """The allocation at every strength of its correction, and of the controls beside it.

    Args:
        strengths: from 0 on; the correction is reversed at the same strengths below 0.
        fixed: layer -> sparsity set by hand, which leave the others a way to the budget.
        controls: label of each, of shuffles that of the first; the reversed correction is there in any case.
    """
    request, chosen = allocation.request, allocation.request.correction
    control = "none" if chosen.control == "reversed" else chosen.control
    steps = np.array(strengths)

    def rows_of(name, seed, at):
        return family(request.replace(correction=chosen.replace(control=name, seed=seed)), profile, at)

    def pinned(rows):
        return fix_layers(rows, allocation, fixed) if fixed else rows

    try:
        rows = np.concatenate([rows_of("reversed", 0, steps[:0:-1]), rows_of(control, chosen.seed, steps)])
        others = [
            ("" if seed else label, pinned(rows_of(name, seed, steps[::THINNED])))
            for name, label in controls.items()
            if name not in ("reversed", control)
            for seed in range(SHUFFLES if name == "shuffled" else 1)
        ]
    except UserError as error:  # without strength the base stands; only the correction lacks something
        rows = allocation.exact[None]
        return Sweep([0.0], control, pinned(rows), rows, off=str(error))
    return Sweep(np.concatenate([-steps[:0:-1], steps]).tolist(), control, pinned(rows), rows, others)


def fix_layers(rows: Array, allocation: Allocation, fixed: Mapping[int, float]) -> Array:
    """Allocations of one base with layers set by hand, shaped as they are.

    Args:
        rows: (rows, layers) or (rows, layers, linears).

    Raises:
        UserError: these values leave the other layers no way to the budget.
    """
    weights, bounds = allocation.parameters, allocation.bounds
    if rows.ndim == 3:
        rows = shift_linears_to_means(allocation.exact_base, weights, layer_means(rows, weights), bounds)
    return np.stack([with_fixed_layers(row, fixed, weights, allocation.request.target, bounds) for row in rows])


def bound_layers(rows: Array, bounds: Bounds) -> list[list[int]]:
    """Layers on a bound in each row, or with a linear there.

    Args:
        rows: (rows, layers) or (rows, layers, linears).
    """
    every = np.any(binding(rows, bounds).reshape(*rows.shape[:2], -1), axis=2)
    return [np.flatnonzero(each).tolist() for each in every]


def harm_curves(predictor: prediction.Predictor, profile: Profile, base: Array, weights: Array, bounds: Bounds) -> dict:
    """The forecast as numbers that a browser computes with: the harm of a layer at each mean of its linears.

    Args:
        base, weights: (layers, linears); a layer that has one sparsity counts as one linear.
    """
    curve = responses.of_profile(profile, responses.pruner_with_curves(profile))
    harm = curve.harm
    if base.shape[1] > 1:
        means = np.tile(curve.sparsity[:, None], len(base))
        shifted = np.clip(shift_linears_to_means(base, weights, means, bounds), *bounds)
        harm = responses.layer_harms(shifted, profile).T
    return vars(predictor) | {"sparsity": curve.sparsity, "harm": harm, "constants": prediction.CONSTANTS}
