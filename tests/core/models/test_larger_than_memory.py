"""A checkpoint that memory does not hold is measured, pruned, repaired and exported all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from core import specs
from core.export.checking import load_back
from core.jobs import experiment
from core.models import devices
from core.specs import ExportRequest, MeasureRequest, WindowRequest, grammar
from core.store.cache import Store
from tests import tiny

PROJECT = Path(__file__).resolve().parents[3]
LIMIT = 560 * 2**20  # bytes of data that the process may hold; Python and its libraries take 380 MiB of them
TIMES = 4
LAYERS_A_SHARD = 2
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
from core.cli import main
sys.exit(main(sys.argv[1:]))
"""


def asked(model: Path, text: str) -> tuple[MeasureRequest, Callable[[Path], ExportRequest]]:
    windows = WindowRequest(source=text, sequences=2, length=12)
    names = ("gaussian:0.3", "residual:wanda:0.7")
    measure = MeasureRequest(
        model=str(model), text=windows, measurements=specs.measurements([specs.perturbation(name) for name in names])
    )
    setting = specs.Setting(allocation=grammar.read_allocation("uniform:0.5"), repair="refit")
    return measure, lambda folder: ExportRequest(
        model=str(model), calibration=windows, setting=setting, folder=str(folder)
    )


def test_the_numbers_and_the_export_are_those_of_a_model_that_fits(
    empty: Store, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, export = asked(tiny.folder("llama"), text)
    folders, units = [], []
    for free in (None, 1):
        store = Store(tmp_path / f"cache {free}")
        if free:
            monkeypatch.setattr(devices, "free_memory", lambda _: 1)
        profile = experiment.get(measure, store)
        units.append([store.load(unit) for unit in profile.spec.units])
        folders.append(tmp_path / f"export {free}")
        experiment.get(export(folders[-1]), store)
    for one, other in zip(*units, strict=True):
        for each in fields(one):
            np.testing.assert_array_equal(getattr(one, each.name), getattr(other, each.name), err_msg=each.name)
    one, other = (load_back(folder)[0].state_dict() for folder in folders)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert len(list(folders[1].glob("*.safetensors"))) == tiny.LAYERS + 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_a_checkpoint_four_times_the_limit(tmp_path: Path, text: str) -> None:
    folder = written(tmp_path / "model", TIMES * LIMIT)
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert size >= TIMES * LIMIT
    few = ("--text", text, "--sequences", "2", "--length", "8")
    found = limited(tmp_path, "measure", "--model", folder, "--perturb", "residual:wanda:0.7", *few)
    layers = len(list(folder.glob("layers-*"))) * LAYERS_A_SHARD
    assert found["layers"] == layers
    out, few = (
        tmp_path / "out",
        ("--calibration", text, "--evaluate", text, "--sequences", "2", "--length", "8", "--windows", "1"),
    )
    found = limited(
        tmp_path, "prune", "--model", folder, "--allocation", "uniform:0.5", "--repair", "refit", "--export", out, *few
    )
    assert found["achieved"] == pytest.approx(0.5, abs=1e-4)
    assert len(list(out.glob("*.safetensors"))) == layers + 1
    with safe_open(out / f"model-00002-of-{layers + 1:05}.safetensors", "pt") as file:
        weight = file.get_tensor("model.layers.0.mlp.down_proj.weight")
    assert float((weight == 0).float().mean()) == pytest.approx(0.5, abs=1e-4)


def written(folder: Path, size: int) -> Path:
    """A Llama of random weights of at least so many bytes, in shards of two layers, written shard by shard."""
    config = transformers.LlamaConfig(
        vocab_size=tiny.VOCABULARY, hidden_size=640, intermediate_size=5120, num_attention_heads=8,
        num_key_value_heads=2, max_position_embeddings=tiny.LONGEST, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    config.num_hidden_layers = 1
    with torch.device("meta"):
        one = transformers.AutoModelForCausalLM.from_config(config)
    shapes = {name: each.shape for name, each in one.named_parameters()}
    inside = {name: shape for name, shape in shapes.items() if ".layers.0." in name}
    of_layer = 4 * sum(shape.numel() for shape in inside.values())
    shards = -(-size // (of_layer * LAYERS_A_SHARD))
    config.num_hidden_layers = shards * LAYERS_A_SHARD
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    generator = torch.Generator().manual_seed(0)

    def drawn(shape: torch.Size) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.02 if len(shape) > 1 else torch.ones(shape)

    files = {"outside.safetensors": {name: shape for name, shape in shapes.items() if name not in inside}}
    for shard in range(shards):
        layers = range(shard * LAYERS_A_SHARD, (shard + 1) * LAYERS_A_SHARD)
        files[f"layers-{shard}.safetensors"] = {
            name.replace(".0.", f".{layer}.", 1): shape for layer in layers for name, shape in inside.items()
        }
    for name, held in files.items():
        save_file({key: drawn(shape) for key, shape in held.items()}, folder / name, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {key: name for name, held in files.items() for key in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def limited(folder: Path, *words: object) -> dict:
    """What a command answers in a process that may hold no more than the limit."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(limit=LIMIT), *map(str, words), "--cache", f"{folder}/cache", "--json"],
        capture_output=True, text=True, cwd=PROJECT, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
