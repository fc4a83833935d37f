"""Training of the whole model: masks stay, windows held back are never worse for it, and a stopped one goes on."""

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import kl_div

from core.base import UserError
from core.methods import (
    MAX_CHECKS,
    PROMPT_TOKENS,
    MaskedWeights,
    batch_of,
    check_steps,
    learning_rate_share,
    training_windows,
    validation_windows,
    windows_of_step,
)
from core.models import Cancelled, losses, machine, stream
from core.prune import Distillation, distillation, prune_layers, pruned_model, trainable_weights
from tests import tiny
from tests.builders.pruned_models import assert_in_pattern, assert_only_linears_changed
from tests.builders.recipes import exact

TOKENS = tiny.windows(16, 16).tokens
every_family = pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "bloom", tiny.ODD])


@pytest.fixture(autouse=True)
def large_steps(monkeypatch):
    """What a few steps do can be seen."""
    monkeypatch.setattr(distillation, "LEARNING_RATE", 0.003)


def course(family="llama", steps=12, norms=False, pattern=None, dtype=torch.float32, products="float32"):
    """A pruned model with a training before it."""
    of = tiny.fresh(family, dtype)
    reference = losses.reference(of, TOKENS)
    prune_layers(of, TOKENS, exact("wanda", 0.5 if pattern else 0.6, pattern=pattern))
    training = Distillation(of, MaskedWeights(trainable_weights(of.layers, norms)), TOKENS, reference, products)
    training.steps = training.end = steps
    return training


def run(training, looked=lambda: None, step=lambda: None):
    """Train; what it warned of."""
    warnings = []
    training.run(looked, step, warnings.append)
    return warnings


def state(training):
    return {name: each.detach().clone() for name, each in training.loaded.model.named_parameters()}


@every_family
def test_no_zero_comes_back_and_nothing_but_linears_changes(family):
    training = course(family)
    before = state(training)
    run(training)
    assert len(training.divergences) > 2
    assert training.judged() == pytest.approx(min(training.divergences), rel=1e-6), "it ends with what was best"
    assert all(torch.equal(each == 0, before[name] == 0) for name, each in state(training).items())
    assert_only_linears_changed(training.loaded, before)


@pytest.mark.parametrize(("dtype", "products"), [(torch.float16, "float32"), (torch.bfloat16, "bfloat16")])
def test_half_precision_trains_from_masters_in_float32_and_keeps_a_pattern(dtype, products):
    training, slow = (course(pattern="2:4", dtype=dtype, products=each) for each in (products, "float32"))
    for each in (training, slow):
        each.gradient(0)
    assert torch.cosine_similarity(training.masked.value.grad, slow.masked.value.grad, dim=0) > 0.99
    before = state(training)
    run(training)
    assert training.masked.value.dtype == training.masked.value.grad.dtype == torch.float32
    assert min(training.divergences) < training.divergences[0]
    assert_in_pattern(training.loaded, dtype)
    assert all(torch.equal(each == 0, before[name] == 0) for name, each in state(training).items())


def test_norms_and_biases_are_trained_by_choice():
    training = course("gpt2", norms=True)
    before = state(training)
    run(training)
    changed = {name for name, each in state(training).items() if not torch.equal(each, before[name])}
    assert {"transformer.h.0.ln_1.weight", "transformer.h.1.mlp.c_fc.bias"} <= changed
    assert not any("wte" in name or "ln_f" in name for name in changed)


def test_a_model_that_does_not_fit_is_refused_with_what_does(tmp_path, monkeypatch):
    of, recipe = tiny.fresh("llama"), exact("wanda", 0.6, repair="distill", recover_tokens=10**4)
    options = (of, recipe, TOKENS, lambda: pytest.fail("pruned"), tmp_path, *[lambda _: None] * 4)
    with monkeypatch.context() as patch:
        patch.setattr(machine, "training_bytes", lambda *_: 2**50)
        with pytest.raises(UserError, match=r"takes 1e\+06 GiB of memory .* are free: .* use the repair blockwise"):
            pruned_model.distill(*options)
    stream(of.layers, torch.device("cpu"))
    with pytest.raises(UserError, match="use the repair blockwise"):
        pruned_model.distill(*options)


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
    for part, size, at, expected in zip(own, training.masked.sizes, training.masked.places, plain, strict=True):
        torch.testing.assert_close(part, size * expected.flatten()[at], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("stop", "products"), [(5, "bfloat16"), (11, "float32")])
def test_a_killed_training_ends_bit_for_bit_as_a_whole_one(stop, products):
    whole, first, again = (course("gpt2", products=products) for _ in range(3))
    run(whole)
    saved = []

    def step():
        if first.done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(first, lambda: saved.append(copy.deepcopy(first.state())), step)
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
    training = course(steps=64)
    before, worse = state(training), itertools.count(1.0)
    monkeypatch.setattr(training, "judged", lambda: next(worse))
    run(training)
    assert len(training.divergences) == 5 and training.done < training.steps
    assert all(torch.equal(each, before[name]) for name, each in state(training).items())


# --- schedules -----------------------------------------------------------------------------------------------------


@given(st.integers(1, 5000), st.floats(0, 1), st.integers(2, 600), st.sampled_from([16, 256, 512, 2048]))
def test_a_look_reads_hardly_more_windows_than_were_trained_on_since(steps, until, windows, length):
    """So a short training is not mostly looks, and a long one has sixteen of them and one at its end."""
    end, held = max(1, round(until * steps)), len(validation_windows(windows))
    looks = check_steps(steps, end, held // batch_of(length))
    assert looks[0] == 0 and looks[-1] == end and len(looks) <= MAX_CHECKS + 1
    assert all((there - here + 1) * batch_of(length) > held for here, there in itertools.pairwise(looks[:-1]))


def test_no_step_reads_what_is_held_back_and_steps_fall_along_a_cosine():
    taken = [windows_of_step(step, 3, 20) for step in range(40)]
    assert taken == [windows_of_step(step, 3, 20) for step in range(40)] and taken[0] != taken[1]
    assert {each for step in taken for each in step} == {*range(20)} - {*validation_windows(20)}
    assert all(len({*step}) == 3 for step in taken) and len(windows_of_step(0, 9, 3)) == 2
    sizes = [learning_rate_share(step, 100) for step in range(100)]
    assert sizes[:10] == sorted(sizes[:10]) and sizes[10:] == sorted(sizes[10:], reverse=True) and sizes[-1] < 1e-3


# --- its own text --------------------------------------------------------------------------------------------------


@every_family
def test_the_dense_model_goes_on_from_the_first_tokens_of_a_window_in_its_own_words(family, tmp_path, monkeypatch):
    """Greedily it would write what a forward without a cache finds likeliest; what is held back is not written."""
    of, written = tiny.loaded(family), []
    monkeypatch.setattr(torch, "multinomial", lambda shares, *_, **how: shares.argmax(-1, keepdim=True))
    own = distillation.own_text(of, TOKENS, tmp_path / "text.safetensors", written.append, pytest.fail)
    held, read = validation_windows(16), training_windows(16)
    assert torch.equal(own[held], TOKENS[held])
    assert torch.equal(own[read, :PROMPT_TOKENS], TOKENS[read, :PROMPT_TOKENS])
    likeliest = of.model(input_ids=own[read]).logits.argmax(-1)
    assert torch.equal(own[read, PROMPT_TOKENS:], likeliest[:, PROMPT_TOKENS - 1 : -1]) and written == [14]


def test_what_it_writes_is_drawn_by_seed_and_goes_on_after_a_stop(tmp_path, monkeypatch):
    of = tiny.loaded("llama")
    monkeypatch.setattr(distillation, "TOKENS_AT_ONCE", 4 * 16)
    whole = distillation.own_text(of, TOKENS, tmp_path / "whole", print, pytest.fail)
    assert not torch.equal(whole[training_windows(16)], TOKENS[training_windows(16)])
    assert len({tuple(each) for each in whole[:, PROMPT_TOKENS:].tolist()}) == 16

    def stop(count):
        if count == 8:
            raise Cancelled

    with pytest.raises(Cancelled):
        distillation.own_text(of, TOKENS, tmp_path / "broken", stop, pytest.fail)
    rest = []
    assert torch.equal(distillation.own_text(of, TOKENS, tmp_path / "broken", rest.append, pytest.fail), whole)
    assert rest == [12, 14]
