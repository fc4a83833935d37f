"""Layers that lie elsewhere than they run give the numbers of those that do not."""

import sys
from dataclasses import replace
from functools import cache

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoConfig, AutoModelForCausalLM

from core.export import load_back
from core.measure import clean_statistics, hooks, largest_replay_error, prepare, wavefront
from core.models import (
    Loaded,
    OffloadedWeights,
    anatomy,
    checkpoint_pieces,
    is_streamed,
    loading,
    locate,
    machine,
    offload,
    offloaded,
    placement,
    read_by_layers,
    record,
    save,
    stream,
    tail,
    weights_on_device,
)
from core.prune import prune_layers, restored
from core.store import Store
from tests import families, tiny
from tests.builders.recipes import exact
from tests.core.models.test_models import with_weight
from tests.faulty import rewritten

FAMILIES = ("llama", "gpt2", "gpt_neox", "bloom", tiny.ODD)  # by how files name weights, and how layers are called
CPU = torch.device("cpu")
TEXT = tiny.windows(4, 14)


def in_files(folder, dtype="float32"):
    """A model whose layers stay in their files."""
    source, config = locate(str(folder), Store(tiny.kept("cache"))), AutoConfig.from_pretrained(folder)
    model = read_by_layers(source, config, dtype, None).eval().requires_grad_(False)
    spec = tiny.loaded("llama").spec.replace(content=source.content, dtype=dtype)
    return Loaded(tiny.tokenizer(), source, "tiny", model.config, model, spec)


def in_memory(family):
    """A model whose layers are streamed from the machine's memory, as to a smaller device; that is the CPU here."""
    of = replace(tiny.loaded(family), model=tiny.built(family))
    stream(of.layers, CPU)
    return of


@cache
def streamed_twin(family, kind):
    return in_files(tiny.folder(family)) if kind == "files" else in_memory(family)


@pytest.fixture(params=["files", "memory"])
def twin(request):
    """The streamed twin of a family's model."""
    return lambda family: streamed_twin(family, request.param)


def weights(of):
    return {name: value.clone() for piece in checkpoint_pieces(of.model) for name, value in piece.items()}


@torch.inference_mode()
def measured(of, engine, name):
    _, moments = clean_statistics(of, TEXT.tokens, ("norm",), False, lambda _: None)
    group = prepare(of, TEXT.tokens, [0, 2, 3], moments, 4)
    assert largest_replay_error(group, lambda _: None) < 1e-5
    return engine(group, tiny.measurement(name), lambda _: None)


def assert_streamed(of):
    """No weight of a layer is in memory, and all are found where they lie."""
    assert is_streamed(of.layers)
    assert all(each.is_meta for layer in of.layers for each in layer.parameters())


# --- the same numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [*FAMILIES, "mixtral"])  # whose files hold experts in another form
def test_a_streamed_model_is_the_model_and_saved_layer_by_layer_it_loads_anywhere(family, twin, tmp_path):
    of, plain = twin(family), tiny.loaded(family).model
    both, own = weights(of), plain.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in both.items())
    assert both.keys() == {name for name, _ in (*plain.named_parameters(), *plain.named_buffers())} & own.keys()
    assert torch.equal(*(each(input_ids=TEXT.tokens, use_cache=False).logits for each in (of.model, plain)))
    assert_streamed(of)
    save(of.model, of.tokenizer, tmp_path / "layers")
    plain.save_pretrained(tmp_path / "plain")
    one, whole = (sorted((tmp_path / each).glob("*.safetensors")) for each in ("layers", "plain"))
    assert len(one) == tiny.LAYERS + 1
    assert {name for path in one for name in load_file(path)} == {name for path in whole for name in load_file(path)}
    assert tiny.same(load_back(tmp_path / "layers")[0].state_dict(), own)


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("llama", "skip"), ("gpt2", "skip:head:1"), ("bloom", "mean:mlp"), ("gpt_neox", "gaussian:0.3:attention"),
        ("gpt2", "residual:wanda:0.7:mlp"),
        *((each, "residual:wanda:0.7") for each in FAMILIES if each != tiny.ODD),
    ],
)  # fmt: skip
@pytest.mark.parametrize("engine", [wavefront, hooks])
def test_it_is_measured_alike(family, name, engine, twin):
    tiny.assert_close(measured(twin(family), engine, name), measured(tiny.loaded(family), engine, name))
    assert_streamed(twin(family))


# --- changes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "repair"), [*((each, None) for each in FAMILIES), ("llama", "refit")])
def test_it_is_pruned_and_repaired_alike_and_comes_back(family, repair, twin):
    of, plain = twin(family), replace(tiny.loaded(family), model=tiny.built(family))
    plan = exact("wanda", 0.5, repair=repair)
    before = weights(of)
    with restored(of):
        np.testing.assert_array_equal(prune_layers(of, TEXT.tokens, plan), prune_layers(plain, TEXT.tokens, plan))
        own = plain.model.state_dict()
        assert all(torch.equal(value, own[name]) for name, value in weights(of).items())
        logits = [each.model(input_ids=TEXT.tokens, use_cache=False).logits for each in (of, plain)]
        assert torch.equal(*logits)
    assert tiny.same(weights(of), before)
    assert_streamed(of)


def test_weights_are_read_once_for_all_calls_inside_a_block(monkeypatch, twin):
    of, read = twin("llama"), []
    fetch = OffloadedWeights.fetch
    monkeypatch.setattr(OffloadedWeights, "fetch", lambda home: read.append(home) or fetch(home))
    group = prepare(of, TEXT.tokens, [0, 1], None, 4)
    assert read == [offloaded(layer) for layer in of.layers]  # the clean run; the head needs no layer
    read.clear()
    wavefront(group, tiny.measurement("gaussian:0.3"), lambda _: None)
    assert read == [offloaded(layer) for layer in of.layers]


def test_a_change_outside_of_keeping_is_lost_and_an_error_takes_the_weights_away(twin):
    of = twin("llama")
    [layer, *_] = of.layers
    with pytest.raises(ValueError, match="inside"), weights_on_device(layer, keep=True):
        anatomy.linears(layer)[0].module.weight.zero_()
        raise ValueError("inside")
    assert_streamed(of)
    with weights_on_device(layer):
        assert anatomy.linears(layer)[0].module.weight.count_nonzero()


# --- files ---------------------------------------------------------------------------------------------------------


def test_half_precision_files_run_in_the_dtype_that_was_asked_for(tmp_path):
    of, own = in_files(rewritten(tmp_path / "half", lambda _, each: each.bfloat16())), tiny.built("llama").state_dict()
    assert all(torch.equal(value, own[name].bfloat16().float()) for name, value in weights(of).items())


def test_files_that_lack_weights_or_hold_others_are_refused(tmp_path, refused):
    folder, gone = tiny.save_tiny(tmp_path, "llama"), "model.layers.2.mlp.up_proj.weight"
    for change, about in ((lambda _: None, "lacks 1"), (lambda _: torch.zeros(3), "another shape")):
        with_weight(gone, change)(folder)
        with refused(gone, about):
            in_files(folder)
        tiny.save_tiny(folder, "llama")


def test_only_a_model_that_memory_does_not_hold_is_streamed(monkeypatch, empty):
    source = locate(str(tiny.folder("llama")), empty)
    need = sum(each.nbytes for each in tiny.loaded("llama").model.parameters()) / machine.HEADROOM
    for free, expected in ((need + 2, False), (need - 2, True)):
        monkeypatch.setattr(placement, "free_memory", lambda _, free=free: free)
        found = loading.load(source, store=empty)
        assert is_streamed(found.layers) == expected
        assert bool(list((empty.root / "converted").glob(".layers-*"))) == expected
    of = found.model
    del found, of
    assert not list((empty.root / "converted").glob(".layers-*")), "what was changed goes with the model"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_no_more_is_free_than_a_limit_leaves():
    resource, room = pytest.importorskip("resource", reason="Windows sets a process no such limits"), 2**30
    before = resource.getrlimit(resource.RLIMIT_DATA)
    used = psutil.Process().memory_info().data
    resource.setrlimit(resource.RLIMIT_DATA, (used + room, before[1]))
    try:
        limited = placement.free_memory(CPU)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)
    assert 0.9 * room < limited <= room
    assert placement.free_memory(CPU) > 2 * room


# --- devices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_streamed_layers_are_brought_to_the_device(family):
    """A second CPU stands in for a GPU. Fake tensors know where they would be, and torch refuses to mix them."""
    there = torch.device("cpu", 1)
    with FakeTensorMode(allow_non_fake_inputs=False), there:
        model = AutoModelForCausalLM.from_config(families.config(family, tiny.LAYERS, tiny.WIDTH)).eval()
        layers = anatomy.decoder_layers(model.requires_grad_(False))
        for layer in layers:
            offload(
                layer, OffloadedWeights({name: each.data.to(CPU) for name, each in layer.named_parameters()}, there)
            )
        ids = torch.zeros(2, 8, dtype=torch.long)
        calls = record(model, layers, ids)
        streams = []
        for call in calls:
            with weights_on_device(call.layer):
                streams.append(call(call.entry, {name: 2 * each for name, each in call.layer.named_parameters()}))
        logits = tail(model, calls, calls[-1].exit)
    assert {each.device for each in (calls[-1].exit, logits, *streams)} == {there}


@pytest.mark.parametrize("free", [1, 2**40])
def test_what_a_device_does_not_hold_is_streamed_there(free, monkeypatch):
    model, there = tiny.built("llama"), torch.device("meta")
    monkeypatch.setattr(placement, "free_memory", lambda _: free)
    layers = anatomy.decoder_layers(model)
    placement.place(model, layers, there)
    assert model.device == there and is_streamed(layers) == (free == 1)
    assert all(offloaded(layer).device == there for layer in layers if is_streamed(layers))
