"""The repair: against a direct solve, on any mask, and what it may never do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.base import Broken
from core.methods import Pattern
from core.methods import refit as repair
from core.methods.alps import alps
from core.methods.magnitude import magnitude
from core.methods.refit import errors, refit
from core.methods.sparsegpt import sparsegpt
from core.methods.wanda import wanda

PATTERNS = [None, Pattern(2, 4)]


def drawn(rows, columns, tokens, seed=0):
    """A weight, and the second moment of correlated inputs."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator)
    mixed = torch.randn(columns, columns, generator=generator)
    inputs = torch.randn(tokens, columns, generator=generator) @ mixed
    return weight, inputs.T @ inputs


def pruned_by(name, weight, moment, pattern=None):
    if name == "sparsegpt":
        return sparsegpt(weight, moment, 0.6, pattern)
    return wanda(weight, moment.diagonal().sqrt(), 0.6, pattern) if name == "wanda" else magnitude(weight, None, 0.6)


@pytest.mark.parametrize("pulled", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_is_the_direct_solve_of_every_row(pattern, pulled, monkeypatch):
    monkeypatch.setattr(repair, "ENOUGH", 1e-7)
    weight, moment = drawn(6, 16, 200)
    pruned = pruned_by("wanda", weight, moment, pattern)
    pull = torch.randn(6, 16) * moment.diagonal() * pulled
    found = refit(weight, pruned, moment, pull=pull if pulled else None).double()
    damped = moment.double() + repair.DAMPING[0] * float(moment.diagonal().mean()) * torch.eye(16)
    for row in range(6):
        kept = torch.nonzero(pruned[row])[:, 0]
        right = (damped @ weight[row].double() + pull[row].double())[kept]
        exact = torch.linalg.solve(damped[kept][:, kept], right)
        torch.testing.assert_close(found[row, kept], exact, rtol=1e-3, atol=1e-3 if pulled else 1e-4)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(2, 24),
    tokens=st.integers(1, 60),
    seed=st.integers(0, 99),
    name=st.sampled_from(["magnitude", "wanda", "sparsegpt"]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
)
def test_no_row_gets_worse_and_the_mask_stays(rows, columns, tokens, seed, name, dtype):
    weight, moment = drawn(rows, columns, tokens, seed)
    weight = weight.to(dtype)
    pruned = pruned_by(name, weight, moment)
    found = refit(weight, pruned, moment)
    assert found.dtype == dtype
    assert torch.equal(found != 0, pruned != 0)
    before, after = (errors(weight.float(), each.float(), moment) for each in (pruned, found))
    assert (after <= before).all()


# --- what diverges -------------------------------------------------------------------------------------------------


def spoilt(share):
    """Rounding may leave a second moment with a negative eigenvalue: this one has `-share` of its mean diagonal."""
    return torch.eye(4) + (1 + share) * torch.eye(4).flip(0)


DENSE, PRUNED = torch.tensor([[1.0, 2.0, -3.0, 4.0]]), torch.tensor([[0.0, 1.5, -1.0, 0.0]])


@pytest.mark.parametrize(
    ("solve", "name"),
    [
        (lambda moment, warn: refit(DENSE, PRUNED, moment, warn), "repair"),
        (lambda moment, warn: alps(torch.cat([DENSE, DENSE.abs().roll(1)]), moment, 0.5, None, warn), "splitting"),
    ],
)
def test_damping_is_raised_with_a_warning_and_given_up_in_a_sentence(solve, name, refused):
    warnings = []
    assert solve(spoilt(0.05), warnings.append).isfinite().all()
    assert warnings == [f"the {name} diverged: damping raised from 0.01 to 0.1"]
    with refused(name, "damping 1", "calibrate", error=Broken):
        solve(spoilt(3.0), lambda _: None)
