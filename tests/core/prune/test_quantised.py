"""Weights in few bits: grids, their errors, the GGUF types, and error feedback."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, quants

from core.base import UserError
from core.methods import MIXED, PRUNERS, QUANT_FORMATS, fed_back, level_at, quantise, rounded
from core.models import anatomy
from core.prune import prune_layers
from tests import families, tiny
from tests.builders.recipes import exact

TOKENS = tiny.windows(6, 16).tokens

INTEGERS = [each for each in QUANT_FORMATS.values() if not each.gguf]
GGUF = [each for each in QUANT_FORMATS.values() if each.gguf and not each.by_ggml]
BY_GGML = [each for each in QUANT_FORMATS.values() if each.by_ggml]


def weight(seed, outputs=12, inputs=192):
    """Heavy-tailed, with a group of zeros and one of a single sign."""
    drawn = torch.from_numpy(np.random.default_rng(seed).standard_t(4, (outputs, inputs))).float() / 10
    drawn[0, :64] = 0
    drawn[1, :64] = drawn[1, :64].abs() + 1
    return drawn


def inputs(seed, width=192, tokens=500):
    """Correlated, one of them never used."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(tokens, width, generator=generator) @ torch.randn(width, width, generator=generator)
    mixed[:, 5] = 0
    return mixed * torch.rand(width, generator=generator)


@pytest.mark.parametrize("form", [*INTEGERS, *GGUF], ids=lambda form: form.name)
@pytest.mark.parametrize("seed", range(3))
def test_a_form_has_few_levels_and_keeps_what_lies_on_its_grid(form, seed):
    found = rounded(weight(seed), form)
    levels = [len(group.unique()) for row in found.unflatten(1, (-1, form.group)) for group in row]
    assert max(levels) <= 2**form.bits
    assert torch.equal(rounded(found, form), found)
    assert (found[0, :64] == 0).all()


@pytest.mark.parametrize("group", [32, 64])
def test_more_bits_err_less_and_importance_serves_what_counts(group):
    dense, given = weight(1), inputs(1)
    importance = given.square().sum(0)
    weighted = lambda found: float(((found - dense) ** 2 * importance).sum())  # noqa: E731
    errors = []
    for bits in (2, 3, 4, 8):
        form = QUANT_FORMATS[f"int{bits}g{group}"]
        errors.append(weighted(rounded(dense, form, importance)))
        assert errors[-1] <= weighted(rounded(dense, form))
    assert errors == sorted(errors, reverse=True) and errors[-1] < errors[0] / 1000


@pytest.mark.parametrize("form", GGUF, ids=lambda form: form.name)
def test_gguf_types_are_the_packages_own(form):
    dense = weight(2).half()
    kind = GGMLQuantizationType[form.name]
    written = quants.quantize(dense.float().numpy(), kind)
    assert np.array_equal(rounded(dense, form).numpy(), quants.dequantize(written, kind))
    assert written.shape[1] * 8 == form.bits_per_weight * dense.shape[1]


@pytest.mark.parametrize("form", BY_GGML, ids=lambda form: form.name)
def test_k_and_iq_types_are_ggmls_and_importance_serves_what_counts(form):
    dense, wide = torch.randn(2, 16, 256, generator=torch.Generator().manual_seed(1))
    importance = wide[0] ** 2 + 0.05
    plain = torch.ones_like(importance)
    errors = [((rounded(dense, form, each) - dense) ** 2 * importance).sum() for each in (importance, plain)]
    assert errors[0] <= 1.02 * errors[1] < 0.2 * (dense**2 * importance).sum()
    packed = rounded(dense, form, importance).packed
    assert packed.data.shape[1] * 8 == form.bits_per_weight * 256
    assert form.on(288).name == (form.fallback or form.name)


def test_ggml_is_named_where_it_is_missing_or_lacks_importance(monkeypatch):
    with pytest.raises(UserError, match="IQ2_XXS needs an importance matrix"):
        rounded(weight(1, 4, 256), QUANT_FORMATS["IQ2_XXS"])
    with pytest.raises(UserError, match="importance of its inputs is not finite"):
        rounded(weight(1, 4, 256), QUANT_FORMATS["Q4_K"], torch.full((256,), torch.nan))
    monkeypatch.setattr("core.methods.ggml.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install ggml-python"):
        rounded(weight(1, 4, 256), QUANT_FORMATS["Q4_K"])


@pytest.mark.parametrize("form", INTEGERS, ids=lambda form: form.name)
@pytest.mark.parametrize("seed", range(3))
def test_feedback_never_costs_a_row_outputs_and_stays_on_the_grid(form, seed):
    dense, given = weight(seed), inputs(seed)
    moment = given.T @ given
    fed, plain = fed_back(dense, form, moment, pytest.fail), rounded(dense, form, moment.diagonal())
    wrong, usual = ((given @ (each - dense).T).square().sum(0) for each in (fed, plain))
    assert (wrong <= usual * (1 + 1e-3) + 1e-3).all() and wrong.sum() < (0.9 if form.symmetric else 0.8) * usual.sum()
    assert torch.equal(rounded(fed, form), fed)


def test_a_width_that_no_group_divides_is_told_what_fits():
    with pytest.raises(UserError, match=r"int3g64 does not fit its 96 inputs.*: these fit: int2g32, .*Q8_0"):
        quantise(weight(0)[:, :96], QUANT_FORMATS["int3g64"])
    with pytest.raises(UserError, match="no form fits"):
        rounded(weight(0)[:, :50], QUANT_FORMATS["Q4_0"])


# --- the walk --------------------------------------------------------------------------------------------------------

LEVELS = np.array([[0.875, 0.8125, 0.75, 0.5, 0.875, 0.8125, 0.75]] * tiny.LAYERS)  # 2, 3, 4 and 8 bits


@pytest.mark.parametrize("pruner", ["quantised", "gptq", "gptq_symmetric"])
def test_the_walk_brings_every_linear_to_the_form_of_its_share(pruner):
    of = tiny.fresh("llama")
    dense = of.model(input_ids=TOKENS).logits
    achieved = prune_layers(of, TOKENS, exact(pruner, LEVELS))
    assert np.array_equal(achieved, LEVELS)
    for layer in of.layers:
        for linear, share in zip(anatomy.prunable_linears(layer), LEVELS[0], strict=True):
            form = level_at(PRUNERS[pruner].levels, share).format
            assert torch.equal(rounded(linear.weight, form), linear.weight)
    assert not torch.equal(of.model(input_ids=TOKENS).logits, dense)


@pytest.mark.parametrize(
    ("pruner", "share", "wrong"),
    [
        ("quantised64", 0.8125, "layer 0, self_attn.q_proj: int3g64 does not fit its 32 inputs"),
        ("gguf", 0.8125, "layer 0, self_attn.q_proj: no form has 3 bits a weight: the forms are Q8_0, Q5_1"),
    ],
)
def test_the_walk_refuses_before_it_changes_a_weight(pruner, share, wrong):
    of = tiny.fresh("llama")
    with tiny.untouched(of.model), pytest.raises(UserError, match=wrong):
        prune_layers(of, TOKENS, exact(pruner, share))


def test_zeros_and_integers_in_one_linear_are_no_longer_made(refused):
    of = replace(tiny.loaded("llama"), model=tiny.filled(families.config("llama", tiny.LAYERS, 64)))
    with refused("no longer made", "use integers"):
        prune_layers(of, TOKENS, exact("mixed", MIXED.read("int3g64z58")))
