"""Parts of layers: found in every family, and edited as plain hooks written for each would."""

from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from core.base import UserError
from core.measure import Moments, hooks, largest_replay_error, normal, perturbed, prepare, wavefront
from core.models import decoder_layers, edited, find_part
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


def where(family, layer, part):
    place = ("attention", "mlp", "head").index(part.partition(":")[0])
    return layer.get_submodule(WHERE.get(family, USUAL)[place])


def model_of(family):
    model = tiny.loaded(family).model
    return model, decoder_layers(model)


@contextmanager
def plainly(family, layer, part, change):
    """One plain hook changes what a part gives, (sequences, tokens, width); of head 1, what is projected."""
    columns = slice(families.HEAD, 2 * families.HEAD) if "head" in part else slice(None)

    def after(given):
        rows = given.reshape(*IDS.shape, -1).clone()
        rows[..., columns] = change(rows[..., columns])
        return rows.reshape(given.shape)

    def plain(_, args, output):
        return after(output) if isinstance(output, Tensor) else (after(output[0]), *output[1:])

    target = where(family, layer, part)
    if "head" in part:
        hook = target.register_forward_pre_hook(lambda _, args: (after(args[0]),))
    else:
        hook = target.register_forward_hook(plain)
    yield
    hook.remove()


@pytest.mark.parametrize("family", [each for each in WITH_PARTS if each not in FACTOR])
def test_what_the_parts_give_is_all_that_a_layer_adds_to_the_stream(family):
    seen = {}
    calls = tiny.loaded(family).record(IDS)
    for call in calls:
        for part in ("attention", "mlp"):
            with edited(call.layer, part, lambda out, part=part: seen.update({part: out.clone()}) or out):
                assert torch.equal(call(call.entry), call.exit)  # an edit that changes nothing
        torch.testing.assert_close(call.entry + seen["attention"] + seen["mlp"], call.exit, rtol=1e-5, atol=1e-5)


# --- as perturbations ------------------------------------------------------------------------------------------------


def wanted(name):
    """The part that a perturbation changes, and what it makes of what that gives, as the definitions say."""
    what, *rest = name.split(":")
    part = ":".join(rest[what == "gaussian" :])

    def changed(given, layer):
        found = given.clone()
        if what == "skip":
            found[:] = 0
        elif what == "mean":
            found[:, 1:] = given[:, 1:].mean(1, keepdim=True)
        else:
            z = normal(f"gaussian_part {part}", 0, layer, range(len(given)), *given.shape[1:])
            found[:, 1:] += (0.3 * given.norm(dim=-1, keepdim=True) * z / z.norm(dim=-1, keepdim=True))[:, 1:]
        return found

    return part, changed


NAMES = ("skip:attention", "skip:mlp", "skip:head:1", "mean:mlp", "mean:head:1", "gaussian:0.3:attention")


@pytest.mark.parametrize("family", WITH_PARTS)
def test_both_engines_give_alike_bit_for_bit_what_plain_hooks_give(family):
    group = prepare(tiny.loaded(family), IDS, range(len(IDS)), Moments(), 2)
    alone = largest_replay_error(group, lambda _: None) < 1e-5  # Gemma 4's later layers read keys of earlier ones
    assert alone == (family != "gemma4")
    for name in NAMES:
        asked = tiny.measurement(name)
        if alone:
            tiny.assert_close(*(engine(group, asked, lambda _: None) for engine in (wavefront, hooks)), name)
        part, change = wanted(name)
        for layer in (0, 2):
            call = group.calls[layer]
            with plainly(family, call.layer, part, lambda out, layer=layer, change=change: change(out, layer)):
                stream = call(call.entry)
            ours = perturbed(asked, layer, call, group.sequences, group.moments)
            # noise is scaled and added in another order: a few roundings of the largest term, however small their sum
            near = 4 * torch.finfo(torch.float32).eps * float(stream.abs().max()) if asked.perturbation.noise else 0
            torch.testing.assert_close(ours, stream, rtol=0, atol=near)
    tiny.assert_untouched(group.loaded.model, tiny.built(family).state_dict())
    heads = tiny.WIDTH // families.HEAD  # query heads: half as many hold keys and values where a family lets them
    with pytest.raises(UserError, match=rf"no head {heads}: the attention has heads 0 to {heads - 1}"):
        find_part(call.layer, f"head:{heads}")


def test_a_layer_without_attention_is_refused():
    _, layers = model_of("mamba")
    for part in ("attention", "mlp", "head:0"):
        with pytest.raises(UserError, match="MambaBlock does not have one attention that"):
            find_part(layers[0], part)
