"""Prune a model by an exact recipe: the walk, and distillation after it; and give its dense weights back."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.base import Array
from core.methods import Warn
from core.methods.masked_weights import training_windows
from core.models import anatomy
from core.models.loading import Loaded
from core.models.placement import restore
from core.models.progress import ProgressTracker
from core.models.replay import restore_layer
from core.prune.distillation import distill
from core.prune.exact_recipe import Texts
from core.prune.walk import prune_layers
from core.requests import ExactRecipe
from core.store import Store
from core.store.parts import distillation_course, distillation_folder


def prune(
    loaded: Loaded,
    exact: ExactRecipe,
    calibration: Texts,
    store: Store,
    tracker: ProgressTracker,
    what: str,
    takes: tuple[float, ...],
    warn: Warn,
) -> Array:
    """Prune in place by an exact recipe; return the achieved sparsity, (layers, linears).

    Args:
        store: keeps trained weights, and a training that was stopped.
        tracker: receives progress, its lines prefixed by `what`; work of an earlier run is subtracted from its plan.
        takes: work of the text that the model writes, of reading it before, of the walk, and of the training after it.

    Raises:
        UserError: the model cannot be pruned so.
        Broken: the model broke half way.
    """
    # Pruners that read no text still walk: any token will do.
    tokens = calibration[exact.calibration.key].tokens if exact.calibration else torch.zeros(1, 2, dtype=torch.long)
    writing, reading, walking, tuning = takes
    step = tracker.steps(f"{what}pruned", len(loaded.layers), walking)

    def walk():
        tracker.done += reading
        left = tokens[training_windows(len(tokens))] if exact.distills or exact.pruner_windows else tokens
        return prune_layers(loaded, left[: exact.pruner_windows or None], exact, step, warn)

    if not exact.distills:
        return walk()

    earlier = distillation_course(store, loaded.spec, exact)  # of an earlier run, not repeated
    spared = writing + walking + tuning * (len(earlier[1]) - 1) / (len(earlier[0]) - 1) if earlier else 0
    tracker.planned -= spared
    end = tracker.done + sum(takes) - spared
    wrote = tracker.steps(f"{what}own text,", len(training_windows(len(tokens))), writing, sequences=True)

    def read(done):
        tracker.say(f"{what}the dense model, window {done} of {len(tokens)}", reading * done / len(tokens))

    def trained(course):
        nats, line = course.divergences, f"{what}distilled, step {course.done} of {course.end}"
        least, tokens = min(zip(nats, course.looks, strict=False))  # an earlier version looked oftener
        line += f", {least:.3g} nats from the dense model on windows held back after {tokens:,} tokens"
        tracker.done = end - tuning * (1 - course.done / course.end)
        tracker.say(f"{line}, {nats[0]:.3g} before")

    distill(loaded, exact, tokens, walk, distillation_folder(store, loaded.spec, exact), trained, wrote, read, warn)
    tracker.done = end
    return count_zeros(loaded)


def count_zeros(loaded: Loaded) -> Array:
    """Fraction of zeros in every linear, (layers, linears)."""
    return anatomy.per_weight(loaded.layers, anatomy.zero_fraction, anatomy.linears)


@contextmanager
def restored(loaded: Loaded) -> Iterator[None]:
    """Restore on exit, bit for bit, all weights and layers that were pruned or left out inside."""
    weights = (each for layer in loaded.layers for each in layer.parameters())
    copies = {each: each.detach().clone() for each in weights if not each.is_meta}  # streamed ones stay where they lie
    try:
        yield
    finally:
        restore(loaded.layers)
        for layer in loaded.layers:
            restore_layer(layer)
        with torch.no_grad():
            for each, before in copies.items():
                each.copy_(before)
