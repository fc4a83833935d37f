"""Quantised checkpoints are read as the dense weights they stand for, or refused in one sentence."""

import shutil

import pytest
import torch
import transformers

from core.models import loading, locate
from tests import tiny
from tests.core.export import test_packed
from tests.core.models.test_models import with_setting


def test_weights_of_one_width_are_read_as_dense_ones(tmp_path, empty, monkeypatch):
    """By transformers' own way, as what LLM Compressor writes; several widths are tested with the export."""
    pytest.importorskip("compressed_tensors", reason="compressed-tensors is not installed")
    monkeypatch.setattr(test_packed, "FORM_ROWS", [["int4g32s"] * 7] * tiny.LAYERS)
    loaded = test_packed.rounded_to(loading.load(locate(str(tiny.folder("llama")), empty)))
    test_packed.packed_to(tmp_path, loaded)
    found, meant = loading.load(locate(str(tmp_path / "out"), empty), store=empty), loaded.model.state_dict()
    for name, value in meant.items():  # transformers multiplies in the float16 of the scales
        torch.testing.assert_close(found.model.state_dict()[name], value, rtol=2**-11, atol=0)
    assert {type(linear) for linear in found.layers[0].modules() if hasattr(linear, "in_features")} == {torch.nn.Linear}


def test_a_format_whose_library_is_not_here_is_refused(tmp_path, empty, refused, monkeypatch):
    monkeypatch.setattr(transformers.utils.quantization_config, "is_compressed_tensors_available", lambda: False)
    folder = shutil.copytree(tiny.folder("llama"), tmp_path / "four-bits")
    with_setting("config.json", quantization_config={"quant_method": "compressed-tensors"})(folder)
    with refused("four-bits", "pip install", "compressed-tensors"):
        loading.load(locate(str(folder), empty), store=empty)
