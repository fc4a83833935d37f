"""The gradient sketch: against the gradients of the whole model, the exact Fisher form, and what it must refuse."""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from core.base import UserError
from core.measure import (
    WORDS,
    clean_statistics,
    draw_words,
    seeded_generator,
    sketched,
    sketched_outside,
    sketched_tensors,
)
from core.methods import QUANT_FORMATS, SKETCHED, rounded
from core.models import anatomy
from core.prune import prune_linear
from core.requests import Sketching
from tests import tiny


def plan(draws, *damages):
    return Sketching(damages=damages or tuple(SKETCHED), draws=draws)


def norms(of, tokens):
    with torch.inference_mode():
        return clean_statistics(of, tokens, {"norm"}, False, lambda _: None)[1].norm


def sketch(of, tokens, asked):
    return sketched(of, tokens, range(len(tokens)), norms(of, tokens), asked, lambda _: None).change


def damage(of, tokens, layer, linear, name):
    treatment, share = SKETCHED[name]
    statistics = {"norm": norms(of, tokens)[layer]}
    return linear.stored(prune_linear(linear, layer, treatment, statistics, share)) - linear.weight


@pytest.mark.parametrize("family", tiny.PRUNABLE)
def test_it_is_the_product_of_a_damage_and_the_gradient_of_the_whole_model(family):
    of, tokens, asked = tiny.fresh(family), tiny.windows(2).tokens, plan(2, "wanda:0.5", "int3g32", "Q4_0")
    with tiny.untouched(of.model):
        found = sketch(of, tokens, asked)
        beside = sketched_outside(of, tokens, plan(2, "Q4_0", "Q5_1"), lambda _: None).change
    of.model.requires_grad_()
    ends = of.model.get_input_embeddings().weight, of.model.get_output_embeddings().weight
    assert len(beside) == len({*ends}), "tied ones are one"
    for window, draw in ((0, 1), (1, 0)):
        logits = of.model(input_ids=tokens[[window]]).logits[0]
        p = logits.detach().softmax(-1)
        words, signs = draw_words(p.cumsum(-1), seeded_generator("sketch", window, draw).initial_seed())
        direction = torch.zeros_like(p).scatter_add_(1, words, signs) - signs.sum(1, keepdim=True) * p
        direction[0] = 0  # nothing is read after the first token
        of.model.zero_grad()
        logits.backward(direction / WORDS**0.5)
        bend = 0.3 if family == "bloom" else 2e-3  # a norm follows its embeddings
        for matrix, weight in zip(beside, dict.fromkeys(ends), strict=True):
            for at, name in enumerate(("Q4_0", "Q5_1") if weight.shape[1] % 32 == 0 else ()):
                product = weight.grad * (rounded(weight.detach(), QUANT_FORMATS[name]) - weight.detach())
                off = bend * abs(float(product.sum())) + 1e-4 * float(product.norm())
                assert matrix[at, draw, window] == pytest.approx(float(product.sum()), abs=off + 1e-6)
        for index, layer in enumerate(of.layers):
            for place, linear in enumerate(anatomy.prunable_linears(layer)):
                gradient = linear.stored(linear.module.weight.grad)
                with torch.no_grad():
                    for at, name in enumerate(asked.damages):
                        if SKETCHED[name].fits(linear.weight.shape[1]):
                            product = gradient * damage(of, tokens, index, linear, name)
                            rounding = 1e-4 * float(product.norm()) + 1e-6
                            assert found[index, place, at, draw, window] == pytest.approx(
                                float(product.sum()), rel=2e-3, abs=rounding
                            )


def test_its_mean_square_is_the_exact_fisher_form():
    """The divergence to second order, from the derivative of every logit along the damage."""
    of, tokens, name = tiny.loaded("llama"), tiny.windows(1).tokens, "wanda:0.7"
    samples = sketch(of, tokens, plan(600, name))[:, :, 0, :, 0] ** 2 / 2 / (tokens.numel() - 1)
    off = []
    for index, layer in enumerate(of.layers):
        for place, linear in enumerate(anatomy.prunable_linears(layer)):
            weight = f"model.layers.{index}.{linear.name}.weight"
            change = damage(of, tokens, index, linear, name)

            def logits(value, weight=weight):
                given = {"input_ids": tokens, "use_cache": False}
                return torch.func.functional_call(of.model, {weight: value}, (), given).logits[0]

            with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
                dense, moved = torch.func.jvp(logits, (linear.module.weight,), (change,))
            p = dense.softmax(-1)
            exact = ((p * moved**2).sum(-1) - (p * moved).sum(-1) ** 2)[1:].mean() / 2
            few = samples[index, place]
            off.append((few.mean() - float(exact)) / (few.std() / len(few) ** 0.5))
    assert np.abs(off).max() < 4.5 and abs(np.mean(off)) < 0.5


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_company_and_room_change_no_bit(family, monkeypatch):
    of, tokens, asked = tiny.loaded(family), tiny.windows(3).tokens, plan(2, "magnitude:0.5", "Q8_0", "int2g64")
    whole = sketch(of, tokens, asked)
    alone = [sketched(of, tokens, [each], norms(of, tokens), asked, lambda _: None).change for each in range(3)]
    np.testing.assert_array_equal(np.concatenate(alone, axis=-1), whole)
    assert np.isnan(whole).any() == any(
        each.weight.shape[1] % 64 for layer in of.layers for each in anatomy.prunable_linears(layer)
    )
    monkeypatch.setattr("core.models.machine.MOST_DAMAGES", 1)
    np.testing.assert_allclose(sketch(of, tokens, asked), whole, rtol=1e-4, atol=1e-5)


def test_half_precision_gives_nearly_the_same_harms():
    tokens, asked = tiny.windows(1, 64).tokens, plan(100, "wanda:0.9")
    both = (sketch(tiny.fresh("llama", each), tokens, asked) for each in (torch.float32, torch.bfloat16))
    full, half = (np.log((each**2).mean((-1, -2)).ravel()) for each in both)
    assert abs(np.median(half - full)) < 0.1 and np.corrcoef(full, half)[0, 1] > 0.95


def test_what_has_no_gradient_is_refused(monkeypatch):
    of, tokens, asked = tiny.fresh("llama"), tiny.windows(1).tokens, plan(1, "wanda:0.5")
    kind = type(of.layers[0])
    with (
        monkeypatch.context() as patched,
        pytest.raises(UserError, match=r"cannot be differentiated.*--preset linears"),
    ):
        patched.setattr(kind, "forward", torch.no_grad()(kind.forward))
        sentences = []
        shares = sketched_tensors(of, tiny.fresh("llama"), tokens, {}, sentences.append, print)
        assert np.isnan(shares.change).all() and "shares of tensors are not known" in sentences[0]
        sketch(of, tokens, asked)
    infinite = torch.full((tokens.shape[1], tiny.WIDTH), torch.inf)
    monkeypatch.setattr("core.measure.backward.score_slopes", lambda *_: [infinite])
    with pytest.raises(UserError, match="overflow: use float32"):
        sketch(of, tokens, asked)
