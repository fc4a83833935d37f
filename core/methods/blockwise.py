"""Repair of a window with its nonlinearity: the kept weights of an attention or an MLP, trained by gradient.

EBFT (Guo et al., arXiv 2402.12419) trains whole blocks so; a window needs its nonlinearity, arXiv 2510.14444. Adaptive
steps and the windows that are held back are ours.
"""

import math
from collections.abc import Callable, Sequence

from core.methods.masked_weights import MaskedWeights, adam, held_back, seen, stepped
from core.methods.selection import Tensor

STEP = 0.01  # the first one, of the root mean square of a matrix's kept weights
FINER = 3  # an epoch that does not help is taken back, and the step divided by this
TRIES = 3  # as often as this
EPOCHS = 12  # at most
ENOUGH = 0.005  # an epoch that helps by less of the error is the last with its step


def blockwise(kept: MaskedWeights, error: Callable[[int], Tensor], batches: Sequence[int]) -> None:
    """Train the kept weights by Adam until the windows held back say that it is enough.

    An epoch that raises their error, or breaks it, is taken back and the step made finer: the weights end with the
    lowest error on the windows held back, which is never above that of the start.

    Args:
        kept: of the window; its weights are changed in place.
        error: of a batch, for the weights as they are, with gradients.
        batches: how many there are, by their numbers.

    Raises:
        UserError: there is but one batch.
    """
    import torch

    held, read = held_back(len(batches)), seen(len(batches))

    def judged():
        with torch.no_grad():
            return math.fsum(float(error(each)) for each in held)

    least = judged()
    best, step, tries = kept.value.clone(), STEP, 0
    optimizer = adam(kept)
    for _ in range(EPOCHS):
        if tries > TRIES or not least > 0:
            break
        with kept.learning():
            for each in read:
                error(each).backward()
                stepped(kept, optimizer, step)
        now = judged()
        if not now < (1 - ENOUGH) * least:
            tries, step = tries + 1, step / FINER
        if now < least:  # NaN is not
            least, best = now, kept.value.clone()
        else:
            kept.set(best)
            optimizer = adam(kept)
    kept.set(best)
