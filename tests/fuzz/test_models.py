"""Model folders: a sound one whose settings or weights are changed in any way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.loading import load
from core.models.sources import locate, outlined
from core.store.cache import Store
from tests import tiny
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed, odd

NUMBERS = (
    "num_attention_heads", "num_key_value_heads", "num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size",
    "max_position_embeddings", "head_dim", "rms_norm_eps", "rope_theta", "initializer_range", "pad_token_id",
)  # fmt: skip
WORDS = ("model_type", "architectures", "hidden_act", "torch_dtype", "dtype", "attention_bias", "rope_scaling")
QUANTISED = ("gptq", "awq", "bitsandbytes", "compressed-tensors", "fp8", "mxfp4", "hqq", "torchao", "nonsense")


@st.composite
def settings(draw: st.DrawFn, usual: dict) -> str:
    """config.json: one entry odd, deep, another model's, or quantised."""
    way = draw(st.sampled_from(["number", "word", "any", "quantised", "deep", "text"]))
    if way == "number":
        sizes = st.sampled_from([0, -1, 1, 3, 10**6, 2**40])
        return json.dumps(usual | {draw(st.sampled_from(NUMBERS)): draw(sizes | odd)})
    if way == "word":
        kinds = st.sampled_from(["gpt2", "bert", "t5", "mamba", "llama4", "clip", "x", ["LlamaForCausalLM"], {}])
        return json.dumps(usual | {draw(st.sampled_from(WORDS)): draw(kinds | odd)})
    if way == "quantised":
        method = draw(st.sampled_from(QUANTISED))
        bits = {"bits": draw(st.sampled_from([0, 2, 4, 8, -1])), "group_size": 128, "load_in_4bit": True}
        return json.dumps(usual | {"quantization_config": {"quant_method": method} | bits})
    if way == "deep":
        depth = draw(st.sampled_from([50, 900, 1500, 100_000]))
        return json.dumps(usual)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
    if way == "text":
        return draw(st.text(max_size=40))
    return json.dumps(draw(changed(usual)))


@st.composite
def weights(draw: st.DrawFn, usual: bytes) -> bytes | None:
    """The weights: as they were, cut, with other bytes or another header, or None for a folder of that name."""
    way = draw(st.sampled_from(["same", "same", "cut", "byte", "header", "folder", "noise"]))
    if way == "cut":
        return usual[: draw(st.integers(0, len(usual)))]
    if way == "byte":
        place = draw(st.integers(0, 3000))
        return usual[:place] + bytes([draw(st.integers(0, 255))]) + usual[place + 1 :]
    if way == "header":
        size = int.from_bytes(usual[:8], "little")
        head = json.dumps(draw(changed(json.loads(usual[8 : 8 + size])))).encode(errors="replace")
        return len(head).to_bytes(8, "little") + head + usual[8 + size :]
    return {"folder": None, "noise": draw(st.binary(max_size=60))}.get(way, usual)


@fuzz
@given(st.data())
def test_a_model_folder(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    good, folder = tiny.folder("llama"), tmp_path_factory.getbasetemp() / "model"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    config = data.draw(settings(json.loads((good / "config.json").read_text())))
    (folder / "config.json").write_text(config, encoding="utf-8", errors="replace")
    file, content = folder / "model.safetensors", data.draw(weights((good / "model.safetensors").read_bytes()))
    file.unlink()
    file.mkdir() if content is None else file.write_bytes(content)
    store = Store(Path(tmp_path_factory.getbasetemp()) / "cache")
    source = answered(lambda: locate(str(folder), store))
    if source and answered(lambda: outlined(source, store)):
        answered(lambda: load(source, "float32", store))
