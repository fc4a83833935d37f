"""A compressed-tensors folder that an export writes loads in transformers as the rounded model, in predicted bytes."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from core.base import UserError, checked
from core.export import compressed_tensors, target
from core.methods import QUANT_FORMATS, rounded
from core.models import anatomy
from core.models.sources import count_numbers
from core.plan import allocate, sizes
from core.requests import COMPRESSED, ExportRequest, read_recipe, request_of
from core.store import Store, profiles
from tests import tiny
from tests.core.export.examples import logits, read, write

FORM_ROWS = [["int4g32s"] * 7, [*["int3g32s"] * 3, "int2g32s", *["int3g32s"] * 3], ["int8g32s"] * 7, ["int3g32s"] * 7]
NONE = np.zeros(4)


def rounded_to(loaded):
    for layer, row in zip(loaded.layers, FORM_ROWS, strict=True):
        for linear, form in zip(anatomy.prunable_linears(layer), row, strict=False):
            linear.weight.copy_(rounded(linear.weight, QUANT_FORMATS[form]))
    return loaded


def forms_of(loaded):
    """FORM_ROWS for as many linears as the family has."""
    return [row[: len(anatomy.prunable_linears(layer))] for layer, row in zip(loaded.layers, FORM_ROWS, strict=True)]


def packed_to(folder, loaded):
    return write(loaded, folder, NONE, np.ones(()), COMPRESSED, forms_of(loaded))


@pytest.mark.parametrize("family", ["llama", "gemma2", "bloom"])  # the last two tie their embeddings
def test_the_folder_holds_the_rounded_model(family, tmp_path, empty):
    loaded = rounded_to(read(tiny.folder(family), empty))
    meant = [linear.weight.clone() for layer in loaded.layers for linear in anatomy.prunable_linears(layer)]
    exported = packed_to(tmp_path, loaded)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32).eval()
    assert torch.equal(logits(model), logits(loaded.model))  # it is unpacked as it is first run
    held = [linear.weight for layer in anatomy.decoder_layers(model) for linear in anatomy.prunable_linears(layer)]
    assert all(torch.equal(one, other) for one, other in zip(held, meant, strict=True))

    tensors = load_file(tmp_path / "out" / "model.safetensors")
    bits = np.vectorize(lambda form: QUANT_FORMATS[form].bits_per_weight)(forms_of(loaded))
    assert exported.bits == pytest.approx((bits * exported.weights).sum() / exported.weights.sum())
    predicted = sizes.total(count_numbers(loaded.source, empty), exported.bits, gguf=False)
    assert predicted == sum(each.nbytes for name, each in tensors.items() if not name.endswith("weight_shape"))


def test_our_own_reader_takes_every_width_for_what_it_is_and_settings_name_every_linear_once(tmp_path, empty):
    loaded = rounded_to(read(tiny.folder("llama"), empty))
    packed_to(tmp_path, loaded)
    again, state = read(tmp_path / "out", empty), loaded.model.state_dict()
    assert again.model.state_dict().keys() == state.keys()
    assert all(torch.equal(state[name], value) for name, value in again.model.state_dict().items())
    assert {type(linear) for linear in again.layers[0].modules() if hasattr(linear, "in_features")} == {torch.nn.Linear}
    assert torch.equal(logits(again.model), logits(loaded.model))

    groups = json.loads((tmp_path / "out" / "config.json").read_text())["quantization_config"]["config_groups"]
    names = [name for group in groups.values() for name in group["targets"]]
    inside = [name for name, each in loaded.model.named_modules() if "layers." in name and hasattr(each, "in_features")]
    assert sorted(names) == sorted(inside)
    widths = {group["weights"]["num_bits"]: len(group["targets"]) for group in groups.values()}
    assert widths == {2: 1, 3: 13, 4: 7, 8: 7}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "options", "about"),
    [
        ("currency=bits:3", {}, "choose the pruner quantised_symmetric or gptq_symmetric"),
        ("currency=gguf:Q4_0", {}, "write the format gguf"),
        ("by=quantised_symmetric currency=bits:3", {"dtype": "float16"}, "choose that dtype, not float16"),
        ("by=gptq_symmetric currency=bits:3", {"format": "gguf"}, "write the format compressed-tensors"),
        ("currency=gguf:Q4_0", {"format": "gguf:Q8_0"}, "write the format gguf"),
    ],
)
def test_a_recipe_that_the_format_does_not_hold(words, options, about):
    options = {"format": COMPRESSED, "dtype": "float32"} | options
    with pytest.raises(UserError, match=about):
        checked(ExportRequest, setting=read_recipe(f"uniform {words}"), folder="x", **options)


def test_linears_that_the_library_does_not_know_and_plans_that_part_what_vllm_joins(empty, refused):
    with refused("own linears", "dense"):
        compressed_tensors.check(read(tiny.folder("gpt2"), empty), np.full((4, 4), "int4g32s"))
    loaded = read(tiny.folder("llama"), empty)
    compressed_tensors.check(loaded, np.array(FORM_ROWS))
    free = np.array(FORM_ROWS)
    free[2, 1] = "int3g32s"
    with refused("linears of layer 2", "self_attn.k_proj int3g32s", "granularity=joined"):
        compressed_tensors.check(loaded, free)


def test_a_budget_of_bits_is_packed_without_further_options():
    said = {"allocation": "response granularity=linear currency=bits:3", "format": COMPRESSED, "profile": "demo"}
    [setting] = request_of("prune", **said).settings
    assert setting.pruner == "quantised_symmetric" and setting.allocation.base.granularity == "joined"
    plan = allocate(setting.allocation, profiles.load(Store(), Store().profile("demo"))).exact
    for group in ([0, 1, 2], [4, 5]):
        assert (np.diff(plan[:, group], axis=1) == 0).all()
    assert len(np.unique(plan[:, [0, 3, 4, 6]], axis=0)) > 1


def test_a_missing_library_is_named_before_any_work(tmp_path, empty, refused, monkeypatch):
    monkeypatch.setattr(target, "find_spec", lambda name: None)
    setting = read_recipe("uniform by=gptq_symmetric currency=bits:3")
    where = {"model": str(tiny.folder("llama")), "folder": str(tmp_path / "out")}
    with refused("pip install -U compressed-tensors"):
        target.check_early(ExportRequest(setting=setting, format=COMPRESSED, **where), empty)


def test_a_folder_that_differs_is_not_kept(tmp_path, empty, monkeypatch):
    real = compressed_tensors.groups
    wrong = lambda *given: {name: group | {"weights": group["weights"] | {"group_size": 16}}  # noqa: E731
                            for name, group in real(*given).items()}  # fmt: skip
    monkeypatch.setattr(compressed_tensors, "groups", wrong)
    with pytest.raises((RuntimeError, UserError)):
        packed_to(tmp_path, rounded_to(read(tiny.folder("llama"), empty)))
    assert not (tmp_path / "out").exists()
