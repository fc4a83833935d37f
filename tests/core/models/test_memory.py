"""Memory of a request, counted before it runs, and the shape of a model that it is counted by."""

import pytest

from core.models import loading, machine, model_shape, sources
from core.requests import ModelShape, WindowRequest
from tests import tiny

BUNDLED = ModelShape(layers=30, width=576, vocabulary=49152, layer_parameters=3_538_944, parameters=134_515_008)


@pytest.mark.parametrize(
    ("sequences", "length", "expected"), [(8, 64, 4), (1, 64, 1), (9, 64, 5), (128, 2048, 8), (4, 40_000, 1)]
)
def test_a_group_is_at_most_half_and_at_most_so_many_tokens(sequences, length, expected):
    assert machine.group_size(BUNDLED, WindowRequest(sequences=sequences, length=length), "float32", None) == expected


def test_a_group_fits_into_memory_but_is_never_empty():
    one = machine.sequence_bytes(BUNDLED, 64, "float32")
    text = WindowRequest(sequences=8, length=64)
    sizes = [machine.group_size(BUNDLED, text, "float32", free) for free in (0, one, 2 * one, 3 * one - 1, 100 * one)]
    assert sizes == [1, 1, 2, 2, 4]
    assert machine.sequence_bytes(BUNDLED, 64, "bfloat16") < one < machine.sequence_bytes(BUNDLED, 128, "float32")


def test_of_a_model_that_memory_does_not_hold_a_few_layers_are_held(monkeypatch):
    shape = ModelShape(layers=80, width=4, vocabulary=10, layer_parameters=1_000_000, parameters=80_000_500)
    whole = machine.weight_bytes(shape, "float32", gguf=False)
    monkeypatch.setattr(machine, "free_memory", lambda: 300_000_000)
    assert whole - machine.weight_bytes(shape, "float32", gguf=False) == 4 * (80 - machine.WORKED_ON) * 1_000_000
    assert whole == machine.weight_bytes(shape, "float32", gguf=True)


def test_memory_that_cannot_suffice_is_refused_before_weights_are_read(empty, monkeypatch, refused):
    monkeypatch.setattr(machine, "free_memory", lambda: 1000)
    monkeypatch.setattr(loading, "read", lambda *_: pytest.fail("weights are read"))
    with refused("GiB of memory", "close other programs"):
        loading.load(sources.locate(str(tiny.folder("llama")), empty), store=empty)


def test_the_stack_is_the_heaviest_numbered_group():
    shapes = {
        "vision.blocks.0.weight": (4, 4),
        "model.layers.0.a.weight": (8, 8),
        "model.layers.0.norm.weight": (8,),
        "model.layers.1.experts.3.w": (2, 8, 8),
        "embed.weight": (100, 8),
        "norm.weight": (8,),
    }
    assert model_shape.model_shape(shapes) == ModelShape(2, 8, 100, (64 + 128) // 2, 16 + 64 + 8 + 128 + 800 + 8, 1)


@pytest.mark.parametrize(
    "shapes", [{}, {"embed.weight": (10, 4)}, {"layers.0.w": (4, 4)}, {"layers.0.norm.w": (4,), "e": (4,)}]
)
def test_files_without_a_stack_are_refused(shapes, refused):
    with refused("layers"):
        model_shape.model_shape(shapes)
