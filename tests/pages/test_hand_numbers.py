"""What the browser computes of layers set by hand is what Python does: its numbers, kept for the tests under Node."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from core.base import UserError
from core.plan import Bounds, layer_means, prediction, share_spent, shift_linears_to_means, with_fixed_layers

FILE = Path(__file__).parents[1] / "front" / "hand.json"
LAYERS = 5


def numbers():
    """Budgets and predictions of invented layers."""
    draw = np.random.default_rng(0)
    return {"budgets": [budget(draw, n) for n in range(36)], "predictions": [predicted(draw, n) for n in (2, 5, 9)]}


def budget(draw, n):
    """Some layers of one linear or of three held; none, all, and more than the others can make up for, among others."""
    shape, bounds, target = (LAYERS, 1 + 2 * (n % 2)), Bounds(high=(0.95, 0.9, 0.8)[n % 3]), 0.7
    base, weights = draw.uniform(0.4, 0.95, shape), draw.integers(1, 9, shape).astype(float)
    means = layer_means(np.clip(base + draw.uniform(-0.3, 0.3, (LAYERS, 1)), *bounds), weights)
    layers = draw.permutation(LAYERS)[: n // 2 % (LAYERS + 1)]
    hand = dict(zip(layers.tolist(), draw.uniform(0, bounds.high, len(layers)).tolist(), strict=True))
    if not hand:  # Python takes an allocation without any as one that meets its budget
        target = share_spent(means, weights.sum(1))
    try:
        wanted = with_fixed_layers(
            shift_linears_to_means(base, weights, means[None], bounds)[0], hand, weights, target, bounds
        ).tolist()
    except UserError:
        wanted = None
    told = {"base": base.tolist(), "means": means.tolist(), "hand": [hand.get(layer) for layer in range(LAYERS)]}
    return told | {"weights": weights.tolist(), "target": target, "bounds": list(bounds), "wanted": wanted}


def predicted(draw, anchors):
    """A curve through so many anchors, and allocations inside, outside and beyond them."""
    sparsity = np.linspace(0, 0.9, 19)
    harm = np.outer(draw.uniform(0.1, 0.4, LAYERS), sparsity**3)
    read = lambda rows: np.stack([np.interp(rows[:, n], sparsity, harm[n]) for n in range(LAYERS)], axis=1)  # noqa: E731
    evaluated = draw.uniform(0.4, 0.8, (anchors, LAYERS))
    found = prediction.fit(read(evaluated), read(evaluated).sum(1) * draw.uniform(0.9, 1.1, anchors))
    rows = np.concatenate([draw.uniform(0.1, 0.9, (6, LAYERS)), np.zeros((1, LAYERS)), np.full((1, LAYERS), 0.93)])
    costs = [each.tolist() for each in np.exp(3.0 + np.stack(found(read(rows))[:3], axis=1))]
    curves = {name: told(value) for name, value in vars(found).items()}
    curves |= {"sparsity": sparsity.tolist(), "harm": harm.tolist(), "loss": 3.0, "constants": prediction.CONSTANTS}
    return {"curves": curves, "rows": rows.tolist(), "costs": [*costs[:-1], None]}


def told(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


def test_the_numbers_of_the_browser_s_tests_are_those_of_python():
    def compare(found, kept):
        if isinstance(kept, dict | list):
            pairs = [(found[each], kept[each]) for each in (kept if isinstance(kept, dict) else range(len(kept)))]
            assert len(found) == len(kept)
            for one, other in pairs:
                compare(one, other)
        else:
            assert found == pytest.approx(kept, rel=1e-9, abs=1e-12)

    compare(json.loads(json.dumps(numbers())), json.loads(FILE.read_text("utf-8")))


if __name__ == "__main__":
    sys.exit(not FILE.write_text(json.dumps(numbers()), "utf-8"))
