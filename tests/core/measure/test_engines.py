"""Wavefront, hooks and an independent reference: three ways to the same numbers."""

import copy
import hashlib
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from core.measure import Moments, clean_statistics, hooks, normal, perturbed, prepare, wavefront
from core.methods import Treatment
from core.models import anatomy
from core.prune import prune_linear
from tests import tiny

pytestmark = pytest.mark.usefixtures("inference")

STRIDE = 4
KINDS = (
    "gaussian:0.3@all", "gaussian:0.01", "covariance:0.3", "residual:magnitude:0.7", "residual_rescaled:wanda:0.7:0.3",
    "residual_rescaled:wanda:0.7:-0.3",
)  # fmt: skip
CASES = [(family, name) for family in tiny.FAMILIES for name in ("gaussian:0.3", "skip")]  # how layers are called
CASES += [(family, "residual:wanda:0.7") for family in tiny.PRUNABLE]  # how linears lie
CASES += [(family, name) for family in ("llama", "gpt2", "bloom") for name in KINDS]  # what is done
ROUGHLY = {"kl": (1e-3, 1e-6), "nll_increase": (1e-3, 1e-5), "final_squared": (4e-4, 0)}
QUARTERS = {"ratio_q25": 25, "ratio_q50": 50, "ratio_q75": 75}
UPPER = np.triu_indices(tiny.LAYERS)
BELOW = np.tril_indices(tiny.LAYERS, -1)


@cache
def group_of(family):
    """A group of three sequences, recorded once."""
    of, text = tiny.loaded(family), tiny.windows(3, 14)
    return prepare(of, text.tokens, [0, 1, 2], moments(of, text), STRIDE)


@torch.inference_mode()
def moments(of, text):
    return clean_statistics(of, text.tokens, ("norm",) if anatomy.is_prunable(of.layers) else (), True, lambda _: None)[
        1
    ]


@torch.inference_mode()
def measured(engine, group, name, seed=0):
    return engine(group, tiny.measurement(name, seed), lambda _: None)


@cache
def floor_of(family):
    return measured(wavefront, group_of(family), f"gaussian:{2.0**-24}").drift


# --- the engines agree ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "name"), CASES)
def test_wavefront_and_hooks_agree(family, name):
    group = group_of(family)
    fast, plain, floor = measured(wavefront, group, name), measured(hooks, group, name), floor_of(family)
    assert (np.abs(fast.drift - plain.drift)[UPPER] <= (1e-5 * plain.drift + floor)[UPPER]).all()
    tiny.assert_close(fast, plain, rtol=1e-4, atol=1e-5)
    tiny.assert_untouched(group.loaded.model, tiny.built(family).state_dict())


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_what_is_injected_is_read_where_it_is_injected_and_later(family):
    for name, size in (("gaussian:0.3", 0.3), ("gaussian:0.01@all", 0.01), ("covariance:0.1", 0.1)):
        found = measured(wavefront, group_of(family), name)
        for field in ("drift", "log_drift", "drift_first", "cosine", "orthogonal"):
            assert np.isnan(getattr(found, field)[BELOW]).all() and not np.isnan(getattr(found, field)[UPPER]).any(), (
                field
            )
        np.testing.assert_allclose(np.diag(found.drift), size, rtol=1e-5)
        np.testing.assert_allclose(np.exp(np.einsum("iin->in", found.log_drift)), size, rtol=1e-5)
        if "@all" in name:
            assert (found.drift_first[UPPER] > 0).all()
            np.testing.assert_allclose(np.diag(found.drift_first), size, rtol=1e-5)
        else:
            assert (found.drift_first[UPPER] == 0).all()  # what happens at later positions cannot reach position 0


# --- noise ---------------------------------------------------------------------------------------------------------


def test_the_noise_of_a_sequence_does_not_depend_on_its_company():
    together = normal("gaussian", 3, 1, [0, 1, 2, 7], 9, 5)
    assert torch.equal(normal("gaussian", 3, 1, [7], 9, 5)[0], together[3])
    assert torch.equal(normal("gaussian", 3, 1, [2, 0], 9, 5), together[[2, 0]])
    for other in (("covariance", 3, 1), ("gaussian", 4, 1), ("gaussian", 3, 2)):
        assert not torch.equal(normal(*other, [7], 9, 5)[0], together[3])
    torch.manual_seed(0)
    state = torch.get_rng_state()
    normal("gaussian", 3, 1, [7], 9, 5)
    assert torch.equal(torch.get_rng_state(), state)


def test_covariance_noise_has_the_covariances_directions():
    """A stream that varies in three of its 32 directions alone: so does the noise."""
    of, text = tiny.loaded("llama"), tiny.windows(4, 40)
    basis = torch.linalg.qr(torch.randn(tiny.WIDTH, 3, generator=torch.Generator().manual_seed(1)))[0]
    group = prepare(of, text.tokens, range(4), Moments(root=(basis @ basis.T,) * tiny.LAYERS), STRIDE)
    push = (
        perturbed(tiny.measurement("covariance:0.3"), 2, group.calls[2], range(4), group.moments) - group.calls[2].exit
    )
    outside = push - push @ basis @ basis.T
    assert (outside.norm(dim=-1)[:, 1:] < 1e-4 * push.norm(dim=-1)[:, 1:]).all()
    assert torch.linalg.matrix_rank(push.flatten(0, 1), rtol=1e-3) == 3


# --- an independent reference --------------------------------------------------------------------------------------


def reference(family, name, ids):
    """The definitions of the design, word by word, on a copy of the model; nothing of core.measure is used."""
    model = tiny.built(family)
    layers = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == tiny.LAYERS)
    kept = {}
    changes = {}

    def hook(index):
        def keep(_module, _args, output):
            stream = output if isinstance(output, Tensor) else output[0]
            stream = changes[index](stream) if index in changes else stream
            kept[index] = stream.double()
            return stream if isinstance(output, Tensor) else (stream, *output[1:])

        return keep

    for index, layer in enumerate(layers):
        layer.register_forward_hook(hook(index))
    dense = model(ids).logits.double()
    clean, pruned = dict(kept), wanda_layers(family, ids, name) if "wanda" in name else None
    read = range(1, ids.shape[1] - 1, STRIDE)
    out = {name: np.full((len(layers), len(layers)), np.nan) for name in ("drift", "cosine", "orthogonal")}
    out |= {name: [] for name in ("kl", "nll_increase", "final_squared", "ratio", *QUARTERS)}
    out["log_drift"] = np.full((len(layers), len(layers), len(ids)), np.nan)
    for injection in range(len(layers)):
        original = copy.deepcopy(layers[injection].state_dict())
        if pruned:
            layers[injection].load_state_dict(pruned[injection])
        else:
            changes[injection] = lambda stream, i=injection: stream + noise(i, stream)
        logits = model(ids).logits.double()
        layers[injection].load_state_dict(original)
        changes.clear()
        drifts = []
        for layer in range(injection, len(layers)):
            stream, still = kept[layer][:, 1:], clean[layer][:, 1:]
            change, cell = stream - still, (injection, layer)
            along = (change * still).sum(-1, keepdim=True) / (still * still).sum(-1, keepdim=True) * still
            drifts.append(change.norm(dim=-1) / still.norm(dim=-1))
            out["drift"][cell], out["log_drift"][cell] = drifts[-1].mean(), drifts[-1].log().mean(1)
            out["cosine"][cell] = torch.cosine_similarity(stream, still, dim=-1).mean()
            out["orthogonal"][cell] = ((change - along).norm(dim=-1) / change.norm(dim=-1)).mean()
        ratio = (drifts[-1] / drifts[0]).numpy()
        out["final_squared"].append(drifts[-1].square().mean(1).numpy())
        out["ratio"].append(ratio.mean(1))
        for name, share in QUARTERS.items():
            out[name].append(np.percentile(ratio, share, 1))
        p, q = dense[:, read].log_softmax(-1), logits[:, read].log_softmax(-1)
        out["kl"].append((p.exp() * (p - q)).sum(-1).mean(1).numpy())
        target = ids[:, [at + 1 for at in read]].unsqueeze(-1)
        out["nll_increase"].append((p.gather(-1, target) - q.gather(-1, target)).mean((1, 2)).numpy())
    return {key: np.array(value) for key, value in out.items()}


def noise(layer, stream, size=0.3):
    """Noise of norm size * ||h|| from a generator seeded by what it is for; none at position 0."""
    rows = []
    for sequence in range(len(stream)):
        digest = hashlib.sha256(f"gaussian 0 {layer} {sequence}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        rows.append(torch.randn(stream.shape[1:], generator=generator))
    z = torch.stack(rows)
    push = size * stream.norm(dim=-1, keepdim=True) * z / z.norm(dim=-1, keepdim=True)
    push[:, 0] = 0
    return push


def wanda_layers(family, ids, asked):
    """Each layer's state after Wanda at 70 %, of one linear or one part if only that is asked for."""
    of = tiny.loaded(family)
    states = [copy.deepcopy(layer.state_dict()) for layer in of.layers]
    rows, (*_, only) = tiny.inputs(of, ids), asked.partition("wanda:0.7")
    for index, layer in enumerate(of.layers):
        for each in anatomy.linears(layer):
            part = ":attention" if "att" in each.name else ":mlp"
            if only in ("", part, f":{each.name}"):
                statistics = {"norm": {each.name: rows[index, each.name].norm(dim=0).float()}}
                states[index][f"{each.name}.weight"] = prune_linear(each, index, Treatment("wanda"), statistics, 0.7)
    return states


ALONE = {"llama": ("self_attn.k_proj", "mlp.down_proj"), "gpt2": ("attn.c_attn", "mlp.c_proj"), "opt": ("fc1",)}
WHOLE = ("gaussian:0.3", "residual:wanda:0.7", "residual:wanda:0.7:attention", "residual:wanda:0.7:mlp")
DEFINED = [(family, name) for family in ALONE for name in WHOLE]
DEFINED += [(family, f"residual_linear:wanda:0.7:{name}") for family, names in ALONE.items() for name in names]


@pytest.mark.parametrize(("family", "name"), DEFINED)
def test_the_definitions_word_by_word_give_the_same_numbers(family, name):
    group = group_of(family)
    found, expected = measured(wavefront, group, name), reference(family, name, group.ids)
    for field, value in expected.items():
        one, other = (each[UPPER] if np.isnan(value).any() else each for each in (getattr(found, field), value))
        rtol, atol = ROUGHLY.get(field, (2e-4, 1e-7))
        np.testing.assert_allclose(one, other, rtol, atol, err_msg=field)
    assert expected["final_squared"].min() > 0
