"""Training of the whole model: masks stay, windows held back are never worse for it, and a stopped one goes on."""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import kl_div

from core.base.errors import UserError
from core.methods.distillation import (
    MAX_CHECKS,
    PROMPT_TOKENS,
    batch_of,
    check_steps,
    learning_rate_share,
    steps_on,
    steps_within,
    windows_of_step,
)
from core.methods.masked_weights import MaskedWeights, training_windows, validation_windows
from core.models import anatomy, losses, memory
from core.models.placement import stream
from core.models.progress import Cancelled
from core.prune import distillation
from core.prune.distillation import Distillation, trainable_weights
from core.prune.walk import prune_layers
from core.requests.recipes import ExactRecipe
from tests import tiny
from tests.builders.recipes import exact

TOKENS = tiny.windows(16, 16).tokens
FAMILIES = [*tiny.PRUNABLE, tiny.ODD]


@pytest.fixture(autouse=True)
def large_steps(monkeypatch):
    """What a few steps do can be seen."""
    monkeypatch.setattr(distillation, "LEARNING_RATE", 0.003)


def fresh(family, dtype=torch.float32):
    """A model of the family that a test may change."""
    return replace(tiny.loaded(family), model=tiny.built(family).to(dtype))


def course(family = "llama", steps = 12, norms = False, pattern = None,
           dtype = torch.float32, products = "float32"):  # fmt: skip
    """A pruned model with a training before it."""
    of = fresh(family, dtype)
    reference = losses.reference(of, TOKENS)
    prune_layers(of, TOKENS, exact("wanda", 0.5 if pattern else 0.6, pattern=pattern))
    found = Distillation(of, MaskedWeights(trainable_weights(of.layers, norms)), TOKENS, reference, products)
    found.steps = found.end = steps
    return found


def run(training, looked=lambda: None, step=lambda: None):
    """Train; what it warned of."""
    told = []
    training.run(looked, step, told.append)
    return told


def state(training):
    return {name: each.detach().clone() for name, each in training.loaded.model.named_parameters()}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_zero_comes_back_and_nothing_but_linears_changes(family):
    training = course(family)
    before, known = state(training), {id(each) for each in training.masked.weights}
    tied = training.loaded.model.get_output_embeddings().weight is training.loaded.model.get_input_embeddings().weight
    run(training)
    assert len(training.divergences) > 2
    for name, each in training.loaded.model.named_parameters():
        assert torch.equal(each == 0, before[name] == 0) and not each.requires_grad and each.grad is None, name
        assert id(each) in known or torch.equal(each, before[name]), name
    after = training.loaded.model
    assert (after.get_output_embeddings().weight is after.get_input_embeddings().weight) == tied
    assert not any("forward" in vars(layer) for layer in training.loaded.layers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_a_pattern_are_kept(dtype):
    training = course(pattern="2:4", dtype=dtype)
    before = state(training)
    run(training)
    assert training.masked.value.dtype == torch.float32
    assert min(training.divergences) < training.divergences[0]
    for layer in training.loaded.layers:
        for linear in anatomy.prunable_linears(layer):
            assert linear.weight.dtype == dtype
            assert ((linear.weight != 0).view(len(linear.weight), -1, 4).sum(-1) <= 2).all()
    assert all(torch.equal(each == 0, before[name] == 0) for name, each in state(training).items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_products_in_bfloat16_train_alike_from_masters_in_float32(dtype):
    exact, fast = course(dtype=dtype), course(dtype=dtype, products="bfloat16")
    for each in (exact, fast):
        each.gradient(0)
    ours, theirs = fast.masked.value.grad, exact.masked.value.grad
    assert not torch.equal(ours, theirs) or dtype == torch.bfloat16
    assert torch.cosine_similarity(ours, theirs, dim=0) > 0.99
    before = state(fast)
    run(fast)
    assert fast.masked.value.dtype == ours.dtype == torch.float32 and min(fast.divergences) < fast.divergences[0]
    for name, each in state(fast).items():
        assert each.dtype == before[name].dtype and torch.equal(each == 0, before[name] == 0), name


def test_norms_and_biases_are_trained_by_choice():
    training = course("gpt2", norms=True)
    before = state(training)
    run(training)
    changed = {name for name, each in state(training).items() if not torch.equal(each, before[name])}
    assert {"transformer.h.0.ln_1.weight", "transformer.h.1.mlp.c_fc.bias"} <= changed
    assert not any("wte" in name or "ln_f" in name for name in changed)


def test_a_model_that_does_not_fit_is_refused_with_what_does(tmp_path, monkeypatch):
    of, text = fresh("llama"), tiny.windows(16, 16).spec
    asked = ExactRecipe(
        pruner="wanda", repair="distill", recover_tokens=10**4, sparsity=(0.6,) * tiny.LAYERS, calibration=text
    )
    given = (of, asked, TOKENS, lambda: pytest.fail("pruned"), tmp_path, *[lambda _: None] * 4)
    with monkeypatch.context() as patch:
        patch.setattr(memory, "training_bytes", lambda *_: 2**50)
        with pytest.raises(UserError, match=r"takes 1e\+06 GiB of memory .* are free: .* use the repair blockwise"):
            distillation.distill(*given)
    stream(of.layers, torch.device("cpu"))
    with pytest.raises(UserError, match="use the repair blockwise"):
        distillation.distill(*given)


def test_the_gradient_is_that_of_the_divergence_and_zeros_have_none():
    """Against a plain forward of the model with nothing saved of memory."""
    training = course()
    model, params = training.loaded.model, training.masked.weights
    tokens = TOKENS[windows_of_step(0, batch_of(16), 16)]
    dense = tiny.built("llama")(input_ids=tokens).logits.flatten(0, 1)
    for each in params:
        each.requires_grad_(True)
    logits = model(input_ids=tokens).logits.flatten(0, 1)
    loss = kl_div(logits.log_softmax(-1), dense.log_softmax(-1), reduction="sum", log_target=True)
    plain = torch.autograd.grad(loss, params)
    for each in params:
        each.requires_grad_(False)
    training.gradient(0)
    own = training.masked.value.grad.split(training.masked.counts)
    for part, size, at, found in zip(own, training.masked.sizes, training.masked.places, plain, strict=True):
        torch.testing.assert_close(part, size * found.flatten()[at], rtol=1e-3, atol=1e-4)


def test_it_ends_with_what_was_best_on_the_windows_held_back():
    training = course()
    run(training)
    assert training.judged() == pytest.approx(min(training.divergences), rel=1e-6)


def test_it_comes_nearer_where_there_is_text_enough(monkeypatch):
    """The same windows are held back and trained on, so that what is held back tells all there is to learn."""
    training = course("gpt2", steps=40)
    monkeypatch.setattr(distillation, "windows_of_step", lambda *_: validation_windows(16))
    run(training)
    assert training.divergences[-1] < 0.8 * training.divergences[0]


@pytest.mark.parametrize(("stop", "products"), [(1, "float32"), (5, "bfloat16"), (11, "float32")])
def test_a_killed_training_ends_bit_for_bit_as_a_whole_one(stop, products):
    whole, first = course("gpt2", products=products), course("gpt2", products=products)
    run(whole)
    saved = []

    class Killed(Exception):
        pass

    def step():
        if first.done == stop:
            raise Killed

    with pytest.raises(Killed):
        run(first, lambda: saved.append(copy.deepcopy(first.state())), step)
    again = course("gpt2", products=products)
    if saved:
        again.resume(saved[-1])
    run(again)
    assert again.divergences == whole.divergences
    assert all(torch.equal(each, state(whole)[name]) for name, each in state(again).items())


def test_a_training_that_ends_early_is_the_beginning_of_the_whole_one_with_a_look_at_its_end():
    whole, short = course("gpt2", steps=40), course("gpt2", steps=40)
    short.end = 5
    run(whole), run(short)
    assert short.looks == [0, 3 * 1024, 5 * 1024] and short.done == 5
    assert short.divergences[:2] == whole.divergences[:2] and len(short.divergences) == 3


@given(st.integers(1, 5000), st.floats(0, 1), st.integers(2, 600), st.sampled_from([16, 256, 512, 2048]))
def test_a_look_reads_hardly_more_windows_than_were_trained_on_since(steps, until, windows, length):
    """So a short training is not mostly looks, and a long one has sixteen of them and one at its end."""
    end, held = max(1, round(until * steps)), len(validation_windows(windows))
    found = check_steps(steps, end, held // batch_of(length))
    assert found[0] == 0 and found[-1] == end and len(found) <= MAX_CHECKS + 1
    assert all((there - here + 1) * batch_of(length) > held for here, there in itertools.pairwise(found[:-1]))


def test_a_loss_that_is_no_number_keeps_the_best_weights_and_says_so(monkeypatch):
    training = course()
    gradient = training.gradient

    def spoilt(step):
        gradient(step)
        if step == 7:
            training.masked.value.grad[0] = math.nan

    monkeypatch.setattr(training, "gradient", spoilt)
    assert run(training) == ["the loss of step 8 is not a finite number: the best weights before it stay"]
    assert torch.equal(training.masked.value, training.best)


def test_it_stops_once_the_windows_held_back_get_worse(monkeypatch):
    training = course(steps=160)
    before = state(training)
    worse = iter(range(1, 100))
    monkeypatch.setattr(training, "judged", lambda: float(next(worse)))
    run(training)
    assert len(training.divergences) == 5 and training.done < training.steps
    assert all(torch.equal(each, before[name]) for name, each in state(training).items())


def test_budgets_are_steps_and_one_too_short_is_refused():
    assert batch_of(256) == 4 and batch_of(4_096) == 1
    assert steps_on(4_100, 256) == 4 and steps_within(10, 0.3, "minutes") == 33
    with pytest.raises(UserError, match=r"a budget of 500 tokens is too short for one step: give 1024 or more"):
        steps_on(500, 256)
    with pytest.raises(UserError, match=r"a budget of 0.1 minutes is too short for one step: give 0.2 or more"):
        steps_within(0.1, 0.11, "minutes")


def test_no_step_reads_what_is_held_back_and_steps_fall_along_a_cosine():
    taken = [windows_of_step(step, 3, 20) for step in range(40)]
    assert taken == [windows_of_step(step, 3, 20) for step in range(40)] and taken[0] != taken[1]
    assert {each for step in taken for each in step} == {*range(20)} - {*validation_windows(20)}
    assert all(len({*step}) == 3 for step in taken) and len(windows_of_step(0, 9, 3)) == 2
    sizes = [learning_rate_share(step, 100) for step in range(100)]
    assert sizes[:10] == sorted(sizes[:10]) and sizes[10:] == sorted(sizes[10:], reverse=True) and sizes[-1] < 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_the_dense_model_goes_on_from_the_first_tokens_of_a_window_in_its_own_words(family, tmp_path, monkeypatch):
    """Greedily it would write what a forward without a cache finds likeliest; what is held back is not written."""
    of, path, told = tiny.loaded(family), tmp_path / "text.safetensors", []
    monkeypatch.setattr(torch, "multinomial", lambda shares, *_, **how: shares.argmax(-1, keepdim=True))
    found = distillation.own_text(of, TOKENS, path, told.append)
    held, read = validation_windows(16), training_windows(16)
    assert torch.equal(found[held], TOKENS[held]) and torch.equal(
        found[read, :PROMPT_TOKENS], TOKENS[read, :PROMPT_TOKENS]
    )
    likeliest = of.model(input_ids=found[read]).logits.argmax(-1)
    assert torch.equal(found[read, PROMPT_TOKENS:], likeliest[:, PROMPT_TOKENS - 1 : -1]) and told == [*range(14)]


def test_what_it_writes_is_drawn_by_seed_and_goes_on_after_a_stop(tmp_path, monkeypatch):
    of = tiny.loaded("llama")
    monkeypatch.setattr(distillation, "TOKENS_AT_ONCE", 4 * 16)
    whole = distillation.own_text(of, TOKENS, tmp_path / "whole", print)
    assert not torch.equal(whole[training_windows(16)], TOKENS[training_windows(16)])
    assert len({tuple(each) for each in whole[:, PROMPT_TOKENS:].tolist()}) == 16

    def stop(index):
        if index == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        distillation.own_text(of, TOKENS, tmp_path / "broken", stop)
    told = []
    assert torch.equal(distillation.own_text(of, TOKENS, tmp_path / "broken", told.append), whole)
    assert told == [*range(8, 14)]
