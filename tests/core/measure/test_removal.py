"""What greedy removal does to a linear's outputs: by hand, and against a plain loop."""

import pytest
import torch

from core.measure import weights as removing
from core.measure.weights import error, removal
from core.models import anatomy
from tests import tiny


def plain(weight, moment, block):
    """Row by row and weight by weight: the sum of what each removal adds."""
    total = 0.0
    for row in weight.tolist():
        gone = []
        for first in range(0, len(row), block):
            columns = list(range(first, min(first + block, len(row))))
            for _ in range(len(columns) // 2):
                added = {
                    j: row[j] ** 2 * float(moment[j, j]) + sum(2 * row[j] * row[k] * float(moment[j, k]) for k in gone)
                    for j in columns
                    if j not in gone
                }
                least = min(added, key=added.get)
                total += added[least]
                gone.append(least)
    return total


@pytest.mark.parametrize("block", [4, 6, 16])
def test_it_is_the_plain_loop(block, monkeypatch):
    monkeypatch.setattr(removing, "BLOCK", block)
    generator = torch.Generator().manual_seed(block)
    weight, inputs = torch.randn(5, 16, generator=generator), torch.randn(40, 16, generator=generator)
    inputs = inputs @ torch.randn(16, 16, generator=generator)
    moment = inputs.T @ inputs / 40
    assert error(weight, moment) == pytest.approx(plain(weight.double(), moment.double(), block), rel=1e-4)


@pytest.mark.parametrize("family", ["llama", "gpt2", tiny.ODD])
def test_every_linear_of_a_family_has_its_own(family):
    of, text = tiny.loaded(family), tiny.windows(4, 16)
    seen = tiny.inputs(of, text.tokens)
    moments = [
        {linear.name: (seen[at, linear.name].T @ seen[at, linear.name]).float() for linear in anatomy.linears(layer)}
        for at, layer in enumerate(of.layers)
    ]
    found = removal(of, moments, text.tokens.numel(), lambda _: None).error
    for at, layer in enumerate(of.layers):
        stack = anatomy.linears(layer)
        assert (found[at, : len(stack)] > 0).all() and torch.tensor(found[at, len(stack) :]).isnan().all()
        for column, linear in enumerate(stack):
            mean = moments[at][linear.name] / text.tokens.numel()
            assert found[at, column] == pytest.approx(error(linear.weight.contiguous(), mean), rel=1e-4)
