"""The walk over tiny models of every family, against plain forwards of the whole model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from core.models import anatomy
from core.models.loading import Loaded
from core.models.replay import hidden
from core.pruning import walk as walking
from core.pruning.plan import Plan
from core.pruning.walk import restored, walk
from core.specs.errors import Broken, UserError
from core.specs.patterns import Pattern
from core.specs.pruners import PRUNERS
from tests import tiny

TOKENS = tiny.windows(6, 16).tokens
LLAMA_GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
ACCELERATORS = [
    name for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())) if there
]
every_pruner = pytest.mark.parametrize("pruner", PRUNERS)


def fresh(family: str, dtype: torch.dtype = torch.float32) -> Loaded:
    """A model of the family that a test may change."""
    return replace(tiny.loaded(family), model=tiny.built(family).to(dtype))


def plan(pruner: str, sparsity: float | Iterable = 0.5, **options: object) -> Plan:
    given = np.full(tiny.LAYERS, sparsity) if isinstance(sparsity, float) else np.asarray(sparsity)
    return Plan(pruner, given, **options)


def weights(of: Loaded) -> dict[str, Tensor]:
    """Every linear's weight as (out, in), copied, by `layer.name`."""
    return {
        f"{index}.{linear.name}": linear.weight.clone()
        for index, layer in enumerate(of.layers)
        for linear in anatomy.prunable(layer)
    }


# --- counts --------------------------------------------------------------------------------------------------------


@every_pruner
@pytest.mark.parametrize("family", tiny.PRUNABLE)
def test_achieved_is_counted_and_is_the_plan_to_one_weight_per_row(family: str, pruner: str) -> None:
    of = fresh(family)
    stack = anatomy.prunable(of.layers[0])
    wanted = np.random.default_rng(1).uniform(0.1, 0.9, (tiny.LAYERS, len(stack)))
    before = tiny.state(of.model)
    achieved = walk(of, TOKENS, plan(pruner, wanted))
    pruned = weights(of)
    for index in range(tiny.LAYERS):
        for column, linear in enumerate(stack):
            weight = pruned[f"{index}.{linear.name}"]
            assert achieved[index, column] == pytest.approx(float((weight == 0).double().mean()), abs=1e-12)
            assert abs(achieved[index, column] - wanted[index, column]) < 1 / weight.shape[1]
            if pruner == "wanda":
                assert ((weight == 0).sum(1) == int(weight.shape[1] * wanted[index, column])).all()
    _assert_only_linears_changed(of, before)


def _assert_only_linears_changed(of: Loaded, before: dict[str, Tensor]) -> None:
    """Embeddings, the head tied to them or not, norms and biases are bit-equal, and no hook is left."""
    prunable = {id(linear.module.weight) for layer in of.layers for linear in anatomy.prunable(layer)}
    changed = {name for name, value in of.model.named_parameters() if not torch.equal(value, before[name])}
    assert changed == {name for name, value in of.model.named_parameters() if id(value) in prunable}
    tiny.assert_untouched(of.model, tiny.state(of.model))


@pytest.mark.parametrize("family", ["gpt2", "gemma2", "opt"])
def test_a_head_tied_to_the_embedding_stays_tied_and_as_it_was(family: str) -> None:
    of = fresh(family)
    head, embedding = of.model.get_output_embeddings().weight, of.model.get_input_embeddings().weight
    assert head is embedding, "this family is meant to be tied"
    before = embedding.clone()
    walk(of, TOKENS, plan("sparsegpt", 0.7))
    assert of.model.get_output_embeddings().weight is of.model.get_input_embeddings().weight
    assert torch.equal(embedding, before)


@every_pruner
@pytest.mark.parametrize("kept", [Pattern(2, 4), Pattern(5, 8)])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_pattern_holds_in_every_row_of_every_linear(family: str, kept: Pattern, pruner: str) -> None:
    of = fresh(family)
    achieved = walk(of, TOKENS, plan(pruner, kept.sparsity, pattern=kept))
    np.testing.assert_allclose(achieved, kept.sparsity, rtol=0, atol=1e-12)
    for weight in weights(of).values():
        assert ((weight != 0).view(len(weight), -1, kept.of).sum(-1) == kept.kept).all()


@every_pruner
def test_bfloat16_stays_bfloat16(pruner: str) -> None:
    of = fresh("llama", torch.bfloat16)
    achieved = walk(of, TOKENS, plan(pruner, 0.6))
    assert {value.dtype for value in of.model.parameters()} == {torch.bfloat16}
    assert (abs(achieved - 0.6) < 1 / 32).all()
    assert of.model(input_ids=TOKENS).logits.isfinite().all()


def test_restored_brings_everything_back_bit_for_bit() -> None:
    of = fresh("gpt2")
    before = tiny.state(of.model)
    with pytest.raises(ZeroDivisionError), restored(of):
        walk(of, TOKENS, plan("sparsegpt"))
        raise ZeroDivisionError
    tiny.assert_untouched(of.model, before)


def test_steps_are_told_in_order() -> None:
    told: list[int] = []
    walk(fresh("llama"), TOKENS, plan("wanda"), told.append)
    assert told == list(range(tiny.LAYERS))


# --- what statistics come from -------------------------------------------------------------------------------------


def inputs(of: Loaded, index: int) -> dict[str, Tensor]:
    """What the linears of a layer get in a plain forward of the whole model, (tokens, in) in float64."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable:
        return lambda _, args: found.update({name: args[0].double().flatten(0, -2)})

    stack = anatomy.prunable(of.layers[index])
    handles = [linear.module.register_forward_pre_hook(keep(linear.name)) for linear in stack]
    with torch.inference_mode():
        of.model(input_ids=TOKENS, use_cache=False)
    for handle in handles:
        handle.remove()
    return found


def by_plain_forwards(of: Loaded, pruner: str, sparsity: float, groups: Iterable[Iterable[str]]) -> dict[str, Tensor]:
    """Layer after layer, group after group: a forward of the model as it is by then, then the group is pruned."""
    for index, layer in enumerate(of.layers):
        stack = {linear.name: linear for linear in anatomy.prunable(layer)}
        for group in groups:
            seen = inputs(of, index)
            for name in stack.keys() & set(group):
                rows = seen[name]
                statistic = rows.norm(dim=0).float() if pruner == "wanda" else (rows.T @ rows).float()
                pruned = PRUNERS[pruner].prune(stack[name].weight, statistic, sparsity)
                with torch.no_grad():
                    stack[name].module.weight.copy_(stack[name].stored(pruned))
    return weights(of)


@pytest.mark.parametrize("pruner", ["wanda", "sparsegpt"])
@pytest.mark.parametrize("true_sequential", [False, True])
def test_statistics_come_from_the_dense_layer_fed_by_pruned_ones(pruner: str, true_sequential: bool) -> None:
    groups = LLAMA_GROUPS if true_sequential else [[name for group in LLAMA_GROUPS for name in group]]
    expected = by_plain_forwards(fresh("llama"), pruner, 0.6, groups)
    of = fresh("llama")
    walk(of, TOKENS, plan(pruner, 0.6, true_sequential=true_sequential))
    _assert_alike(weights(of), expected)


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "bloom"])
def test_the_dense_layer_rule_in_other_families(family: str) -> None:
    names = [linear.name for linear in anatomy.prunable(tiny.loaded(family).layers[0])]
    expected = by_plain_forwards(fresh(family), "wanda", 0.6, [names])
    of = fresh(family)
    walk(of, TOKENS, plan("wanda", 0.6))
    _assert_alike(weights(of), expected)


def _assert_alike(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Equal masks but for a tie or two, and weights equal to rounding."""
    assert found.keys() == expected.keys()
    for name in expected:
        same = (found[name] == 0) == (expected[name] == 0)
        assert same.float().mean() > 0.995, name
        if same.all():
            torch.testing.assert_close(found[name], expected[name], rtol=1e-2, atol=1e-3, msg=name)


def test_true_sequential_changes_what_comes_later_and_only_that() -> None:
    usual, sequential = fresh("llama"), fresh("llama")
    walk(usual, TOKENS, plan("sparsegpt", 0.7))
    walk(sequential, TOKENS, plan("sparsegpt", 0.7, true_sequential=True))
    one, other = weights(usual), weights(sequential)
    for name in LLAMA_GROUPS[0]:
        assert torch.equal(one[f"0.{name}"], other[f"0.{name}"]), "nothing is pruned before it either way"
    for group in LLAMA_GROUPS[1:]:
        for name in group:
            assert not torch.equal(one[f"0.{name}"], other[f"0.{name}"]), name


@pytest.mark.parametrize("family", tiny.PRUNABLE)
def test_true_sequential_prunes_every_linear_of_every_family(family: str) -> None:
    achieved = walk(fresh(family), TOKENS, plan("wanda", 0.5, true_sequential=True))
    np.testing.assert_allclose(achieved, 0.5, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pruner", ["wanda", "sparsegpt"])
def test_batches_do_not_matter(pruner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, by_two = fresh("llama"), fresh("llama")
    walk(at_once, TOKENS, plan(pruner, 0.6))
    monkeypatch.setattr(walking, "WALK_BATCH", 2 * TOKENS.shape[1])
    walk(by_two, TOKENS, plan(pruner, 0.6))
    _assert_alike(weights(by_two), weights(at_once))


@pytest.mark.parametrize("true_sequential", [False, True])
@pytest.mark.parametrize("sequences", [1, 2, 6])
def test_every_batch_is_told_what_its_own_tokens_make(
    sequences: int, true_sequential: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every layer embeds the tokens anew, and later ones read the keys and values of earlier, pruned ones."""
    monkeypatch.setattr(walking, "WALK_BATCH", sequences * TOKENS.shape[1])
    at_the_end = ("per_layer_input_gate",), ("per_layer_projection",)
    groups = [*LLAMA_GROUPS, *at_the_end]
    names = groups if true_sequential else [[name for group in groups for name in group]]
    expected = by_plain_forwards(fresh(tiny.ODD), "wanda", 0.6, names)
    of = fresh(tiny.ODD)
    walk(of, TOKENS, plan("wanda", 0.6, true_sequential=true_sequential))
    _assert_alike(weights(of), expected)


@pytest.mark.parametrize("family", tiny.PRUNABLE)
def test_one_recording_serves_all_batches_of_a_shape(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record, entry, told = walking.record, walking.entry, []
    monkeypatch.setattr(walking, "record", lambda *given: told.append(given[2].shape) or record(*given))
    monkeypatch.setattr(walking, "entry", lambda *given: told.append("entry") or entry(*given))
    monkeypatch.setattr(walking, "WALK_BATCH", 2 * TOKENS.shape[1])
    walk(fresh(family), TOKENS, plan("wanda"))
    assert told.count((2, 16)) == 1 and told.count("entry") == 2


@every_pruner
@pytest.mark.parametrize("device", ACCELERATORS)
def test_an_accelerator_prunes_as_the_cpu_does(device: str, pruner: str) -> None:
    there, here = fresh("llama"), fresh("llama")
    there.model.to(device)
    achieved = walk(there, TOKENS, plan(pruner, 0.6))
    np.testing.assert_allclose(achieved, walk(here, TOKENS, plan(pruner, 0.6)), rtol=0, atol=1e-12)
    there.model.to("cpu")
    _assert_alike(weights(there), weights(here))


def test_magnitude_runs_nothing() -> None:
    no_tokens = torch.full((1, 4), 10**6)
    of = fresh("llama")
    dense = weights(of)
    walk(of, no_tokens, plan("magnitude"))
    for name, weight in weights(of).items():
        assert torch.equal(weight, PRUNERS["magnitude"].prune(dense[name], None, 0.5))


@every_pruner
def test_gpt2_prunes_as_the_same_weights_in_linears(pruner: str) -> None:
    """Conv1D stores (in, out); rows and groups are over its inputs all the same."""
    transposed, usual = fresh("gpt2"), fresh("gpt2")
    for layer in usual.layers:
        for name, module in list(layer.named_modules()):
            if isinstance(module, Conv1D):
                owner, _, own = name.rpartition(".")
                setattr(layer.get_submodule(owner), own, _as_linear(module))
    walk(transposed, TOKENS, plan(pruner, 0.6))
    walk(usual, TOKENS, plan(pruner, 0.6))
    _assert_alike(weights(transposed), weights(usual))


def _as_linear(module: Conv1D) -> nn.Linear:
    linear = nn.Linear(*module.weight.shape)
    linear.weight = nn.Parameter(module.weight.T.clone(), requires_grad=False)
    linear.bias = nn.Parameter(module.bias.clone(), requires_grad=False)
    return linear


def test_fewer_key_heads_than_query_heads_come_out_right() -> None:
    of = fresh("llama")
    shapes = {name: tuple(weight.shape) for name, weight in weights(of).items()}
    assert shapes["0.self_attn.k_proj"][0] < shapes["0.self_attn.q_proj"][0], "grouped queries"
    walk(of, TOKENS, plan("wanda", 0.75))
    for name, weight in weights(of).items():
        assert tuple(weight.shape) == shapes[name]
        assert ((weight == 0).sum(1) == int(weight.shape[1] * 0.75)).all(), name


# --- what is refused -----------------------------------------------------------------------------------------------


@every_pruner
def test_a_mixture_of_experts_is_refused_in_a_sentence(pruner: str, sentence) -> None:
    of = tiny.loaded("mixtral")
    before = tiny.state(of.model)
    with pytest.raises(UserError) as refused:
        walk(of, TOKENS, plan(pruner))
    sentence(refused.value, "MixtralDecoderLayer")
    tiny.assert_untouched(of.model, before)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (plan("wanda", [0.5] * 3), ["(3,)", "4 layers"]),
        (plan("wanda", [[0.5] * 2] * 4), ["(4, 2)", "7 linears"]),
        (plan("wanda", [0.5, 1.0, 0.5, 0.5]), ["layer 1", "is 1"]),
        (plan("wanda", [0.5, 0.5, -0.1, 0.5]), ["layer 2", "-0.1"]),
        (plan("wanda", [0.5, 0.5, 0.5, np.nan]), ["layer 3", "nan"]),
        (plan("wanda", [0.5, 0.6, 0.5, 0.5], pattern=Pattern(2, 4)), ["2:4", "0.5", "0.6", "layer 1"]),
        (plan("wanda", 0.4, pattern=Pattern(3, 5)), ["3:5", "self_attn.q_proj", "32", "5"]),
        (plan("wanta"), ["'wanta'", "wanda", "sparsegpt"]),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_before_any_work(asked: Plan, names: list[str], sentence) -> None:
    of = fresh("llama")
    before = tiny.state(of.model)
    with pytest.raises(UserError) as refused:
        walk(of, TOKENS, asked)
    sentence(refused.value, *names)
    tiny.assert_untouched(of.model, before)


def test_layers_that_share_a_weight_are_refused(sentence) -> None:
    of = fresh("llama")
    of.layers[2].mlp.up_proj.weight = of.layers[1].mlp.up_proj.weight
    with pytest.raises(UserError) as refused:
        walk(of, TOKENS, plan("magnitude"))
    sentence(refused.value, "mlp.up_proj of layer 1", "mlp.up_proj of layer 2")


def test_a_linear_that_shares_the_embedding_is_refused(sentence) -> None:
    of = fresh("llama")
    of.model.model.embed_tokens.weight = of.layers[3].mlp.up_proj.weight
    with pytest.raises(UserError) as refused:
        walk(of, TOKENS, plan("magnitude"))
    sentence(refused.value, "mlp.up_proj of layer 3", "embed_tokens")


@pytest.mark.parametrize("alone", [lambda given: given + 1, lambda given: {}["state"]], ids=["other", "fails"])
def test_layers_that_need_their_models_forward_are_refused(alone: Callable, sentence) -> None:
    of = fresh("llama")
    inside: list[bool] = []
    of.model.register_forward_pre_hook(lambda *_: inside.append(True))
    of.model.register_forward_hook(lambda *_: inside.clear())
    plain = of.layers[1].forward
    of.layers[1].forward = lambda given, *args, **kwargs: plain(given if inside else alone(given), *args, **kwargs)
    before = tiny.state(of.model)
    with pytest.raises(UserError) as refused:
        walk(of, TOKENS, plan("wanda"))
    sentence(refused.value, "layer 1", "by itself", "magnitude")
    assert all(torch.equal(value, before[name]) for name, value in of.model.state_dict().items())
    walk(of, TOKENS, plan("magnitude"))


def test_layers_that_are_told_what_earlier_ones_computed_are_refused(sentence) -> None:
    of = fresh("llama")
    inside: list[bool] = []
    made: list[Tensor] = []
    of.model.register_forward_pre_hook(lambda *_: inside.append(True))
    of.model.register_forward_hook(lambda *_: inside.clear())
    of.layers[0].register_forward_hook(lambda _, args, output: made.append(hidden(output).std()))

    def told(_: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        turned = tuple(each * made[-1] for each in kwargs["position_embeddings"])
        return args, kwargs | ({"position_embeddings": turned} if inside else {})

    of.layers[2].register_forward_pre_hook(told, with_kwargs=True)
    dense = weights(of)
    with pytest.raises(UserError) as refused:
        walk(of, TOKENS, plan("wanda"))
    sentence(refused.value, "layer 2", "earlier layers", "magnitude")
    assert all(torch.equal(weight, dense[name]) for name, weight in weights(of).items())


@pytest.mark.parametrize("pruner", ["wanda", "sparsegpt"])
def test_a_run_that_is_not_finite_is_refused(pruner: str, sentence) -> None:
    of = fresh("llama")
    of.layers[1].input_layernorm.weight.fill_(float("inf"))
    with pytest.raises(Broken) as refused:
        walk(of, TOKENS, plan(pruner))
    sentence(refused.value, "layer 1", "self_attn.q_proj", "not finite")
    assert refused.value.layer == 1


# --- a factorisation that fails ------------------------------------------------------------------------------------


def test_raised_damping_is_told_once_for_every_linear_it_met(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.spoil_second_moments(monkeypatch)
    told: list[str] = []
    achieved = walk(fresh("llama"), TOKENS, plan("sparsegpt"), warn=told.append)
    assert [text.partition(":")[0] for text in told] == [f"layer {n}, mlp.down_proj" for n in range(tiny.LAYERS)]
    assert all("from 0.01 to 0.1" in text for text in told)
    np.testing.assert_allclose(achieved, 0.5, rtol=0, atol=1e-12)
