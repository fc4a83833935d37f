"""Parts of layers: found in every family, and edited as plain hooks written for each would."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from core.base.errors import UserError
from core.measure.layer_parts import edited, find
from core.models.anatomy import decoder_layers
from tests import families, tiny

pytestmark = [
    pytest.mark.usefixtures("inference"),
    pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated"),
]
IDS = tiny.windows(3, 9).tokens
WITH_PARTS = [family for family in families.FAMILIES if family != "mamba"]
# Family -> the modules whose output is added to the stream, and the projection that reads the heads, each by its path
USUAL = ("self_attn.o_proj", "mlp.down_proj", "self_attn.o_proj")
NORMED = ("post_attention_layernorm", "post_feedforward_layernorm", "self_attn.o_proj")
EXPERTS = ("self_attn.o_proj", "mlp", "self_attn.o_proj")
DENSE = ("self_attention.dense", "mlp.dense_4h_to_h", "self_attention.dense")
WHERE = {
    **dict.fromkeys(("gemma2", "gemma3_text", "gemma4", "olmo2"), NORMED),
    **dict.fromkeys(("mixtral", "qwen2_moe", "qwen3_moe", "olmoe"), EXPERTS),
    **dict.fromkeys(("bloom", "falcon"), DENSE),
    "gpt2": ("attn.c_proj", "mlp.c_proj", "attn.c_proj"),
    "gpt_neo": ("attn.attention.out_proj", "mlp.c_proj", "attn.attention.out_proj"),
    "gpt_neox": ("attention.dense", "mlp.dense_4h_to_h", "attention.dense"),
    "mpt": ("attn.out_proj", "ffn.down_proj", "attn.out_proj"),
    "opt": ("self_attn.out_proj", "fc2", "self_attn.out_proj"),
    "phi": ("self_attn.dense", "mlp.fc2", "self_attn.dense"),
    "starcoder2": ("self_attn.o_proj", "mlp.c_proj", "self_attn.o_proj"),
}
FACTOR = ("granite", "gemma4")  # whose layers do more than add two parts


def where(family: str, layer: nn.Module, part: str) -> nn.Module:
    place = ("attention", "mlp", "head").index(part.partition(":")[0])
    return layer.get_submodule(WHERE.get(family, USUAL)[place])


def model_of(family: str) -> tuple[PreTrainedModel, nn.ModuleList]:
    model = tiny.loaded(family).model
    return model, decoder_layers(model)


@pytest.mark.parametrize("family", WITH_PARTS)
def test_what_the_parts_give_is_all_that_a_layer_adds_to_the_stream(family: str) -> None:
    if family in FACTOR:
        pytest.skip("its layers do more than add two parts")
    seen: dict[str, Tensor] = {}
    calls = tiny.loaded(family).record(IDS)
    for call in calls:
        for part in ("attention", "mlp"):
            with edited(call.layer, part, lambda out, part=part: seen.update({part: out.clone()}) or out):
                assert torch.equal(call(call.entry), call.exit)  # an edit that changes nothing
        torch.testing.assert_close(call.entry + seen["attention"] + seen["mlp"], call.exit, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("part", ["attention", "mlp", "head:1"])
@pytest.mark.parametrize("family", WITH_PARTS)
def test_an_edit_is_that_of_a_plain_hook_on_some_rows_only(family: str, part: str) -> None:
    model, layers = model_of(family)
    columns = slice(families.HEAD, 2 * families.HEAD)

    def plain(_: object, args: tuple, output: Tensor | tuple) -> Tensor | tuple:
        first = output if isinstance(output, Tensor) else output[0]
        rows = first.reshape(*IDS.shape, -1).clone()
        rows[1] *= -2
        rows = rows.reshape(first.shape)
        return rows if isinstance(output, Tensor) else (rows, *output[1:])

    def of_head(_: object, args: tuple) -> tuple[Tensor]:
        rows = args[0].reshape(*IDS.shape, -1).clone()
        rows[1, :, columns] *= -2
        return (rows.reshape(args[0].shape),)

    target = where(family, layers[1], part)
    is_head = part.startswith("head")
    hook = target.register_forward_pre_hook(of_head) if is_head else target.register_forward_hook(plain)
    expected = model(IDS, use_cache=False).logits
    hook.remove()
    scale = torch.tensor([1.0, -2, 1])[:, None, None]
    clean = model(IDS, use_cache=False).logits
    before = tiny.state(model)
    with edited(layers[1], part, lambda out: out * scale):
        found = model(IDS, use_cache=False).logits
    assert torch.equal(found, expected)
    assert torch.equal(found[[0, 2]], clean[[0, 2]]) and not torch.allclose(found[1], clean[1], atol=1e-4)
    tiny.assert_untouched(model, before)


@pytest.mark.parametrize("part", ["attention", "mlp", "head:2"])
@pytest.mark.parametrize("family", WITH_PARTS)
def test_token_by_token_with_a_cache_an_edit_gives_what_the_whole_text_gives(family: str, part: str) -> None:
    model, layers = model_of(family)
    with edited(layers[2], part, torch.zeros_like):
        whole = model(IDS, use_cache=False).logits
        cache, found = None, []
        for token in IDS.split(1, dim=1):
            given = {"past_key_values": cache} if cache is not None else {}
            out = model(token, use_cache=True, **given)
            cache = out.past_key_values
            found.append(out.logits)
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=1e-4, atol=1e-4 * float(whole.abs().max()))


@pytest.mark.parametrize("family", WITH_PARTS)
def test_without_any_of_its_heads_an_attention_gives_the_bias_of_its_projection(family: str) -> None:
    model, layers = model_of(family)
    heads = tiny.WIDTH // families.HEAD  # query heads: half as many hold keys and values where a family lets them
    last, given = where(family, layers[0], "head"), []
    with ExitStack() as stack:
        for head in range(heads):
            stack.enter_context(edited(layers[0], f"head:{head}", torch.zeros_like))
        stack.callback(last.register_forward_hook(lambda _, __, output: given.append(output)).remove)
        model(IDS, use_cache=False)
    bias = torch.zeros(tiny.WIDTH) if last.bias is None else last.bias
    assert torch.equal(given[0], bias.expand_as(given[0]))
    with pytest.raises(UserError, match=rf"no head {heads}: the attention has heads 0 to {heads - 1}"):
        find(layers[0], f"head:{heads}")


def test_a_layer_without_attention_is_refused() -> None:
    _, layers = model_of("mamba")
    for part in ("attention", "mlp", "head:0"):
        with pytest.raises(UserError, match="MambaBlock does not have one attention"):
            find(layers[0], part)
