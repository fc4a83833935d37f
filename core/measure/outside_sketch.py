"""The gradient sketch of the matrices outside the layers: embeddings, and an output matrix of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from core.measure.backward import AtHead, seeds_of
from core.measure.first_order import along
from core.measure.sketch import gradients_at_entry, together
from core.methods import DAMAGES, QUANT_FORMATS, rounded
from core.models import Loaded, Step, entry_stream
from core.requests import OUTSIDE_WINDOWS, Sketching
from core.store import OutsideSketch


@torch.no_grad()  # no inference mode: its tensors cannot be differentiated by
def sketched_outside(loaded: Loaded, tokens: Tensor, plan: Sketching, step: Step) -> OutsideSketch:
    """Sketch embeddings and output matrix, a tied one once: what it changes at both ends adds before it is squared.

    One type of one matrix is there at a time. Scores are those of the linears' sketch.

    Args:
        tokens: (sequences, length), of which the first few are read.
        step: called with how many types are finished.

    Raises:
        UserError: the model cannot be differentiated, or its head is no linear; or as `rounded`.
    """
    tokens = tokens[:OUTSIDE_WINDOWS].to(loaded.model.device)
    groups = together(*tokens.shape, range(len(tokens)))
    runs = [loaded.record(tokens[group]) for group in groups]
    above = gradients_at_entry(loaded, runs, groups, plan.draws)
    embedding, head = (each.weight for each in (loaded.model.get_input_embeddings(), _head(loaded)))
    matrices = [embedding] if embedding is head else [embedding, head]
    change = np.full((len(matrices), len(plan.damages), plan.draws, len(tokens)), np.nan)
    for done, name in enumerate(plan.damages):
        for row, weight in zip(change[:, done], matrices, strict=True):
            if DAMAGES[name].fits(weight.shape[1]):
                values = rounded(weight, QUANT_FORMATS[name]).to(weight.dtype)
                at_entry = _at_entry(loaded, tokens, values, runs, groups, above) if weight is embedding else 0.0
                at_head = _at_head(loaded, values - weight, runs, groups, plan.draws) if weight is head else 0.0
                row[:] = at_entry + at_head
        step(done + 1)
    return OutsideSketch(change)


def _head(loaded: Loaded) -> torch.nn.Linear:
    return loaded.model.get_output_embeddings()


def _at_entry(loaded, tokens, values, runs, groups, above) -> np.ndarray:
    """Signed changes by other embeddings, (draws, windows).

    Args:
        tokens: (sequences, length).
        values: (vocabulary, width) of the other embeddings.
        runs: calls of the layers, of each group of windows in `groups`.
        above: of each group and draw the gradient at the first layer's input, (windows, tokens, width).
    """
    columns = []
    with _instead(loaded.model.get_input_embeddings().weight, values):
        for group, calls, draws in zip(groups, runs, above, strict=True):
            moved = entry_stream(loaded.model, loaded.layers[0], tokens[group]) - calls[0].entry
            columns.append(torch.stack([along(gradient, moved) for gradient in draws]))
    return torch.cat(columns, 1).numpy()


def _at_head(loaded, change, runs, groups, draws) -> np.ndarray:
    """Signed changes by a change of the output matrix, (vocabulary, width): (draws, windows)."""
    columns = []
    for group, calls in zip(groups, runs, strict=True):
        for sequence, stream in zip(group, calls[-1].exit.split(1), strict=True):
            end = AtHead(loaded, calls, stream, {})
            scores = end.scores(change, seeds_of(sequence, draws))
            columns.append(torch.cat([along(each[None], end.read) for each in scores]))
    return torch.stack(columns, 1).numpy()


@contextmanager
def _instead(weight: Tensor, values: Tensor) -> Iterator[None]:
    """Let a weight have other values while inside."""
    before, weight.data = weight.data, values
    try:
        yield
    finally:
        weight.data = before
