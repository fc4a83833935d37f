"""ALPS (Meng et al., arXiv 2406.07831): the mask and the remaining weights, solved together."""

import warnings
from collections.abc import Callable
from functools import partial

from core.methods.refit import damped, solved
from core.methods.selection import Pattern, Tensor, Warn, least_of_all

ROUNDS = 300  # at most
RESTARTS = 5  # at most: where even a weak pull moves no weight, the mask is what it was
EVERY = 3  # rounds: how often the mask is looked at
PENALTY = 0.1  # at the start
GROWTH = ((0.1, 1.3), (0.005, 1.2), (0.0, 1.1))  # a change of the mask above so much of what stays: times so much
SETTLED = 0.0003  # of what stays: a smaller change ends it after so many rounds
SETTLING = 30
POLISH, CLOSE = 10, 1e-4  # rounds on the mask that was found, and the residual that is enough


def alps(
    weight: Tensor, second_moment: Tensor, sparsity: float, pattern: Pattern | None = None, warn: Warn = warnings.warn
) -> Tensor:
    """Solve least squares over weights with a given number of zeros, split into a dense and a sparse copy (ADMM).

    The dense copy fits the outputs, the sparse one is its greatest entries over the whole linear, and a penalty that
    grows as the mask settles pulls the two together; then the weights that stay are solved for. Columns are scaled to a
    unit diagonal of the damped second moment. One eigendecomposition in float64 serves every penalty; the rest is in
    float32 whatever the dtype of the weight.

    Where the reference code differs: it lets the penalty shrink without end while the mask stands still at the start,
    here that is tried five times.

    Args:
        weight: (out, in).
        second_moment: (in, in) sum of x x^T over the calibration tokens; a common factor cancels.
        sparsity: fraction of zeros, in [0, 1): `int(numel * sparsity)` of them.
        pattern: N kept of M in every row instead, which is its own sparsity.
        warn: told when the splitting diverges and is tried again with more damping.

    Returns:
        A pruned and solved copy, (out, in), in the dtype of the weight.

    Raises:
        UserError: the inputs make no whole groups of the pattern.
        Broken: it diverges with the largest damping too.
    """
    import torch

    if not pattern and not int(weight.numel() * sparsity):
        return weight.clone()
    dense = weight.to(torch.float32, memory_format=torch.contiguous_format)
    mean = second_moment.diagonal().mean()
    mean = mean.where(mean > 0, 1.0)  # of inputs that are never used

    gone = partial(least_of_all, sparsity=sparsity, pattern=pattern)

    def attempt(share):
        scale = (second_moment.diagonal() + share * mean).sqrt()
        sparse = _split(dense * scale, *_scaled(second_moment, share * mean, scale), gone)
        mask = ~gone(sparse.abs())
        return solved(dense, sparse / scale * mask, mask, second_moment, share * mean, POLISH, CLOSE)

    hopeless = "the splitting diverges by the second moment of the inputs"
    return damped(attempt, "the splitting diverged", hopeless, warn).to(weight.dtype)


def _scaled(second_moment: Tensor, damping: Tensor, scale: Tensor) -> tuple[Tensor, Callable[[float], Tensor]]:
    """The damped second moment A, scaled to a unit diagonal, and `(A + penalty I)^-1` of a penalty; both (in, in)."""
    import torch

    matrix = (second_moment + damping * torch.eye(len(scale), device=scale.device)) / torch.outer(scale, scale)
    exact = matrix.cpu() if scale.device.type == "mps" else matrix  # which has no float64
    values, vectors = (each.float().to(scale.device) for each in torch.linalg.eigh(exact.double()))
    return matrix, lambda penalty: (vectors / (values + penalty)) @ vectors.T


def _split(
    dense: Tensor, moment: Tensor, inverted: Callable[[float], Tensor], gone: Callable[[Tensor], Tensor]
) -> Tensor:
    """The sparse copy once the mask has settled, (out, in).

    Args:
        dense: scaled.
        moment, inverted: as `_scaled` gives them.
    """
    import torch

    fitted = dense @ moment
    first = dense.masked_fill(gone(dense.abs()), 0)
    sparse, price, penalty, restarts, began = first, torch.zeros_like(dense), PENALTY, 0, False
    inverse, before = inverted(penalty), first != 0
    stay = max(int(before.sum()), 1)  # a linear of zeros alone keeps none
    for done in range(1, ROUNDS + 1):
        near = (fitted - price + penalty * sparse) @ inverse
        wanted = near + price / penalty
        sparse = wanted.masked_fill(gone(wanted.abs()), 0)
        price = price + penalty * (near - sparse)
        if done % EVERY:
            continue
        after = sparse != 0
        change, before = int((after ^ before).sum()) / stay, after
        if change:
            began = True
            penalty *= next(growth for least_change, growth in GROWTH if change > least_change)
        elif began or restarts == RESTARTS:
            break
        else:
            sparse, price, penalty, restarts = first, torch.zeros_like(dense), penalty / 5, restarts + 1
        if began and done > SETTLING and change < SETTLED:
            break
        inverse = inverted(penalty)
    return sparse
