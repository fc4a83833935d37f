"""Export: what is written loads back as what was pruned, and nothing is written that should not be."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from core.export import FORMER, RECIPE, check_target, checking, licence_of
from core.models import Source, anatomy, loading, without_layers
from core.prune import count_zeros
from core.requests import grammar
from core.store import Store
from tests import gguf_files, tiny
from tests.core.export.examples import CARD, SPARSITY, logits, pruned, read, write, zero_rows

# --- what is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt"])
def test_a_folder_loads_back_as_the_pruned_model(family, tmp_path):
    loaded = pruned(family)
    config = loaded.model.config.to_dict()
    with tiny.untouched(loaded.model):
        exported = write(loaded, tmp_path)
    assert loaded.model.config.to_dict() == config
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", local_files_only=True).eval()
    assert torch.equal(logits(model), logits(loaded.model))
    assert exported.difference == 0
    counted = anatomy.per_weight(anatomy.decoder_layers(model), anatomy.zero_fraction)
    assert np.array_equal(counted, exported.achieved)
    assert np.abs(exported.achieved - SPARSITY[:, None]).max() <= 1 / 16
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(exported.files)
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "something was left beside it"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_bytes_are_counted_and_tied_weights_stored_once(dtype, tmp_path):
    loaded = pruned("bloom", dtype)
    exported = write(loaded, tmp_path)
    files = list((tmp_path / "out").glob("*.safetensors"))
    assert exported.bytes == sum(path.stat().st_size for path in files)
    size = {"float32": 4, "bfloat16": 2, "float16": 2}[dtype]
    assert exported.dense_bytes == size * sum(p.numel() for p in loaded.model.parameters())
    assert 0 < exported.bytes - exported.dense_bytes < 20_000  # more than a header besides the values
    with safe_open(files[0], "pt") as file:
        names = set(file.keys())
        assert {file.get_tensor(name).dtype for name in names} == {getattr(torch, dtype)}
    assert not any("lm_head" in name for name in names)


def test_the_configuration_is_plain(llama, tmp_path):
    llama.model.config.sparsity_config = {"format": "dense"}
    llama.model.config.compression_config = {"format": "dense"}
    write(llama, tmp_path)
    config = json.loads((tmp_path / "out" / "config.json").read_bytes())
    assert not [name for name in config if "sparsity" in name or "quantization" in name or "compression" in name]
    assert config["dtype"] == "float32"
    assert llama.model.config.sparsity_config == {"format": "dense"}  # the model's own configuration was changed
    told = (tmp_path / "out" / "tokenizer_config.json").read_text()
    assert "local" not in told and str(tmp_path) not in told


# --- what stops it -------------------------------------------------------------------------------------------------


def _one_zero(model, _):
    weight = anatomy.linears(anatomy.decoder_layers(model)[0])[0].weight.data
    weight[tuple(torch.nonzero(weight == 0)[0])] = 1e-30


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda model, _: model.lm_head.weight.data[5, 3].add_(1), "lm_head.weight.*logits"),
        (lambda model, _: model.lm_head.weight.data[5, 3].fill_(torch.nan), "logits differ by inf"),
        (lambda model, _: setattr(model.config, "quantization_config", {"quant_method": "gguf"}), "quantization_conf"),
        (lambda _, tokenizer: tokenizer.add_tokens(["heron"]), "vocabulary"),
        (_one_zero, "1 weights differ"),
    ],
)
def test_a_folder_that_differs_is_not_kept(spoil, named, llama, tmp_path, monkeypatch):
    load_back = checking.load_back
    monkeypatch.setattr(checking, "load_back", lambda *how: (found := load_back(*how), spoil(*found))[0])
    with tiny.untouched(llama.model), pytest.raises(RuntimeError, match=named):
        write(llama, tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_weight_per_row_is_forgiven_and_zeros_of_the_dense_model_may_stay(tmp_path):
    loaded = pruned("llama", sparsity=np.full(4, 0.25))
    with pytest.raises(RuntimeError, match="planned"):
        write(loaded, tmp_path, np.full(4, 0.125))
    write(loaded, tmp_path, np.full(4, 0.125), count_zeros(loaded))
    write(loaded, tmp_path, np.array([0.25, 0.25, 0.25 + 1 / 65, 0.25]), overwrite=True)


# --- where it may go -----------------------------------------------------------------------------------------------


def test_an_earlier_export_is_replaced_only_if_told(llama, tmp_path, refused):
    out = tmp_path / "out"
    out.mkdir()
    write(llama, tmp_path)  # an empty folder is no obstacle
    for again in (lambda: check_target(out, False), lambda: write(llama, tmp_path)):
        with refused(str(out), "earlier"):
            again()
    write(llama, tmp_path, title="Second", overwrite=True)
    assert "# Second" in (out / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_power_cut_leaves_the_earlier_export_or_the_new_one(llama, tmp_path, monkeypatch):
    """All that was written is on the disk before it gets its name, and its name is before the earlier one goes."""
    out = write(llama, tmp_path).path
    did = []
    rename = Path.rename
    monkeypatch.setattr(os, "fsync", lambda handle: did.append(os.fstat(handle).st_ino))
    monkeypatch.setattr(Path, "rename", lambda self, to: (did.append(to), rename(self, to))[1])
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: path.exists() and did.append("deleted"))
    write(llama, tmp_path, title="Second", overwrite=True)
    renamed = did.index(out)
    assert {each.stat().st_ino for each in (out, *out.iterdir())} <= set(did[:renamed])
    assert did[renamed + 1 :] == [tmp_path.stat().st_ino, "deleted"]


def test_what_no_export_wrote_is_never_replaced(llama, tmp_path, refused):
    write(llama, tmp_path)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    tiny.save_tiny(tmp_path / "model", "llama")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "heron.jpg").write_text("a heron")
    for name, file in (("out", "notes.txt"), ("model", "config.json"), ("photos", "heron.jpg")):
        with refused(file):
            check_target(tmp_path / name, True)


def test_the_model_itself_is_never_replaced(llama, tmp_path, refused):
    folder = write(llama, tmp_path).path
    again = loading.load(Source("again", folder, None, "again", None))
    with refused(str(folder), "the model"):
        write(again, tmp_path, overwrite=True)


def test_places_that_cannot_be_written(tmp_path, monkeypatch, refused):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "cache")
    places = {"file": {"overwrite": True}, "absent/out": {}, "cache/out": {"store": store}, "out": {"needed": 10**18}}
    for place, how in places.items():
        with refused(f"{10**18:,}" if "needed" in how else place.partition("/")[0]):
            check_target(tmp_path / place, **{"overwrite": False} | how)
    with refused("too long", "xxx"):  # a folder may have that name, but not the longer one that it has first
        check_target(tmp_path / ("x" * 230), False)
    monkeypatch.setattr("os.access", lambda *_: False)
    with refused(str(tmp_path)):
        check_target(tmp_path / "out", False)
    assert not (tmp_path / "out").exists()


def test_a_failed_rename_brings_the_earlier_back(llama, tmp_path, monkeypatch):
    write(llama, tmp_path)
    rename = Path.rename

    def stubborn(self, target):
        if target == tmp_path / "out" and FORMER not in self.name:
            raise OSError("in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stubborn)
    with pytest.raises(OSError, match="in use"):
        write(llama, tmp_path, title="Second", overwrite=True)
    assert "# Tiny" in (tmp_path / "out" / "README.md").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_model_of_a_gguf_file_is_written_plain(tmp_path, empty):
    """It keeps its quantiser in memory, and some zeros of rounding."""
    gguf_files.write(tmp_path / "tiny.gguf")
    loaded = read(tmp_path / "tiny.gguf", empty)
    before = count_zeros(loaded)
    for linear in anatomy.prunable_linears(loaded.layers[1]):
        zero_rows(linear.weight, 0.5)
    quantizer = loaded.model.hf_quantizer
    with tiny.untouched(loaded.model):
        exported = write(loaded, tmp_path, np.array([0, 0.5, 0, 0]), before)
    assert loaded.model.hf_quantizer is quantizer and loaded.model.config.quantization_config is not None
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_bytes())
    assert exported.achieved[1] == pytest.approx(np.full(7, 0.5), abs=0.05) and exported.difference == 0
    assert np.array_equal(exported.achieved[2:], before[2:])
    again, _ = checking.load_back(tmp_path / "out")
    assert torch.equal(logits(again), logits(loaded.model))


# --- without some layers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "form"), [("llama", "dense"), ("gemma2", "dense"), ("gpt2", "dense"), ("llama", "gguf:F16")]
)
def test_a_folder_without_some_layers_is_the_model_that_skips_them(family, form, tmp_path):
    loaded = pruned(family)
    config = loaded.model.config.to_dict()
    with without_layers(loaded.model, [1, 2]):
        exported = write(loaded, tmp_path, SPARSITY[[0, 3]], form=form)
        meant = logits(loaded.model)  # with the half precision that the GGUF file keeps
    assert loaded.model.config.to_dict() == config and len(loaded.layers) == 4
    file = {"gguf_file": "model.gguf"} if form != "dense" else {}
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32, **file).eval()
    own = model.config.get_text_config()
    assert own.num_hidden_layers == len(anatomy.decoder_layers(model)) == len(exported.planned) == 2
    assert len(getattr(own, "layer_types", None) or "ab") == 2
    assert (logits(model) - meant).abs().max() / meant.abs().max() <= (1e-6 if form == "dense" else 1e-4)


# --- the card ---------------------------------------------------------------------------------------------------------


def test_the_recipe_is_read_by_tools(written):
    exported, _, _ = written
    path = exported.path / RECIPE
    told = json.loads(path.read_bytes())
    assert told["recipe"] == CARD.recipe
    assert told["numbers"] == [list(row) for row in CARD.numbers]
    assert np.array_equal(told["export"]["achieved"], exported.achieved)
    assert told["export"]["bytes"] == exported.bytes
    assert str(exported.path.parent) not in path.read_text()
    assert grammar.read_allocation(str(path)).base.sparsity == tuple(SPARSITY), "it is an allocation file, too"


# --- licences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: Apache-2.0\ntags: [x]\n---\n# Model\n", "apache-2.0"),
        ("---\nlicense:\n- llama3.2\n---\n", "llama3.2"),
        ("---\nlicense: other\nlicense_name: pond-research\n---\n", "pond-research"),
        ("---\nlicense: other\n---\n", None),
        ("---\nlicense: {a: mit}\n---\n", None),
        ("---\nlicense: [mit\n---\n", None),
        ("---\n- license: mit\n---\n", None),
        pytest.param("---\n" + "[" * 5000 + "\n---\n", None, id="deep"),
        ("# Model\n---\nlicense: mit\n---\n", None),
    ],
)
def test_licences_are_read_from_the_card(text, licence, tmp_path):
    assert licence_of(Source("x", tmp_path, None, "x", None)) is None
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    assert licence_of(Source("x", tmp_path, None, "x", None)) == licence


def test_licences_are_read_from_a_gguf_file(tmp_path):
    gguf_files.bare(tmp_path / "model.gguf", licence="Apache-2.0")
    assert licence_of(Source("x", tmp_path, "model.gguf", "x", None)) == "apache-2.0"
