"""Quantised checkpoints are read as the dense weights they stand for, or refused in one sentence."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from core.models import loading
from core.models.sources import locate
from tests import tiny

GROUP, BITS = 16, 4
FORMAT = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "quantization_status": "compressed",
    "ignore": ["lm_head"],
    "config_groups": {
        "all": {
            "targets": ["Linear"],
            "weights": {"num_bits": BITS, "type": "int", "symmetric": True, "strategy": "group", "group_size": GROUP},
        }
    },
}


def packed(folder):
    """Pack the linears of a folder's layers into four bits; every weight that this stands for."""
    from compressed_tensors.compressors import pack_to_int32

    stored, meant = load_file(folder / "model.safetensors"), {}
    for name, value in list(stored.items()):
        if ".layers." in name and value.ndim == 2:
            groups = value.unflatten(1, (-1, GROUP))
            scale = groups.abs().amax(2) / (2 ** (BITS - 1) - 1)
            code = (groups / scale[..., None]).round()
            value = (code * scale[..., None]).flatten(1)
            inside = name.removesuffix(".weight")
            stored[f"{inside}.weight_packed"] = pack_to_int32(code.flatten(1).to(torch.int8), BITS)
            stored |= {f"{inside}.weight_scale": scale, f"{inside}.weight_shape": torch.tensor(value.shape)}
            del stored[name]
        meant[name] = value
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"quantization_config": FORMAT}))
    return meant


def test_what_llm_compressor_exports_is_read_as_dense_weights(tmp_path, empty):
    pytest.importorskip("compressed_tensors", reason="compressed-tensors is not installed")
    folder = Path(shutil.copytree(tiny.folder("llama"), tmp_path / "four-bits"))
    meant = packed(folder)
    found = loading.load(locate(str(folder), empty), store=empty)
    state = found.model.state_dict()
    assert state.keys() == meant.keys() and all(torch.equal(state[name], value) for name, value in meant.items())
    assert {type(linear) for linear in found.layers[0].modules() if hasattr(linear, "in_features")} == {torch.nn.Linear}


def quantised(folder, method):
    """A folder that says its weights are quantised by a method."""
    shutil.copytree(tiny.folder("llama"), folder)
    settings = json.loads((folder / "config.json").read_text())
    told = FORMAT | {"quant_method": method, "bits": BITS, "group_size": GROUP}
    (folder / "config.json").write_text(json.dumps(settings | {"quantization_config": told}))
    return folder


@pytest.mark.parametrize("method", ["gptq", "awq", "nobody-knows"])
def test_what_nobody_turns_into_dense_weights_is_refused(method, tmp_path, empty, refused):
    with refused("four-bits", method, "compressed-tensors", ".gguf"):
        loading.load(locate(str(quantised(tmp_path / "four-bits", method)), empty), store=empty)


def test_a_format_whose_library_is_not_here_is_refused(tmp_path, empty, refused, monkeypatch):
    monkeypatch.setattr(transformers.utils.quantization_config, "is_compressed_tensors_available", lambda: False)
    with refused("four-bits", "pip install", "compressed-tensors"):
        loading.load(locate(str(quantised(tmp_path / "four-bits", "compressed-tensors")), empty), store=empty)
