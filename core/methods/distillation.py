"""Repair of the whole model at once: the kept weights, trained until its predictions come closest to the dense ones.

Distillation is Hinton et al., arXiv 1503.02531, here at temperature 1 and without labels; only the weights that a mask
keeps are trained, as in EBFT (Guo et al., arXiv 2402.12419), which goes block by block. That text of the dense model's
own overfits less is from Shin et al., arXiv 2406.15524. Learning rate, schedule and the windows that are held back are
ours.
"""

import math
from collections.abc import Sequence

import numpy as np

from core.base.errors import UserError
from core.base.spec import number
from core.methods.masked_weights import training_windows
from core.methods.selection import Tensor

LEARNING_RATE = 0.001  # the largest, in the size of each matrix
WARM = 10  # steps that grow to it
LOOKS = 16  # at the windows held back, in the whole course, at most
PATIENCE = 4  # looks without a lower divergence that end it
TOGETHER = 1024  # tokens of a step
BEGUN = 8  # tokens of a window that the dense model goes on from, where it writes the text
WRITTEN = 8192  # tokens that it writes at once
CHUNK = 512  # tokens whose logits are held at once, for the model and for its dense self


def gradient(logits: Tensor, dense: Tensor) -> Tensor:
    """Of the sum over tokens of KL(dense || model), nats, by the model's logits; all (tokens, vocabulary)."""
    import torch

    own, wanted = (each.softmax(-1, dtype=torch.float32) for each in (logits, dense))
    return own.sub_(wanted).to(logits.dtype)


def batch_of(length: int) -> int:
    """Windows of a step."""
    return max(1, TOGETHER // length)


def steps_on(tokens: int, length: int) -> int:
    """Steps that a budget of tokens pays for; raises as `steps_within`."""
    return steps_within(tokens, batch_of(length) * length, "tokens")


def steps_within(budget: float, step: float, unit: str) -> int:
    """Steps that a budget pays for. step: what one takes of it.

    Raises:
        UserError: not one.
    """
    if budget < step:
        least = number(math.ceil(10 * step) / 10)
        raise UserError(f"a budget of {number(budget)} {unit} is too short for one step: give {least} or more")
    return int(budget / step)


def learning_rate_share(done: int, steps: int) -> float:
    """The share of the largest learning rate: it grows evenly, then falls along a cosine."""
    return min(1.0, (done + 1) / WARM) * (1 + math.cos(math.pi * done / steps)) / 2


def check_steps(steps: int, end: int, least: int) -> list[int]:
    """How many of these steps are done at each look at the windows held back, from the start to an end before them.

    Args:
        least: steps between two, as many as read the windows of a look: else a short training is mostly looks.
    """
    return [*range(0, end, max(-(-steps // LOOKS), least)), end]


def windows_of_step(done: int, size: int, windows: int) -> list[int]:
    """The windows of a step."""
    training = training_windows(windows)
    return np.random.default_rng(done).choice(training, min(size, len(training)), replace=False).tolist()


def has_converged(divergences: Sequence[float]) -> bool:
    """Whether the windows held back have said for some time that it gets no better, by the divergences there."""
    return len(divergences) - divergences.index(min(divergences)) > PATIENCE
