"""Repair of a window with its nonlinearity: the remaining weights of an attention or an MLP, trained by gradient.

EBFT (Guo et al., arXiv 2402.12419) trains whole blocks so; a window needs its nonlinearity, arXiv 2510.14444. Adaptive
steps and the windows that are held back are ours.
"""

import math
from collections.abc import Callable, Sequence

from core.methods.masked_weights import MaskedWeights, adam, take_step, training_windows, validation_windows
from core.methods.selection import Tensor

STEP = 0.01  # the first one, of the root mean square of a matrix's kept weights
FINER = 3  # an epoch that does not help is taken back, and the step divided by this
TRIES = 3  # as often as this
EPOCHS = 12  # at most
ENOUGH = 0.005  # an epoch that helps by less of the error is the last with its step


def blockwise(weights: MaskedWeights, error: Callable[[int], Tensor], batches: Sequence[int]) -> None:
    """Train the remaining weights by Adam until validation no longer improves.

    An epoch that raises the validation error, or makes it NaN, is undone and the step made finer: the weights end with
    the lowest validation error, which is never above that of the start.

    Args:
        weights: of the window; changed in place.
        error: of a batch at the current weights, with gradients.
        batches: their indices.

    Raises:
        UserError: there is but one batch.
    """
    import torch

    validation, read = validation_windows(len(batches)), training_windows(len(batches))

    def judged():
        with torch.no_grad():
            return math.fsum(float(error(each)) for each in validation)

    least = judged()
    best, step, tries = weights.value.clone(), STEP, 0
    optimizer = adam(weights)
    for _ in range(EPOCHS):
        if tries > TRIES or not least > 0:
            break
        with weights.learning():
            for each in read:
                error(each).backward()
                take_step(weights, optimizer, step)
        now = judged()
        if not now < (1 - ENOUGH) * least:
            tries, step = tries + 1, step / FINER
        if now < least:  # NaN is not
            least, best = now, weights.value.clone()
        else:
            weights.set(best)
            optimizer = adam(weights)
    weights.set(best)
