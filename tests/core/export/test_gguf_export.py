"""A GGUF file that an export writes is read back as the model with the same quantised values, in predicted bytes."""

import hashlib
import json

import gguf
import numpy as np
import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaTokenizer

from core.export import GGUF, SENTENCE, file_sizes, target
from core.jobs import execute
from core.methods import KQUANTS, QUANT_FORMATS, Manual, pack, rounded
from core.models import anatomy, loading, locate
from core.models.sources import count_numbers
from core.plan import sizes
from core.prune import imatrix
from core.requests import AllocationRequest, ExportRequest, Recipe, WindowRequest, grammar, read_recipe, uniform
from tests import families, gguf_files, tiny
from tests.core.export.examples import SPARSITY, logits, read, with_zeros, write

KNOWN = ("llama", "qwen2", "qwen3", "gemma2", "gemma3_text")


def saved(folder, family, **more):
    """A folder of a family, with the heads and the order of windows that readers of its GGUF files take for granted."""
    own = {"qwen3": {"head_dim": 128}, "gemma3_text": {"layer_types": None, "sliding_window_pattern": 6}}
    told = families.config(family, 4, 32).to_dict() | own.get(family, {}) | more
    tiny.filled(type(families.config(family, 4, 32))(**told)).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def pruned(folder, store, dtype="float32"):
    return with_zeros(read(folder, store, dtype))


def tensors(folder):
    """Tensors of the file in a folder, and their types, by name."""
    found = {each.name: each for each in gguf.GGUFReader(folder / GGUF).tensors}
    return found, {name: each.tensor_type.name for name, each in found.items()}


def fields(path):
    """A function: what the file says of a key."""
    held = gguf.GGUFReader(path).fields
    return lambda key: held[key].contents()


@pytest.mark.parametrize(
    ("family", "form"), [*((each, "Q4_0") for each in KNOWN), *(("llama", each) for each in ("F16", "Q5_1", "Q8_0"))]
)
def test_the_file_holds_the_quantised_model(family, form, tmp_path, empty):
    loaded = pruned(saved(tmp_path / "model", family), empty)
    rounds = QUANT_FORMATS.get(form)
    linears = [linear.weight for layer in loaded.layers for linear in anatomy.prunable_linears(layer)]
    meant = [rounded(each, rounds) if rounds else each.half().float() for each in linears]
    exported = write(loaded, tmp_path, form=f"gguf:{form}")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", gguf_file=GGUF, dtype=torch.float32).eval()
    held = [linear.weight for layer in anatomy.decoder_layers(model) for linear in anatomy.prunable_linears(layer)]
    assert all(torch.equal(one, other) for one, other in zip(held, meant, strict=True))
    assert torch.allclose(logits(model), logits(loaded.model), rtol=0, atol=1e-4 * logits(model).abs().max())
    assert np.allclose(exported.achieved, anatomy.per_weight(anatomy.decoder_layers(model), anatomy.zero_fraction))

    if form == "Q4_0":  # which has a zero
        assert (exported.achieved >= SPARSITY[:, None] - 1 / 32).all()
    assert "gguf_file='model.gguf'" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(target.HoldsExport):  # it is known for what it is
        target.check_target(tmp_path / "out", False)
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "out")(SENTENCE) == loaded.tokenizer(SENTENCE)

    own = locate(str(tmp_path / "out" / GGUF), empty)  # by our own reader
    assert loading.load(own).tokenizer(SENTENCE)["input_ids"] == loaded.tokenizer(SENTENCE)["input_ids"]
    reader = gguf.GGUFReader(tmp_path / "out" / GGUF)
    bits = rounds.bits_per_weight if rounds else 16
    for source in (loaded.source, own):  # a file that is read tells its numbers too
        predicted = sizes.total(count_numbers(source, empty), bits, gguf=True)
        assert exported.bytes - reader.data_offset == predicted == sum(each.n_bytes for each in reader.tensors)


def test_what_a_gguf_model_says_of_itself_is_kept(tmp_path, empty):
    gguf_files.write(tmp_path / "tiny.gguf", kind="Q4_1")
    loaded = read(tmp_path / "tiny.gguf", empty)
    write(loaded, tmp_path, np.zeros(4), np.ones((4, 7)), "gguf:Q4_1")
    old, new = fields(tmp_path / "tiny.gguf"), fields(tmp_path / "out" / GGUF)
    names = [*gguf.GGUFReader(tmp_path / "tiny.gguf").fields]
    told = {name: old(name) for name in names if name.startswith(("tokenizer.", "llama."))}
    assert len(told) > 12
    epsilon = "llama.attention.layer_norm_rms_epsilon"
    told[epsilon] = pytest.approx(told[epsilon])
    assert {name: new(name) for name in told} == told
    again = read(tmp_path / "out" / GGUF, empty).model.state_dict()
    first = gguf_files.write(tmp_path / "again.gguf", kind="Q4_1")
    layers = [name for name in again if ".layers." in name]
    assert all(np.array_equal(again[name].numpy(), first[name]) for name in layers), "Q4_1 gives Q4_1 back"


def test_sentencepiece_tokens_are_written(tmp_path, empty):
    letters = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *"acehinort"]
    merges = [("c", "a"), ("t", "h"), ("th", "e"), ("\u2581", "the"), ("\u2581", "ca"), ("r", "o")]
    vocabulary = {token: place for place, token in enumerate([*letters, *map("".join, merges)])}
    folder = saved(tmp_path / "model", "llama", vocab_size=len(vocabulary) + 3)
    LlamaTokenizer(vocab=vocabulary, merges=merges).save_pretrained(folder)
    loaded = read(folder, empty)
    write(loaded, tmp_path, np.zeros(4), form="gguf")
    told = fields(tmp_path / "out" / GGUF)
    assert told("tokenizer.ggml.model") == "llama"
    kinds = told("tokenizer.ggml.token_type")
    assert (kinds[2], kinds[3], kinds[-1]) == (gguf.TokenType.CONTROL, gguf.TokenType.BYTE, gguf.TokenType.UNUSED)


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "form", "more", "about"),
    [
        ("opt", "gguf", {}, ("opt", "llama", "gemma2")),
        ("llama", "gguf:Q4_0", {"intermediate_size": 40}, ("Q4_0", "40 inputs", "multiple of 32")),
    ],
)
def test_what_no_file_holds_is_refused_before_any_weight_is_read(family, form, more, about, tmp_path, empty, refused):
    model = saved(tmp_path / "model", family, **more)
    request = ExportRequest(setting=Recipe(), model=str(model), folder=str(tmp_path / "out"), format=form)
    with refused(*about):
        target.check_early(request, empty)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("family", "more", "about"),
    [
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "linear"),
        ("mistral", {}, "windows of attention"),
    ],
)
def test_what_a_file_cannot_tell(family, more, about, tmp_path, empty, refused):
    loaded = pruned(saved(tmp_path / "model", family, **more), empty)
    with refused(about, "dense"):
        write(loaded, tmp_path, form="gguf")
    assert not (tmp_path / "out").exists()


def test_a_file_that_differs_is_not_kept(tmp_path, empty, monkeypatch):
    monkeypatch.setattr("core.export.gguf_file._as_stored", lambda family, name, value, config: value)
    loaded = pruned(saved(tmp_path / "model", "llama"), empty)
    with pytest.raises(RuntimeError, match=r"weights differ, .*q_proj"):
        write(loaded, tmp_path, form="gguf:Q8_0")
    assert not (tmp_path / "out").exists()


# --- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["llama", "bloom"])  # the second ties its embeddings
def test_a_dense_folder_has_the_bytes_that_are_predicted(family, tmp_path, empty):
    loaded = pruned(tiny.folder(family), empty, "float16")
    exported = write(loaded, tmp_path)
    counts = count_numbers(loaded.source, empty)
    found = sizes.sizes(counts, *file_sizes.own_form(Recipe(allocation=uniform(exported.sparsity))))
    assert found[sizes.DENSE] == exported.dense_bytes
    gone, weights = (np.nansum(each * exported.weights) for each in (exported.achieved, 1))
    assert found[sizes.DENSE] - found[sizes.MASKED] == pytest.approx(2 * gone - weights / 8, abs=1)
    assert file_sizes.own_form(Recipe(pattern="2:4")) == (sizes.PATTERN, 9, False, 0, None)


def test_a_plan_of_several_types_is_written_and_its_bytes_are_predicted(tmp_path, empty):
    loaded = read(saved(tmp_path / "model", "llama"), empty)
    types = [["Q8_0"] * 7, ["Q4_0"] * 7, ["Q8_0", *["Q4_0"] * 6], ["Q5_1"] * 7]
    exported = write(loaded, tmp_path, np.zeros(4), np.ones(()), "gguf:F16", types)
    held, written = tensors(tmp_path / "out")
    assert [written[f"blk.{layer}.attn_q.weight"] for layer in range(4)] == [row[0] for row in types]
    told = dict(line.split("=") for line in (tmp_path / "out" / "tensor-types.txt").read_text().split())
    assert told == {name: kind for name, kind in written.items() if "norm" not in name}
    assert {written[f"blk.2.{name}.weight"] for name in ("attn_k", "attn_v", "ffn_down", "ffn_up")} == {"Q4_0"}
    bits = np.vectorize(lambda name: QUANT_FORMATS[name].bits_per_weight)(types)
    mean = float((bits * exported.weights).sum() / exported.weights.sum())
    predicted = sizes.total(count_numbers(loaded.source, empty), mean, gguf=True)
    assert sum(each.n_bytes for each in held.values()) == predicted


def test_k_quants_are_ggmls_own_of_the_importance_that_lies_beside_them(tmp_path, empty, refused):
    model = saved(tmp_path / "model", "llama", hidden_size=256, intermediate_size=288)
    types = ["Q4_K", "IQ3_XXS", "Q2_K", "Q6_K"]
    shares = [KQUANTS.read(each) for each in types]
    plan = AllocationRequest(
        base=Manual(sparsity=tuple(shares)), target=sum(shares) / 4, currency="kquants", outside="Q4_K/Q6_K"
    )
    setting = Recipe(allocation=plan, pruner="kquants", calibration_seed=0)
    how = {"calibration": WindowRequest(sequences=2, length=16), "format": "gguf"}
    request = ExportRequest(setting=setting, model=str(model), folder=str(tmp_path / "out"), **how)
    made = execute.get(request, empty).provenance
    assert any("Q2_K holds no rows of 288" in each and "became Q4_0" in each for each in made["warnings"])
    held, kinds = tensors(tmp_path / "out")
    told = [fields(tmp_path / "out" / GGUF)(f"general.{name}") for name in ("type", "name", "file_type")]
    assert told == ["model", "model", gguf.LlamaFileType.MOSTLY_Q4_K_M]
    assert (kinds["token_embd.weight"], kinds["output.weight"]) == ("Q4_K", "Q6_K")
    sized = sizes.total(count_numbers(locate(str(model), empty), empty), 0.0, True, 0.0, "Q4_K/Q6_K")
    assert sized == sum(each.n_bytes for name, each in held.items() if "blk" not in name or len(each.shape) == 1)
    for layer, kind in enumerate(types):
        own = kind, QUANT_FORMATS[kind].fallback
        assert (kinds[f"blk.{layer}.ffn_up.weight"], kinds[f"blk.{layer}.ffn_down.weight"]) == own
    widths = {name: int(each.shape[0]) for name, each in held.items() if "norm" not in name and "blk" in name}
    execute.get(request.replace(setting=Recipe(), format="gguf:Q4_K", folder=str(tmp_path / "plain")), empty)
    _, plain = tensors(tmp_path / "plain")
    assert (plain["blk.0.ffn_up.weight"], plain["blk.0.ffn_down.weight"]) == ("Q4_K", "Q5_0")
    assert not (tmp_path / "plain" / "imatrix.gguf").exists()
    means, _ = imatrix.read(tmp_path / "out" / "imatrix.gguf", widths, empty)
    dense = loading.load(locate(str(model), empty)).model.state_dict()
    weight = dense["model.layers.2.mlp.up_proj.weight"].numpy()
    again = pack(weight, "Q2_K", means["blk.2.ffn_up.weight"] * 32)
    assert np.array_equal(again.data, held["blk.2.ffn_up.weight"].data)

    matrix = (tmp_path / "out" / "imatrix.gguf").rename(tmp_path / "own.gguf")
    given = request.replace(imatrix=str(matrix), folder=str(tmp_path / "given"))
    spent = execute.get(given, empty).spec.pruned
    assert spent.calibration is None and spent.imatrix == hashlib.sha256(matrix.read_bytes()).hexdigest()
    assert spent.imatrix in (tmp_path / "given" / "README.md").read_text()
    assert (tmp_path / "given" / "imatrix.gguf").read_bytes() == matrix.read_bytes()
    assert all(np.array_equal(each.data, held[name].data) for name, each in tensors(tmp_path / "given")[0].items())
    assert fields(tmp_path / "given" / GGUF)("quantize.imatrix.chunks_count") == 2
    with refused("K- and IQ-types alone"):
        execute.get(given.replace(setting=Recipe(), format="gguf:Q4_K", folder=str(tmp_path / "no")), empty)


@pytest.mark.parametrize("family", ["llama", "gpt2"])  # the second has biases, and ties its embeddings
def test_layers_left_out_take_no_bytes(family, tmp_path, empty):
    setting = read_recipe("uniform currency=layers:0.5")
    how = {"model": str(tiny.folder(family)), "dtype": "float16", "folder": str(tmp_path / "out")}
    asked = ExportRequest(setting=setting, **how)
    made = execute.get(asked, empty).provenance
    found, *_ = file_sizes.worth(asked, empty)
    assert found["50 % of layers left out"] == made["dense_bytes"] < found[sizes.DENSE]
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_bytes())
    again = grammar.from_file(tmp_path / "out" / "recipe.json")
    assert recipe["recipe"]["left_out"] == [0, 2] and again.base.sparsity == (1, 0, 1, 0) and again.currency == "layers"
    assert "Layers 0, 2 are left out" in (tmp_path / "out" / "README.md").read_text()
    assert len(anatomy.decoder_layers(AutoModelForCausalLM.from_pretrained(tmp_path / "out"))) == 2
