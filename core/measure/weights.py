"""Numbers of the dense weights, for allocators: counts, spectra, Wanda scores, errors of removed weights."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.methods import OUTLIER_THRESHOLDS
from core.models import Loaded, Step, Tensors, anatomy, weights_on_device
from core.store import Array, Removal, Scores, Weights

BINS = 100


def weights(loaded: Loaded, step: Step) -> Weights:
    """Counts and exponents of every linear.

    Raises:
        UserError: a layer cannot be pruned.
    """

    def numbers(_, linear):
        values = spectrum(linear.weight)
        return linear.weight.numel(), alpha_hill(values), alpha_peak(values)

    counts, hill, peak = anatomy.per_linear(loaded.layers, numbers, step=step)
    return Weights(parameters=counts, alpha_hill=hill, alpha_peak=peak)


def spectrum(weight: Tensor) -> Array:
    """Squared singular values, ascending, (min(out, in),): eigenvalues of the smaller Gram matrix, in float64.

    The reference code takes float32 singular values of the whole matrix, which is slower and less exact.
    """
    wide = weight.detach().cpu().double()
    wide = wide if wide.shape[0] <= wide.shape[1] else wide.T
    return torch.linalg.eigvalsh(wide @ wide.T).numpy()


def alpha_hill(eigenvalues: Array) -> float:
    """The paper's estimator, `1 + k / sum ln(lam_{n-i+1} / lam_{n-k})` over the largest half, k = n // 2.

    Args:
        eigenvalues: (n,) ascending squared singular values.

    Returns:
        NaN where the largest half are equal: no tail falls off.
    """
    values = _positive(eigenvalues)
    k = len(values) // 2
    if not k or values[-1] == values[-k - 1]:
        return float("nan")
    return 1 + k / float(np.log(values[-k:] / values[-k - 1]).sum())


def alpha_peak(eigenvalues: Array) -> float:
    """The reference code's default: of all tails that begin below 1.5 times the peak, the one a power law fits best.

    The peak is the left edge of the fullest of 100 bins of log10 eigenvalues. The code means to bound the tail from
    below too, but compares a logarithm with a plain value: in practice there is no lower bound, and none is there here.

    Args:
        eigenvalues: (n,) ascending squared singular values.
    """
    values = _positive(eigenvalues)
    counts, edges = np.histogram(np.log10(values), bins=BINS)
    highest = 1.5 * 10 ** edges[counts.argmax()]
    logs = np.log(values)
    from_here = np.cumsum(logs[::-1])[::-1]  # sum of logs from each eigenvalue to the largest
    best, alpha = np.inf, float("nan")
    for start in np.flatnonzero(values <= highest):
        size = len(values) - start
        excess = from_here[start] - size * logs[start]
        if size < 2 or excess <= 0:
            continue
        tried = 1 + size / excess
        fitted = 1 - np.exp((1 - tried) * (logs[start:] - logs[start]))
        distance = np.abs(fitted - np.arange(size) / size).max()
        if distance < best:
            best, alpha = distance, tried
    return float(alpha)


def _positive(eigenvalues: Array) -> Array:
    """Without the zeros of a matrix that lacks full rank: they have no logarithm."""
    return eigenvalues[eigenvalues > eigenvalues[-1] * 1e-12]


def scores(loaded: Loaded, input_norm: Sequence[Tensors], step: Step) -> Scores:
    """Pool the scores `|W_ij| ||X_j||_2` of a layer's linears and describe them.

    Args:
        input_norm: per layer, linear -> (in,) L2 norm of its inputs over the text's tokens.
    """
    rows = []
    for index, (layer, norms) in enumerate(zip(loaded.layers, input_norm, strict=True)):
        with weights_on_device(layer):
            stack = anatomy.prunable_linears(layer)
            sizes = [linear.weight.numel() for linear in stack]
            pooled = torch.empty(sum(sizes), device=stack[0].weight.device)
            for linear, part in zip(stack, pooled.split(sizes), strict=True):
                weight, norm = linear.weight.abs().float(), norms[linear.name].to(part.device)
                torch.mul(weight, norm, out=part.view(weight.shape))
        mean = float(pooled.mean(dtype=torch.float64 if pooled.device.type != "mps" else None))
        above, left = [], pooled
        for threshold in OUTLIER_THRESHOLDS:  # they rise: what lies above one is among what lay above those before
            left = left[left > threshold * mean]
            above.append(left.numel() / pooled.numel())
        rows.append((above, mean, float(pooled.median())))
        step(index + 1)
    ratio, mean, median = (np.array(each) for each in zip(*rows, strict=True))
    return Scores(outlier_ratio=ratio, mean=mean, median=median)


BLOCK = 128  # input columns that lose half of their weights each


def removal(loaded: Loaded, second_moment: Sequence[Tensors], tokens: int, step: Step) -> Removal:
    """The error of every linear.

    Args:
        second_moment: per layer, linear -> (in, in) sum of x x^T over so many tokens.
    """

    def lost(index, linear):
        return error(linear.weight.float(), second_moment[index][linear.name].to(linear.weight.device) / tokens)

    return Removal(error=anatomy.per_linear(loaded.layers, lost, step=step))


def error(weight: Tensor, moment: Tensor) -> float:
    """`mean ||X D^T||^2`, D being the weights that a greedy removal takes: half of every block of a row.

    From left to right, the weight of a block goes whose removal adds least to the error of its row. What went before,
    in this block and in those to its left, counts: w_j^2 H_jj and 2 w_j w_k H_jk for every w_k that is gone.

    Args:
        weight: (out, in).
        moment: (in, in) mean of x x^T over tokens.
    """
    gone = torch.zeros_like(weight)
    for first in range(0, weight.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        gone[:, block] = _least(weight[:, block], moment[block, block], gone @ moment[:, block])
    return float(((gone @ moment) * gone).sum(dtype=torch.float64 if gone.device.type != "mps" else None))


def _least(weight: Tensor, moment: Tensor, before: Tensor) -> Tensor:
    """The half of a block's weights that goes, zero elsewhere, (out, columns).

    Args:
        moment: (columns, columns).
        before: (out, columns) what the weights that are gone already feed into each column.
    """
    added = weight * (weight * moment.diagonal() + 2 * before)
    gone = torch.zeros_like(weight)
    for _ in range(weight.shape[1] // 2):
        place = added.argmin(1, keepdim=True)
        taken = weight.gather(1, place)
        gone.scatter_(1, place, taken)
        added.addcmul_(weight * taken, moment[place[:, 0]], value=2).scatter_(1, place, torch.inf)
    return gone
