"""What the program can do with a model, each tried on a tiny model of a family that was written to files and read.

A trial asserts that what came is right, or ends with the sentence that refuses: so a cell of the Evidence page's matrix
of families and capabilities is yes only where the trial of that cell passes.
"""

import tempfile
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch

from core.base import UserError
from core.export import Card, Contents
from core.export import export as exporting
from core.measure import checkpoint_diff
from core.methods import Owl, errors
from core.models import Loaded, anatomy, loading, locate, reference
from core.models import evaluate as losses
from core.plan import allocate as spread
from core.prune import prune_layers
from core.requests import AllocationRequest, Correction
from core.store import Store, profiles
from tests import families, tiny
from tests.builders.recipes import exact

LAYERS, WIDTH, TARGET = 2, 16, 0.5
TEXT = tiny.windows(3, 12)


class Trial(NamedTuple):
    """A model of a family as its files give it, and a cache beside it."""

    loaded: Loaded
    store: Store

    @property
    def copy(self):
        """The model once more, for a change."""
        return loading.load(self.loaded.source)

    def pruned(self, pruner, repair=None):
        """The model with half of every linear gone."""
        found = self.copy
        achieved = prune_layers(found, TEXT.tokens, exact(pruner, np.full(LAYERS, TARGET), repair=repair))
        assert np.isclose(achieved, TARGET, rtol=0, atol=1e-12).all() and _logits(found).isfinite().all()
        return found

    def swept(self, *names, prunable=False):
        """What a sweep measures."""
        asked = tiny.profile(self.loaded, TEXT, *names).replace(prunable=prunable)
        sweep = tiny.sweep(self.loaded, TEXT, asked, self.store)
        sweep.run()
        assert sweep.engine == "wavefront" and not sweep.replay
        return profiles.load(self.store, SimpleNamespace(spec=asked, key="tried", provenance={}))


@cache
def trial(family):
    """A new model of the family, written and read."""
    folder = tiny.kept(family)
    tiny.filled(families.config(family, LAYERS, WIDTH)).save_pretrained(folder / "model")
    tiny.tokenizer().save_pretrained(folder / "model")
    store = Store(folder / "cache")
    return Trial(loading.load(locate(str(folder / "model"), store), store=store), store)


def measure(of):
    """Noise drifts as much as was put in where it enters, and a layer left out does harm."""
    found = of.swept("gaussian:0.3", "skip")
    [noise], [skip] = found.seeds("gaussian:0.3"), found.seeds("skip")
    np.testing.assert_allclose(np.diag(noise.drift), 0.3, rtol=1e-5)
    upper = np.triu_indices(LAYERS)
    assert np.isfinite(noise.drift[upper]).all() and (skip.kl > 0).all()


def damage(of):
    """Pruning more drifts further."""
    names = "residual:wanda:0.3", "residual:wanda:0.7"
    little, much = (np.diag(each[0].drift) for each in map(of.swept(*names).seeds, names))
    assert (little > 0).all() and (little < much).all()


def allocate(of):
    """OWL with the correction spends the budget, and not the same on each layer."""
    profile = of.swept("gaussian:0.3", prunable=True)
    found = spread(AllocationRequest(base=Owl(m=2), target=TARGET, correction=Correction(strength=0.04)), profile)
    assert abs(found.budget - TARGET) < 1e-9 and len(set(found.sparsity)) == LAYERS


def stays(pruner, as_it_was, of):
    """What stays is as it was, or makes up for what went."""
    pairs = zip(_weights(of.loaded), _weights(of.pruned(pruner)), strict=True)
    assert {torch.equal(ours.where(theirs != 0, 0), theirs) for ours, theirs in pairs} == {as_it_was}


def repair(of):
    """The first layer keeps its mask, and its outputs come nearer to the dense."""
    plain, mended = (of.pruned("wanda", repair) for repair in (None, "refit"))
    given, linears = tiny.inputs(of.loaded, TEXT.tokens), anatomy.prunable_linears(of.loaded.layers[0])
    for linear, before, after in zip(linears, _weights(plain), _weights(mended), strict=False):
        rows = given[0, linear.name].float()
        assert torch.equal(before != 0, after != 0)
        far = [errors(linear.weight, each, rows.T @ rows).sum() for each in (before, after)]
        assert far[1] < far[0], linear.name


def evaluate(of):
    """Losses are those of a plain forward, and the model does not diverge from itself."""
    found = losses(of.loaded, TEXT.tokens, reference(of.loaded, TEXT.tokens))
    expected = _logits(of.loaded)[:, :-1].double().log_softmax(-1).gather(-1, TEXT.tokens[:, 1:, None])
    np.testing.assert_allclose(found.nll, -expected.mean((1, 2)), rtol=1e-5)
    assert (found.kl < 1e-6).all() and (found.agreement == 1).all()


def compare(of):
    """A change of the last layer is found there, and all before it is alike."""
    other = of.copy
    for value in other.layers[-1].parameters():
        value.mul_(1.5)
    error = checkpoint_diff.difference(of.loaded, other, lambda _: None).error
    drift = checkpoint_diff.cumulative(of.loaded, other, TEXT.tokens, lambda _: None).log_drift
    assert not error[:-1].any() and np.isclose(error[-1][error[-1] > 0], 0.5, rtol=1e-4).all()
    assert np.isneginf(drift[:-1]).all() and np.isfinite(drift[-1]).all()


def export(of):
    """A pruned folder is read again as the model that was written."""
    pruned = of.pruned("magnitude")
    card = Card("tried", "tiny", "tiny", "apache-2.0", {"pruner": "magnitude", "pattern": None}, [])
    with tempfile.TemporaryDirectory() as folder:
        made = exporting.export(pruned, Path(folder) / "out", card, Contents(np.full(LAYERS, TARGET)))
        again = loading.load(locate(str(made.path), of.store))
        assert made.difference == 0 and torch.equal(_logits(again), _logits(pruned))


CAPABILITIES = {
    "measure": measure,
    "measure pruning damage": damage,
    "compare": compare,
    "allocate": allocate,
    "Wanda": partial(stays, "wanda", True),
    "SparseGPT": partial(stays, "sparsegpt", False),
    "ALPS": partial(stays, "alps", False),
    "repair": repair,
    "evaluate": evaluate,
    "export": export,
}


@torch.inference_mode()
def cell(family, capability):
    """Yes, or no where it is refused in a sentence; whatever else goes wrong is raised."""
    try:
        CAPABILITIES[capability](trial(family))
    except UserError:
        return "no"
    return "yes"


def _weights(of):
    """Of every linear, (out, in)."""
    return [linear.weight for layer in of.layers for linear in anatomy.prunable_linears(layer)]


def _logits(of):
    return of.model(input_ids=TEXT.tokens, use_cache=False).logits
