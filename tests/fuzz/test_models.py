"""Model folders: a sound one whose settings or weights are changed in any way, or any file of it is another kind."""

import json
import shutil
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from core.models import load, locate, read_shape, save, windows
from core.requests import WindowRequest
from core.store import Store
from tests import tiny
from tests.fuzz import values
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed, odd

NUMBERS = (
    "num_attention_heads", "num_key_value_heads", "num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size",
    "max_position_embeddings", "head_dim", "rms_norm_eps", "rope_theta", "initializer_range", "pad_token_id",
)  # fmt: skip
WORDS = ("model_type", "architectures", "hidden_act", "torch_dtype", "dtype", "attention_bias", "rope_scaling")
QUANTISED = ("gptq", "awq", "bitsandbytes", "compressed-tensors", "fp8", "mxfp4", "hqq", "torchao", "nonsense")


@st.composite
def settings(draw, usual):
    """config.json: one entry odd, another model's, or quantised."""
    way = draw(st.sampled_from(["number", "word", "any", "quantised"]))
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
    return json.dumps(draw(changed(usual)))


@st.composite
def weights(draw, usual):
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


# --- kinds of files ------------------------------------------------------------------------------------------------

JSON = (
    "config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "processor_config.json", "chat_template.json", "model.safetensors.index.json",
)  # fmt: skip
OTHERS = ("merges.txt", "vocab.txt", "tokenizer.model", "chat_template.jinja", "README.md", "model.safetensors")
SPECIAL = values.SPECIAL | {
    "circle": lambda path: path.symlink_to(path),
    "nowhere": lambda path: path.symlink_to("nowhere"),
    "empty": Path.touch,
    "noise": lambda path: path.write_bytes(bytes(range(256)) * 9),
}


@st.composite
def another(draw):
    """A file's name and what to write there."""
    way = draw(st.sampled_from(["special", "changed", "changed", "deep", "long", "bytes"]))
    name = draw(st.sampled_from(JSON if way != "special" else JSON + OTHERS))
    if way == "special":
        return name, SPECIAL[draw(st.sampled_from(sorted(SPECIAL)))]
    good = tiny.folder("llama") / name
    usual = json.loads(good.read_text()) if good.exists() else {}
    if way == "changed":
        content = draw(changed(usual))
    elif way == "long":
        content = {f"<{number}>": number for number in range(draw(st.sampled_from([10, 1000, 10**6])))}
    else:
        depth, sign = draw(st.sampled_from([50, 900, 100_000])), draw(st.sampled_from(['{"x":', "[", "1"]))
        text = {"deep": sign * depth, "bytes": json.dumps(usual)[: draw(st.integers(0, 2000))]}[way]
        return name, lambda path: path.write_text(text + {"{": "1" + "}" * depth, "[": "]" * depth}.get(text[:1], ""))
    return name, lambda path: path.write_text(json.dumps(content))


@fuzz
@given(another())
def test_another_file_in_a_model_folder(tmp_path_factory, other):
    base = tmp_path_factory.getbasetemp()
    shutil.rmtree(base / "model", ignore_errors=True)
    path = shutil.copytree(tiny.folder("llama"), base / "model") / other[0]
    path.unlink(missing_ok=True)
    other[1](path)
    store = Store(base / "cache")

    def used():
        loaded = load(locate(str(base / "model"), store), "float32", store)
        windows.windows(WindowRequest(source="demo", sequences=1, length=8), loaded)
        shutil.rmtree(base / "saved", ignore_errors=True)
        save(loaded.model, loaded.tokenizer, base / "saved")

    answered(used)


@fuzz
@given(st.data())
def test_a_model_folder(tmp_path_factory, data):
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
    if source and answered(lambda: read_shape(source, store)):
        answered(lambda: load(source, "float32", store))
