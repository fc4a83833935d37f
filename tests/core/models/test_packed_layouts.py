"""GPTQ and AWQ folders are read as the dense weights that they stand for."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.models import loading, locate
from tests import tiny

GROUP = 16
ORDER = (0, 2, 4, 6, 1, 3, 5, 7)  # AutoAWQ's, of eight outputs in a word


def words(codes, bits):
    """Whole numbers of a row, several in a word, the first one lowest."""
    parts = codes.long().unflatten(-1, (-1, 32 // bits))
    packed = (parts << torch.arange(0, 32, bits)).sum(-1)
    return torch.where(packed >= 2**31, packed - 2**32, packed).int()


def packed(weight, method, bits, shuffled, old):
    """A linear's tensors, and the dense weight that they stand for; inputs of a group side by side or anywhere."""
    size, top = weight.shape, 2**bits - 1
    group = torch.arange(size[1]) // GROUP
    group = group[torch.randperm(size[1], generator=torch.Generator().manual_seed(1))] if shuffled else group
    scales = (weight.abs().amax() / top * 2 * (1 + torch.arange(size[1] // GROUP)[:, None] / 9)).expand(-1, size[0])
    scales = scales.half().contiguous()
    zeros = torch.full(scales.shape, 2 ** (bits - 1))
    codes = (weight.T / scales.float()[group] + zeros[group]).round().clamp(0, top)  # (in, out)
    dense = ((codes - zeros[group]) * scales.float()[group]).T
    if method == "gptq":
        tensors = {"qweight": words(codes.T, bits).T, "qzeros": words(zeros - int(old), bits), "g_idx": group.int()}
    else:
        mixed = (each.unflatten(1, (-1, 8))[..., ORDER].flatten(1) for each in (codes, zeros))
        tensors = dict(zip(("qweight", "qzeros"), (words(each, 4) for each in mixed), strict=True))
    return tensors | {"scales": scales}, dense


@pytest.mark.parametrize(
    ("method", "bits", "shuffled", "old", "settings"),
    [
        ("gptq", 4, False, True, {}), ("gptq", 8, True, True, {"checkpoint_format": "gptq"}),
        ("gptq", 2, True, False, {"checkpoint_format": "gptq_v2"}), ("awq", 4, False, False, {"version": "gemm"}),
    ],
)  # fmt: skip
def test_a_packed_folder_is_read_as_the_weights_it_stands_for(method, bits, shuffled, old, settings, tmp_path, empty):
    folder, meant, tensors = tmp_path / "packed", {}, {}
    shutil.copytree(tiny.folder("llama"), folder)
    for name, each in load_file(folder / "model.safetensors").items():
        if "_proj" not in name:
            tensors[name] = meant[name] = each
            continue
        parts, meant[name] = packed(each, method, bits, shuffled, old)
        tensors |= {f"{name.removesuffix('weight')}{part}": value.contiguous() for part, value in parts.items()}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    quantised = {"quant_method": method, "bits": bits, "group_size": GROUP} | settings
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": quantised}))
    read = loading.load(locate(str(folder), empty), "float32", empty).model.state_dict()
    for name, each in meant.items():
        torch.testing.assert_close(read[name], each.float(), rtol=2e-3, atol=1e-6)
