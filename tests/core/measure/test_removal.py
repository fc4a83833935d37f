"""What greedy removal does to a linear's outputs: by hand, and against a plain loop."""

import pytest
import torch

from core.measure import error, removal
from core.measure import weights as removing
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
    layers, tokens = tiny.loaded(family).layers, 64
    stacks = [anatomy.linears(layer) for layer in layers]
    roots = [{each.name: torch.randn(2 * [each.weight.shape[1]]) for each in stack} for stack in stacks]
    moments = [{name: root @ root.T for name, root in each.items()} for each in roots]
    found = removal(tiny.loaded(family), moments, tokens, lambda _: None).error
    for row, stack, moment in zip(found, stacks, moments, strict=True):
        expected = [error(each.weight.contiguous(), moment[each.name] / tokens) for each in stack]
        assert row[: len(stack)] == pytest.approx(expected, rel=1e-4) and min(expected) > 0
        assert torch.tensor(row[len(stack) :]).isnan().all()
