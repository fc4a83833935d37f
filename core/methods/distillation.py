"""Repair of the whole model at once: train the remaining weights towards the dense model's predictions.

Distillation is Hinton et al., arXiv 1503.02531, here at temperature 1 and without labels; only the weights that a mask
keeps are trained, as in EBFT (Guo et al., arXiv 2402.12419), which goes block by block. That text of the dense model's
own overfits less is from Shin et al., arXiv 2406.15524. Learning rate, schedule and validation are ours.
"""

import math
from collections.abc import Sequence

import numpy as np

from core.base import UserError, number
from core.methods.masked_weights import training_windows
from core.methods.selection import Tensor

LEARNING_RATE = 0.001  # the largest, in the size of each matrix
WARM = 10  # steps of warm-up
MAX_CHECKS = 16  # of the validation windows, in the whole training
PATIENCE = 4  # checks without a lower divergence that end it
TOKENS_PER_STEP = 1024
PROMPT_TOKENS = 8  # of a window, that the dense model continues where it writes the text
TOKENS_AT_ONCE = 8192  # that it writes
CHUNK = 512  # tokens whose logits are held at once, for the model and for its dense self


def gradient(logits: Tensor, dense: Tensor) -> Tensor:
    """Gradient of KL(dense || model), nats, summed over tokens, by the model's logits; all (tokens, vocabulary)."""
    import torch

    own, wanted = (each.softmax(-1, dtype=torch.float32) for each in (logits, dense))
    return own.sub_(wanted).to(logits.dtype)


def batch_of(length: int) -> int:
    """Windows of a step."""
    return max(1, TOKENS_PER_STEP // length)


def steps_on(tokens: int, length: int) -> int:
    """Number of steps that a budget of tokens pays for; raises as `steps_within`."""
    return steps_within(tokens, batch_of(length) * length, "tokens")


def steps_within(budget: float, step: float, unit: str) -> int:
    """Number of steps that a budget pays for. step: the cost of one.

    Raises:
        UserError: none.
    """
    if budget < step:
        least = number(math.ceil(10 * step) / 10)
        raise UserError(f"a budget of {number(budget)} {unit} is too short for one step: give {least} or more")
    return int(budget / step)


def learning_rate_share(done: int, steps: int) -> float:
    """Share of the largest learning rate at a step: linear warm-up, then a cosine."""
    return min(1.0, (done + 1) / WARM) * (1 + math.cos(math.pi * done / steps)) / 2


def check_steps(steps: int, end: int, least: int) -> list[int]:
    """Numbers of steps after which validation is checked, from 0 to `end`, at most MAX_CHECKS over all `steps`.

    Args:
        least: steps between two checks, as many as read the windows of a check: else a short training is mostly checks.
    """
    return [*range(0, end, max(-(-steps // MAX_CHECKS), least)), end]


def windows_of_step(done: int, size: int, windows: int) -> list[int]:
    """Indices of the training windows of a step."""
    training = training_windows(windows)
    return np.random.default_rng(done).choice(training, min(size, len(training)), replace=False).tolist()


def has_converged(divergences: Sequence[float]) -> bool:
    """True after PATIENCE validation checks without improvement."""
    return len(divergences) - divergences.index(min(divergences)) > PATIENCE
