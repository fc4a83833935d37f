"""Prune a model by an exact recipe: the walk, and distillation after it; and give its dense weights back."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.base import Array
from core.methods import (
    PRUNERS,
    QUANT_FORMATS,
    MaskedWeights,
    Warn,
    has_converged,
    outside_types,
    rounded,
    steps_on,
    steps_within,
    training_windows,
)
from core.models import (
    Loaded,
    ProgressTracker,
    Step,
    Tensors,
    anatomy,
    checkpoint_tensors,
    free_memory,
    is_streamed,
    losses,
    machine,
    restore,
    restore_layer,
    skip_layer,
)
from core.models.model_shape import model_shape
from core.prune.distillation import (
    Distillation,
    can_resume,
    load_checkpoint,
    own_text,
    products,
    save_checkpoint,
    trainable_weights,
)
from core.prune.exact_recipe import Texts
from core.prune.walk import prune_layers
from core.requests import ExactRecipe
from core.store import TRAINING, Store, distillation_course, distillation_folder


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
    step = tracker.counted(f"{what}pruned, layer", walking, len(loaded.layers))

    if PRUNERS[exact.pruner].budget_unit.in_gguf:
        _round_outside(loaded, *outside_types(exact.outside))

    def walk():
        left = tokens[training_windows(len(tokens))] if exact.distills or exact.pruner_windows else tokens
        norms = calibration[exact.imatrix].norms if exact.imatrix else ()
        return prune_layers(loaded, left[: exact.pruner_windows or None], exact, step, warn, norms)

    if not exact.distills:
        return walk()

    earlier = distillation_course(store, loaded.spec, exact)  # of an earlier run, not repeated
    spared = writing + walking + tuning * (len(earlier[1]) - 1) / (len(earlier[0]) - 1) if earlier else 0
    tracker.planned -= spared
    end = tracker.done + sum(takes) - spared
    wrote = tracker.counted(f"{what}own text, sequence", writing, len(training_windows(len(tokens))))
    read = tracker.counted(f"{what}the dense model, window", reading, len(tokens))

    def trained(course):
        nats, line = course.divergences, f"{what}distilled, step {course.done} of {course.end}"
        least, tokens = min(zip(nats, course.looks, strict=False))  # an earlier version looked oftener
        line += f", {least:.3g} nats from the dense model on windows held back after {tokens:,} tokens"
        tracker.done = end - tuning * (1 - course.done / course.end)
        tracker.say(f"{line}, {nats[0]:.3g} before")

    distill(loaded, exact, tokens, walk, distillation_folder(store, loaded.spec, exact), trained, wrote, read, warn)
    tracker.done = end
    return count_zeros(loaded)


def distill(
    loaded: Loaded,
    exact: ExactRecipe,
    tokens: Tensor,
    walk: Callable[[], object],
    folder: Path,
    step: Callable[[Distillation], object],
    wrote: Step,
    read: Step,
    warn: Warn,
) -> None:
    """Prune a dense model in place and train the weights that stay; work of an earlier run is not repeated.

    Args:
        tokens: (windows, length) of the calibration text.
        walk: prunes it.
        folder: keeps the state of the training, and its weights once it has ended.
        step: called with the training after every step; may raise Cancelled.
        wrote, read: called with how many windows the dense model has written, and read; may raise Cancelled.
        warn: called with a sentence if the loss is not finite, or an earlier run's state does not fit.

    Raises:
        UserError: memory does not suffice, there is only one window, or the budget does not pay for a step.
    """
    shape = model_shape({name: tuple(each.shape) for name, each in checkpoint_tensors(loaded.model).items()})
    need = machine.training_bytes(shape, float(np.mean(exact.sparsity)), tokens.numel(), loaded.spec.dtype)
    what = f"training {loaded.source.label} whole takes {need / 2**30:.2g} GiB of memory beside its weights"
    advice = "use the repair blockwise, which trains a part of a layer at a time"
    machine.insist(need, what, advice, 0 if is_streamed(loaded.layers) else free_memory(loaded.model.device))
    weights = trainable_weights(loaded.layers, exact.recover_norms)
    steps = exact.recover_tokens and steps_on(exact.recover_tokens, tokens.shape[1])
    state = load_checkpoint(folder / TRAINING, loaded.model.device, partial(can_resume, weights, steps), warn)
    until, reference = exact.recover_until and steps_on(exact.recover_until, tokens.shape[1]), None
    if not state or not is_over(state, until):
        if exact.recover_text == "own":
            tokens = own_text(loaded, tokens, folder / "text.safetensors", wrote, warn)
        with products(loaded, exact.recover_dtype):
            reference = losses.reference(loaded, tokens, read)
    if state:
        for layer in exact.dropped_layers:
            skip_layer(loaded.layers[layer])
    else:
        walk()
    masked = MaskedWeights(weights, state.get("mask"))
    course = Distillation(loaded, masked, tokens, reference, exact.recover_dtype)
    if state:
        course.resume(state)
    elif steps:
        course.steps = steps
    else:
        began = time.perf_counter()
        course.gradient(0)
        course.judged(course.batch)  # a step's share of a check, which reads about as much as was trained on since
        course.optimizer.zero_grad(False)
        course.steps = steps_within(exact.recover_minutes, (time.perf_counter() - began) / 60, "minutes")
    course.end = min(course.steps, until or course.steps)
    course.run(lambda: save_checkpoint(folder / TRAINING, course.state()), lambda: step(course), warn)


def is_over(state: Tensors, until: int) -> bool:
    """True if a saved training has nothing left to do. until: its last step, 0 for that of its schedule."""
    steps = int(state["steps"])
    return int(state["done"]) >= min(steps, until or steps) or has_converged(state["divergences"].tolist())


def count_zeros(loaded: Loaded) -> Array:
    """Fraction of zeros in every linear, (layers, linears)."""
    return anatomy.per_weight(loaded.layers, anatomy.zero_fraction, anatomy.linears)


@torch.no_grad()
def _round_outside(loaded: Loaded, embeddings: str, output: str) -> None:
    """Round the matrices outside the layers; a tied one, and all but an output matrix, to the type of embeddings."""
    model = loaded.model
    tied = model.get_input_embeddings().weight
    head = getattr(model.get_output_embeddings(), "weight", tied)
    for each in outside_matrices(loaded):
        name = output if each is head and head is not tied else embeddings
        values = rounded(each, QUANT_FORMATS[name].on(each.shape[1]))
        each.copy_(values)
        each.packed = values.packed  # for an export


def outside_matrices(loaded: Loaded) -> list[Tensor]:
    """Matrices beside the layers, as embeddings; tied ones once."""
    return [each for each in loaded.outside.values() if each.ndim == 2]


@contextmanager
def restored(loaded: Loaded, outside: bool = False) -> Iterator[None]:
    """Restore on exit, bit for bit, all weights and layers that were pruned or left out inside.

    outside: restore matrices beside the layers too.
    """
    weights = [each for layer in loaded.layers for each in layer.parameters()]
    weights += outside_matrices(loaded) * outside
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
                each.packed = None
