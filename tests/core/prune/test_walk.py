"""The walk over tiny models of every family, against plain forwards of the whole model."""

import numpy as np
import pytest
import torch

from core.base import Broken
from core.methods import PRUNERS, SPARSIFIERS, refit
from core.methods import alps as splitting
from core.methods import refit as mending
from core.models import anatomy, losses, stream_of, without_layers
from core.prune import DensePath, calibration, prune_layers, restored, walk
from tests import tiny
from tests.builders.pruned_models import assert_only_linears_changed
from tests.builders.recipes import exact

TOKENS = tiny.windows(6, 16).tokens
LLAMA_GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
every_pruner = pytest.mark.parametrize("pruner", SPARSIFIERS)


# --- counts --------------------------------------------------------------------------------------------------------


@every_pruner
@pytest.mark.parametrize("family", tiny.PRUNABLE)
def test_achieved_is_counted_and_is_the_plan_to_one_weight(family, pruner):
    of = tiny.fresh(family)
    stack = anatomy.prunable_linears(of.layers[0])
    wanted = np.random.default_rng(1).uniform(0.1, 0.9, (tiny.LAYERS, len(stack)))
    before = tiny.state(of.model)
    achieved = prune_layers(of, TOKENS, exact(pruner, wanted))
    pruned = tiny.weights(of)
    for index in range(tiny.LAYERS):
        for column, linear in enumerate(stack):
            weight = pruned[f"{index}.{linear.name}"]
            assert achieved[index, column] == pytest.approx(float((weight == 0).double().mean()), abs=1e-12)
            assert abs(achieved[index, column] - wanted[index, column]) < 1 / weight.numel()
    assert_only_linears_changed(of, before)


@every_pruner
@pytest.mark.parametrize("family", ["llama", "gpt2", tiny.ODD])
def test_a_repair_keeps_the_zeros_and_comes_nearer_to_the_dense_model(family, pruner):
    dense = tiny.loaded(family).model(input_ids=TOKENS).logits
    far, zeros = [], []
    for repair in (None, "refit"):
        of = tiny.fresh(family)
        zeros.append(prune_layers(of, TOKENS, exact(pruner, 0.5, repair=repair)))
        far.append(float((of.model(input_ids=TOKENS).logits - dense).norm()))
    np.testing.assert_allclose(*zeros, rtol=0, atol=1e-12)
    assert far[1] < far[0] * (1.05 if pruner in ("sparsegpt", "alps") else 1)  # these make up for what goes themselves


# --- what statistics come from -------------------------------------------------------------------------------------


def by_plain_forwards(of, pruner, sparsity, groups, repair=False):
    """Layer after layer, group after group: a forward of the model as it is by then, then the group is pruned."""
    for index, layer in enumerate(of.layers):
        stack = {linear.name: linear for linear in anatomy.prunable_linears(layer)}
        for group in groups:
            seen = tiny.inputs(of, TOKENS)
            for name in stack.keys() & set(group):
                rows = seen[index, name]
                norm, moment = rows.norm(dim=0).float(), (rows.T @ rows).float()
                statistic = {"none": None, "norm": norm, "second_moment": moment}[PRUNERS[pruner].statistic]
                pruned = PRUNERS[pruner].prune(stack[name].weight, statistic, sparsity)
                pruned = refit.refit(stack[name].weight, pruned, moment) if repair else pruned
                with torch.no_grad():
                    stack[name].module.weight.copy_(stack[name].stored(pruned))
    return tiny.weights(of)


CASES = [
    *(("llama", pruner, sequential, 6) for pruner in ("wanda", "sparsegpt") for sequential in (False, True)),
    *(("llama", pruner, False, 2) for pruner in ("wanda", "sparsegpt")),
    *(("gpt2", pruner, False, 6) for pruner in ("wanda", "sparsegpt", "alps")),
    *((family, "wanda+refit", sequential, 6) for family in ("llama", "gpt2") for sequential in (False, True)),
    ("llama", "magnitude+refit", False, 2),
    *((family, "wanda", False, 6) for family in ("gpt_neox", "bloom")),
    *((tiny.ODD, "wanda", sequential, batch) for sequential in (False, True) for batch in (1, 2, 6)),
]


@pytest.mark.parametrize(("family", "pruner", "true_sequential", "batch"), CASES)
def test_statistics_come_from_the_dense_layer_fed_by_pruned_ones(family, pruner, true_sequential, batch, monkeypatch):
    """In batches of so many sequences, each told what its own tokens make.

    Every layer of the odd family embeds the tokens anew, and later ones read the keys and values of earlier, pruned
    ones.
    """
    monkeypatch.setattr(calibration, "WALK_BATCH", batch * TOKENS.shape[1])
    for module, rounds, close in ((mending, "ITERATIONS", "ENOUGH"), (splitting, "POLISH", "CLOSE")):
        monkeypatch.setattr(module, rounds, 200)  # to the end: on the way there, rounding shows
        monkeypatch.setattr(module, close, 1e-6)
    names = [linear.name for linear in anatomy.prunable_linears(tiny.loaded(family).layers[0])]
    own = ("per_layer_input_gate",), ("per_layer_projection",)
    named = LLAMA_GROUPS if family != "gpt2" else [[name] for name in names]
    groups = [*named, *own] if true_sequential else [names]
    kernel, _, repair = pruner.partition("+")
    expected = by_plain_forwards(tiny.fresh(family), kernel, 0.6, groups, bool(repair))
    of = tiny.fresh(family)
    prune_layers(of, TOKENS, exact(kernel, 0.6, true_sequential=true_sequential, repair=repair or None))
    found = tiny.weights(of)
    assert found.keys() == expected.keys()
    for name in expected:
        same = (found[name] == 0) == (expected[name] == 0)
        assert same.float().mean() > 0.995, name  # but for a tie or two
        if same.all():
            torch.testing.assert_close(found[name], expected[name], rtol=1e-2, atol=1e-3, msg=name)


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (exact("wanda", [0.5] * 3), ["(3,)", "4 layers"]),
        (exact("wanda", [[0.5] * 2] * 4), ["(4, 2)", "7 linears"]),
        (exact("wanda", [[0.5] * 7, [0.5] * 6 + [1.0], *[[0.5] * 7] * 2]), ["layer 1", "is 1", "all of a layer"]),
        (exact("wanda", [0.5, 0.5, -0.1, 0.5]), ["layer 2", "-0.1"]),
        (exact("wanda", [0.5, 0.6, 0.5, 0.5], pattern="2:4"), ["2:4", "0.5", "0.6", "layer 1"]),
        (exact("wanda", 0.4, pattern="3:5"), ["3:5", "self_attn.q_proj", "32", "5"]),
        (exact("left_out", (0, 0.5, 0, 1)), ["the sparsity of layer 1 is 0.5: it must be 0, or be 1"]),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_before_any_work(asked, names, refused):
    of = tiny.fresh("llama")
    with tiny.untouched(of.model), refused(*names):
        prune_layers(of, TOKENS, asked)


def test_a_weight_that_is_shared_is_refused(refused):
    of = tiny.fresh("llama")
    of.layers[2].mlp.up_proj.weight = of.layers[1].mlp.up_proj.weight
    with refused("mlp.up_proj of layer 1", "mlp.up_proj of layer 2"):
        prune_layers(of, TOKENS, exact("magnitude"))
    of = tiny.fresh("llama")
    of.model.model.embed_tokens.weight = of.layers[3].mlp.up_proj.weight
    with refused("mlp.up_proj of layer 3", "embed_tokens"):
        prune_layers(of, TOKENS, exact("magnitude"))


def noted(of):
    """A list that holds something while the model's own forward runs."""
    inside = []
    of.model.register_forward_pre_hook(lambda *_: inside.append(True))
    of.model.register_forward_hook(lambda *_: inside.clear())
    return inside


@pytest.mark.parametrize("alone", [lambda given: given + 1, lambda given: {}["state"]], ids=["other", "fails"])
def test_layers_that_need_their_models_forward_are_refused(alone, refused):
    of = tiny.fresh("llama")
    inside = noted(of)
    plain = of.layers[1].forward
    of.layers[1].forward = lambda given, *args, **kwargs: plain(given if inside else alone(given), *args, **kwargs)
    dense = tiny.weights(of)
    with refused("layer 1", "by itself", "magnitude"):
        prune_layers(of, TOKENS, exact("wanda"))
    assert all(torch.equal(weight, dense[name]) for name, weight in tiny.weights(of).items())
    prune_layers(of, TOKENS, exact("magnitude"))


def test_layers_that_are_told_what_earlier_ones_computed_are_refused(refused):
    of = tiny.fresh("llama")
    inside, made = noted(of), []
    of.layers[0].register_forward_hook(lambda _, args, output: made.append(stream_of(output).std()))

    def told(_, args, kwargs):
        turned = tuple(each * made[-1] for each in kwargs["position_embeddings"])
        return args, kwargs | ({"position_embeddings": turned} if inside else {})

    of.layers[2].register_forward_pre_hook(told, with_kwargs=True)
    dense = tiny.weights(of)
    with refused("layer 2", "earlier layers", "magnitude"):
        prune_layers(of, TOKENS, exact("wanda"))
    assert all(torch.equal(weight, dense[name]) for name, weight in tiny.weights(of).items())


def test_a_run_that_is_not_finite_is_refused(refused):
    of = tiny.fresh("llama")
    of.layers[1].input_layernorm.weight.fill_(float("inf"))
    with refused("layer 1", "self_attn.q_proj", "not finite", error=Broken) as said:
        prune_layers(of, TOKENS, exact("wanda"))
    assert said.value.layer == 1


# --- layers that are left out -----------------------------------------------------------------------------------------

GONE = [1, 3]  # the last one too
SHARES = (0.5, 1, 0.25, 1)


def logits(of):
    with torch.inference_mode():
        return of.model(input_ids=TOKENS, use_cache=False).logits


@pytest.mark.parametrize("family", tiny.PRUNABLE)  # some add a bias, or norm what a layer gives
def test_a_model_without_some_layers_is_one_that_never_had_them(family):
    of, whole = tiny.fresh(family), logits(tiny.fresh(family))
    with without_layers(of.model, GONE):
        lacking, stream = logits(of), losses.last_stream(of, TOKENS)
    with tiny.untouched(of.model), restored(of):
        achieved = prune_layers(of, TOKENS, exact("left_out", (0, 1, 0, 1)))
        assert (achieved[GONE] == 1).all() and (np.delete(achieved, GONE, 0) < 0.1).all()
        assert torch.equal(logits(of), lacking) and not torch.equal(lacking, whole)
        assert torch.equal(losses.last_stream(of, TOKENS), stream)
    assert torch.equal(logits(of), whole)


@pytest.mark.parametrize("pruner", ["wanda", "sparsegpt", "magnitude"])
def test_the_layers_that_stay_are_pruned_as_if_the_others_had_never_been(pruner):
    of, short = tiny.fresh("bloom"), tiny.fresh("bloom")
    prune_layers(of, TOKENS, exact(pruner, SHARES))
    with without_layers(short.model, GONE):
        prune_layers(short, TOKENS, exact(pruner, np.delete(SHARES, GONE)))
        assert torch.equal(logits(of), logits(short))
    pairs = zip(tiny.weights(of).values(), tiny.weights(short).values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("repair", ["refit_dense", "blockwise"])
def test_the_dense_path_keeps_the_layers_that_the_pruned_one_leaves_out(repair, monkeypatch):
    paths = []
    monkeypatch.setattr(walk, "DensePath", lambda *given: paths.append(DensePath(*given)) or paths[0])
    of = tiny.fresh("llama")
    prune_layers(of, TOKENS, exact("wanda", SHARES, repair=repair))
    dense = losses.last_stream(tiny.fresh("llama"), TOKENS)
    assert torch.allclose(torch.cat(paths[0].streams), dense, rtol=0, atol=1e-5 * float(dense.abs().max()))
