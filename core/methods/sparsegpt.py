"""SparseGPT (Frantar & Alistarh, arXiv 2301.00774): the remaining weights make up for the removed ones."""

import warnings
from collections.abc import Iterator

from core.methods.refit import damped
from core.methods.selection import Pattern, Tensor, Warn, least, least_of_groups

BLOCK = 128  # columns decided on at once
STRIP = 16  # columns whose neighbours are updated one by one


def sparsegpt(
    weight: Tensor, second_moment: Tensor, sparsity: float, pattern: Pattern | None = None, warn: Warn = warnings.warn
) -> Tensor:
    """Prune columns from left to right; after each, the columns to its right make up for its output error.

    In every block of 128 columns the weights of least `w^2 / U_jj^2` go, over all rows together, so that rows may
    differ; U is the upper Cholesky factor of the inverse second moment. The blocks' counts add up to
    `int(numel * sparsity)`. The algebra is in float32 whatever the dtype of the weight.

    Where the reference code differs: it cuts at a threshold in every block, so that ties go too and the total is a
    little off. It zeroes every column whose input is always 0; here such weights are the first of their block to go,
    and those beyond the count stay as they are. Both give the same outputs on the calibration tokens.

    Args:
        weight: (out, in).
        second_moment: (in, in) sum of x x^T over the calibration tokens. A common factor cancels where every input is
            used; else the 1 that stands for unused ones counts in the mean that damps.
        sparsity: fraction of zeros, in [0, 1).
        pattern: N kept of M in every row instead, which is its own sparsity; chosen group by group, from weights that
            already make up for the columns before.
        warn: told when the Cholesky factorisation fails and is tried again with more damping.

    Returns:
        A pruned and updated copy, (out, in), in the dtype of the weight.

    Raises:
        UserError: the inputs make no whole groups of the pattern.
        Broken: the second moment cannot be factorised with the largest damping either.
    """
    import torch

    if pattern:
        pattern.check_width(weight.shape[1])
    dead = second_moment.diagonal() == 0
    upper = inverse_factor(second_moment, warn).to(weight.device)
    columns = weight.T.to(torch.float32, copy=True, memory_format=torch.contiguous_format)  # (in, out)
    price = upper.diagonal().reciprocal().masked_fill(dead.to(weight.device), 0)[:, None]
    size = max(BLOCK // pattern.of, 1) * pattern.of if pattern else BLOCK  # whole groups
    for block in _spans(len(columns), size):
        gone = None if pattern else _chosen(columns, block, price, sparsity)
        errors = _prune_block(columns[block], upper[block, block], price[block], gone, pattern)
        columns[block.stop :].addmm_(upper[block, block.stop :].T, errors, alpha=-1)
    return columns.T.to(weight.dtype).contiguous()


def inverse_factor(second_moment: Tensor, warn: Warn) -> Tensor:
    """The upper U with `U^T U = (H + damping)^-1`, for H the second moment with 1 on the diagonal of unused inputs.

    H = R R^T with R upper is the Cholesky factorisation of H read backwards, and U = R^-1: one factorisation where the
    reference code needs two and an inverse. On MPS, which lacks parts of this, it is done on the CPU.

    Args:
        second_moment: (in, in).

    Returns:
        (in, in), float32; on the CPU if the second moment is on MPS.

    Raises:
        Broken: no damping helps.
    """
    import torch

    moment = second_moment.cpu() if second_moment.device.type == "mps" else second_moment
    moment = moment.to(torch.float32, copy=True)
    diagonal = moment.diagonal()
    diagonal.masked_fill_(diagonal == 0, 1)
    mean = diagonal.mean()

    def attempt(share):
        damped_moment = moment.flip(0, 1)
        damped_moment.diagonal().add_(share * mean)
        lower, failed = torch.linalg.cholesky_ex(damped_moment)
        if failed:
            return None
        identity = torch.eye(len(moment), device=moment.device)
        upper = torch.linalg.solve_triangular(lower, identity, upper=False).flip(0, 1)
        return upper.contiguous() if upper.isfinite().all() else None

    hopeless = "the second moment of the inputs has no Cholesky factor"
    return damped(attempt, "the Cholesky factorisation failed", hopeless, warn)


def _spans(stop: int, size: int) -> Iterator[slice]:
    return (slice(first, min(first + size, stop)) for first in range(0, stop, size))


def _chosen(columns: Tensor, block: slice, price: Tensor, sparsity: float) -> Tensor:
    """Mask of the least scores of a block over all rows, (columns, out); counts of blocks add up to the whole's."""
    score = (columns[block] * price[block]) ** 2
    rows = score.shape[1]
    count = int(block.stop * rows * sparsity) - int(block.start * rows * sparsity)
    return least(score.flatten(), count).view_as(score)


def _prune_block(block: Tensor, factor: Tensor, price: Tensor, gone: Tensor | None, pattern: Pattern | None) -> Tensor:
    """Prune a block in place, strip by strip: few wide products in place of many narrow ones.

    Args:
        block, gone: (columns, out); without `gone` each strip is one group of the pattern, chosen when it is reached.
        factor: (columns, columns) of U.
        price: (columns, 1) reciprocal diagonal of U, 0 for unused inputs.

    Returns:
        (columns, out) what each column lost, over its diagonal entry of U.
    """
    import torch

    errors = torch.empty_like(block)
    for strip in _spans(len(block), pattern.of if pattern else STRIP):
        here = gone[strip] if gone is not None else least_of_groups(((block[strip] * price[strip]) ** 2).T, pattern).T
        inside, corner, lost = block[strip], factor[strip, strip], errors[strip]
        for column, scale in enumerate(corner.diagonal()):
            lost[column] = (inside[column] / scale).masked_fill(~here[column], 0)
            inside[column + 1 :].addr_(corner[column, column + 1 :], lost[column], alpha=-1)
        inside.masked_fill_(here, 0)
        block[strip.stop :].addmm_(factor[strip, strip.stop :].T, lost, alpha=-1)
    return errors
