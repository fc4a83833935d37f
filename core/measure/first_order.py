"""Arithmetic of the gradient sketch: signed first-order changes of a model's log-probabilities by damages of weights.

The gradient of the log-probability of tokens drawn from the model's own prediction has mean zero and the Fisher matrix
as its covariance. So for a damage dW of a weight, the mean over draws of `<gradient, dW>^2 / 2`, per token, is the
second-order divergence KL(dense || damaged), unbiased, whatever other damages the same gradient is read for.
"""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

WORDS = 16  # drawn at each token for one draw
BLOCK = 2**22  # numbers formed at once on a CPU, whose caches hold them; elsewhere sixteen times as many


def draw_words(cumulative: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Draw next words from the model's own prediction at each token, and a random sign for each word.

    The sum of `sign (gradient of the logit of the word - mean gradient)` over `WORDS` of them, by the root of their
    number, has the Fisher matrix as its covariance as that of one word has, and lighter tails, for it hardly depends
    on one surprising word.

    Args:
        cumulative: (tokens, vocabulary) cumulative probabilities.

    Returns:
        Ids and signs, (tokens, WORDS) each.
    """
    generator = torch.Generator().manual_seed(seed)
    size = len(cumulative), WORDS
    at = torch.rand(size, generator=generator).to(cumulative.device) * cumulative[:, -1:]
    signs = torch.randint(0, 2, size, generator=generator).to(cumulative.device) * 2.0 - 1
    return torch.searchsorted(cumulative, at).clamp_(max=cumulative.shape[1] - 1), signs


def score_slopes(weight: Tensor, logits: Tensor, rise: Tensor | None, seeds: Iterable[int]) -> Iterator[Tensor]:
    """Gradients at the head's input of random scores of the next words, one for each seed, (tokens, width) float32.

    Args:
        weight: (vocabulary, width) of the head.
        logits: (tokens, vocabulary).
        rise: how fast each logit rises with what the head gives, as where they are capped; None: as fast.
    """
    p = logits.float().softmax(-1)
    cumulative = p.cumsum(-1)
    mean = (p if rise is None else p.mul_(rise)).to(weight.dtype) @ weight
    for seed in seeds:
        words, signs = draw_words(cumulative, seed)
        weighed = signs if rise is None else signs * rise.gather(1, words)
        drawn = torch.einsum("tk,tkd->td", weighed, weight[words].float())
        yield (drawn - signs.sum(1, keepdim=True) * mean.float()) / WORDS**0.5


def signed_changes(inputs: Sequence[Tensor], slopes: Sequence[Tensor], damages: Tensor) -> Tensor:
    """The change `<gradient, dW>` of each draw of each window by each damage of one weight.

    Of two orders of the product the one with fewer operations serves: the gradient of each draw, times all damages; or
    the change of the output by each damage, times what all draws say of it. A few rows of the weight are treated at a
    time. A group's numbers do not depend on which others are there.

    Args:
        inputs: of each group of windows what the linear reads, (windows, tokens, in).
        slopes: of each group the gradients at what it gives, (draws, windows, tokens, out).
        damages: (damages, out, in) changes of the weight.

    Returns:
        (damages, draws, windows) in float32, on the CPU.
    """
    count, out, width = damages.shape
    draws, _, tokens, _ = slopes[0].shape
    by_output = count * tokens < draws * (tokens + count)
    product, numbers = (_by_output, 4 * count * tokens) if by_output else (_by_gradient, draws * width)
    rows = max(1, (BLOCK if damages.device.type == "cpu" else 16 * BLOCK) // numbers)
    total = [damages.new_zeros(len(each), draws, count) for each in inputs]
    for first in range(0, out, rows):
        some = damages[:, first : first + rows].contiguous()
        for place, read, slope in zip(total, inputs, slopes, strict=True):
            place += product(read.float(), slope[..., first : first + rows].float(), some)
    return torch.cat(total).permute(2, 1, 0).cpu()


def _by_gradient(read: Tensor, slope: Tensor, damages: Tensor) -> Tensor:
    """(windows, draws, damages)"""
    gradients = (each.transpose(1, 2) @ window for each, window in zip(slope.unbind(1), read, strict=True))
    return torch.stack([each.flatten(1) @ damages.flatten(1).T for each in gradients])


def _by_output(read: Tensor, slope: Tensor, damages: Tensor) -> Tensor:
    """(windows, draws, damages)"""
    change = (damages.flatten(0, 1) @ read.flatten(0, 1).T).view(*damages.shape[:2], *read.shape[:2])
    change = change.permute(2, 0, 1, 3).flatten(2)
    return slope.permute(1, 0, 3, 2).flatten(2) @ change.transpose(1, 2)


def along(slope: Tensor, moved: Tensor) -> Tensor:
    """Product of a gradient and a change of the same numbers, window by window, (windows,) on the CPU."""
    windows = len(slope)
    return (slope.reshape(windows, -1).float() * moved.reshape(windows, -1).float()).sum(1).cpu()
