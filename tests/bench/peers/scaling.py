"""What a sweep takes as layers, sequences and perturbations grow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from core.ask.measurements import Measurement
from core.kinds import Gaussian
from core.measure.engines import prepare, wavefront
from core.measure.perturb import Moments
from core.models.loading import Loaded
from core.models.work import HARM_STRIDE
from tests.bench.peers.timing import in_turn

SHARES = (4, 2, 1)  # a quarter, half, and all of it


def table(loaded: Loaded, tokens: Tensor, rounds: int) -> list[list[str]]:
    """A row per size, beside the ratio to the largest that its kind has; the first row is the heads."""
    return [["", "seconds", "share of the largest"], *_rows(loaded, tokens, rounds)]


def _rows(loaded: Loaded, tokens: Tensor, rounds: int) -> Iterator[list[str]]:
    layers, sequences = len(loaded.layers), len(tokens)
    sizes = {
        "layers": {layers // share: (layers // share, sequences, 1) for share in SHARES},
        "sequences": {sequences // share: (layers, sequences // share, 1) for share in SHARES},
        "perturbations": {4 // share: (layers, sequences, 4 // share) for share in SHARES},
    }
    for kind, ones in sizes.items():
        ran = in_turn({count: _sweep(loaded, tokens, *size) for count, size in ones.items()}, rounds)
        largest = max(ran)
        for count, each in ran.items():
            yield [f"{kind}: {count}", f"{each.median:.2f}", f"{each.median / ran[largest].median:.2f}"]


def _sweep(loaded: Loaded, tokens: Tensor, layers: int, sequences: int, perturbations: int) -> Callable[[], None]:
    measurements = [Measurement(perturbation=Gaussian(size=0.3), seed=seed) for seed in range(perturbations)]
    sized = _untrained(loaded, layers)

    @torch.inference_mode()
    def run() -> None:
        group = prepare(sized, tokens, range(sequences), Moments(), HARM_STRIDE)
        for each in measurements:
            wavefront(group, each, lambda _: None)

    return run


def _untrained(loaded: Loaded, layers: int) -> Loaded:
    """The same model with so many layers; what its weights are takes no time."""
    config = copy.deepcopy(loaded.model.config)
    config.num_hidden_layers = layers
    model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
    return replace(loaded, model=model)
