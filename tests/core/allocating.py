"""What the tests of allocation share: profiles of random numbers, and their layers in another order."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from hypothesis import HealthCheck, settings

from core.methods import OUTLIER_THRESHOLDS, AlphaPruning, Dlp, Lsa, Owl, Response
from core.plan import responses
from core.store import Profile, Removal, Scores, Weights
from tests import synthetic
from tests.builders.profiles import measurements

NAMES = ("gaussian:0.3", "residual:wanda:0.4", "residual:wanda:0.7", "residual:wanda:0.9")
SEEING = (Owl(), AlphaPruning(), Dlp(), Lsa(), Response())
STACK = ("attn.qkv", "attn.out", "mlp.up")
LEVELS = (0.4, 0.7, 0.9)
PER_LINEAR = Response(granularity="linear")
quick = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
SPEC = SimpleNamespace(sketch=None, text=SimpleNamespace(sequences=3, length=64))


def harming(name, harm):
    """Results of one perturbation with this divergence, (layers, sequences), and losses and drift that go with it."""
    key, alike = measurements(name, "skip" if "linear" in name else name)
    plain = synthetic.perturbed(*harm.shape, alike)
    return {key: replace(plain, kl=harm, nll_increase=harm**1.5, final_squared=harm / 2)}


def profile(layers, seed=0):
    """A profile of random numbers."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return 0.05 + rng.random(shape)

    measured, harms = {}, np.cumsum(np.stack([draw(layers, 3) for _ in NAMES]), axis=0)
    for name, harm in zip(NAMES, harms, strict=True):
        measured |= harming(name, harm)
        [*_, plain] = measured.values()
        gain = draw(layers, 3) * (np.arange(layers) < layers - 1)[:, None]
        plain.log_drift[:, -1] = np.einsum("iin->in", plain.log_drift) + gain * rng.choice([-1, 1])
    sizes = rng.integers(1_000, 5_000_000, (layers, 7)).astype(float)
    weights = Weights(sizes, draw(layers, 7) + 2, draw(layers, 7) + 2)
    scores = Scores(draw(layers, len(OUTLIER_THRESHOLDS)), draw(layers), draw(layers))
    told = {"model": "m", "text": "t", "linears": list(synthetic.LINEARS)}
    entry = SimpleNamespace(key="invented", spec=SPEC, provenance=told)
    clean = synthetic.activation(layers, 3), synthetic.floor(layers)
    return Profile(entry, *clean, weights, scores, measured, Removal(draw(layers, 7)))


def estimates(rows, found, objective="drift"):
    """The sum of the harms of layers, or linears, pruned alone, (rows,): what the response allocation makes least."""
    curves = responses.of_profile(found, "wanda", objective, per_linear=rows.ndim == 3)
    return responses._read(curves, rows.reshape(len(rows), -1)).sum(1)


def permuted(found, order):
    """The same layers in another order, as far as base allocators look."""

    def picked(part, *names):
        return replace(part, **{name: getattr(part, name)[order] for name in names or vars(part)})

    measured = {each: picked(unit, "kl", "nll_increase", "final_squared") for each, unit in found.perturbed.items()}
    whole = {name: picked(getattr(found, name)) for name in ("weights", "scores", "removal")}
    return replace(found, perturbed=measured, **whole)


def of_linears(layers, seed=0, linears=3, lacking=None):
    """A profile of random numbers in which each linear was pruned alone too; one may lack a sparsity."""
    plain, rng = profile(layers, seed), np.random.default_rng(seed + 1)
    measured = dict(plain.perturbed)
    for name in STACK[:linears]:
        harm = np.zeros((layers, 3))
        for level in LEVELS:
            harm = harm + 0.05 + rng.random((layers, 3))
            if (alone := f"residual_linear:wanda:{level}:{name}") != lacking:
                measured |= harming(alone, harm)
    sizes = rng.integers(1_000, 5_000_000, (layers, linears)).astype(float)
    told = SimpleNamespace(key="invented", spec=SPEC, provenance=plain.provenance | {"linears": list(STACK[:linears])})
    weights = Weights(sizes, plain.weights.alpha_hill[:, :linears], plain.weights.alpha_peak[:, :linears])
    removal = Removal(plain.removal.error[:, :linears])
    return replace(plain, entry=told, weights=weights, perturbed=measured, removal=removal)
