"""A checkpoint that memory does not hold is measured, pruned, repaired and exported all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import save_file

from core.export.checking import load_back
from core.jobs import execute
from core.lab.answers import ModelServer
from core.models import placement
from core.store import Store
from tests import tiny
from tests.builders.requests import export, measurement, recipe
from tests.faulty import rewritten

PROJECT = Path(__file__).resolve().parents[3]
LIMIT = 600 * 2**20  # bytes of data that the process may hold; Python and its libraries take 430 MiB of them
TIMES = 4
PATIENCE = 3600  # seconds for the command
LEAN = {  # what allocators reserve and never fill would count as data
    "OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_MMAP_THRESHOLD_": "1048576",
}  # fmt: skip
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
from pathlib import Path
from core import experiment
from core.requests import MeasureRequest
from core.store.cache import Store
experiment.get(MeasureRequest.model_validate_json(sys.argv[1]), Store(Path(sys.argv[2])))
"""


def test_the_numbers_and_the_export_are_those_of_a_model_that_fits(empty, tmp_path, text, monkeypatch):
    other = rewritten(tmp_path / "other", lambda name, each: 1.05 * each if "layers.2" in name else each)
    measure = measurement(text, "gaussian:0.3", "residual:wanda:0.7", f"checkpoint:{other}")
    folders, units = [], []
    for free in (None, 1):
        store = Store(tmp_path / f"cache {free}")
        if free:
            monkeypatch.setattr(placement, "free_memory", lambda _: 1)
        profile = execute.get(measure, store)
        units.append([store.load(unit) for unit in profile.spec.units])
        folders.append(tmp_path / f"export {free}")
        execute.get(export(text, folders[-1], recipe(repair="refit")), store)
    for one, other in zip(*units, strict=True):
        tiny.assert_close(one, other)
    one, other = (load_back(folder)[0].state_dict() for folder in folders)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert len(list(folders[1].glob("*.safetensors"))) == tiny.LAYERS + 1


def test_the_lab_refuses_it(no_demo, monkeypatch, refused):
    monkeypatch.setattr(placement, "free_memory", lambda _: 1)
    with refused("larger than the memory", "lab"):
        ModelServer(str(tiny.folder("llama")))


@pytest.mark.slow
@pytest.mark.timeout(PATIENCE)
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_a_checkpoint_four_times_the_limit(tmp_path, text):
    """All layers pass through the memory of a process that may hold a quarter of them."""
    model = written(tmp_path / "model", TIMES * LIMIT)
    assert sum(path.stat().st_size for path in model.glob("*.safetensors")) >= TIMES * LIMIT
    measure = measurement(text, "residual:wanda:0.7", model=model, sequences=1)
    code, cache = LIMITED.format(limit=LIMIT), tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, "-c", code, measure.model_dump_json(), str(cache)],
        capture_output=True, text=True, cwd=PROJECT, env={**os.environ, **LEAN}, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Store(cache).find(measure)


def written(folder, size):
    """A Llama of random weights of at least so many bytes, a shard for every layer, written shard by shard."""
    config = transformers.LlamaConfig(
        vocab_size=tiny.VOCABULARY, hidden_size=640, intermediate_size=2048, num_attention_heads=8, num_hidden_layers=1,
        num_key_value_heads=2, max_position_embeddings=tiny.LONGEST, bos_token_id=0, eos_token_id=0,
        architectures=["LlamaForCausalLM"],
    )  # fmt: skip
    torch.manual_seed(0)
    drawn = transformers.AutoModelForCausalLM.from_config(config).state_dict()
    layer = {name: value for name, value in drawn.items() if ".layers.0." in name}
    config.num_hidden_layers = -(-size // sum(value.nbytes for value in layer.values()))
    config.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    files = {"outside.safetensors": {name: value for name, value in drawn.items() if name not in layer}}
    save_file(files["outside.safetensors"], folder / "outside.safetensors", {"format": "pt"})
    for index in range(config.num_hidden_layers):
        values = {name.replace(".0.", f".{index}.", 1): value.roll(index, 0) for name, value in layer.items()}
        files[f"layer-{index}.safetensors"] = values.keys()
        save_file(values, folder / f"layer-{index}.safetensors", {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, held in files.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder
