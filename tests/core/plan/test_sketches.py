"""What a sketch tells: harms beside measured ones, which curves are read, and pairs whose intervals cover."""

import numpy as np
import pytest
from numpy.random import default_rng

from core.base import UserError
from core.methods import SKETCHED, SKETCHED_KQUANTS, Response
from core.plan import agreements, allocate, correlation, is_sketched, neighbours
from core.requests import AllocationRequest, read_allocation
from core.store import Store
from tests.builders.profiles import stored

LAYERS, DAMAGES = 6, (*SKETCHED, *SKETCHED_KQUANTS)
CURRENCIES = ("zeros:0.7", "bits:3", "bits:2.5", "integers:3.5", "gguf:5", "kquants:3.3")


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    return stored(Store(tmp_path_factory.mktemp("sketched")), layers=LAYERS, prunable=True, sketch="fast")


@pytest.mark.parametrize("granularity", ["linear", "layer"])
@pytest.mark.parametrize("currency", CURRENCIES)
def test_every_budget_is_planned_by_its_own_quantiser(profile, currency, granularity):
    unit = currency.partition(":")[0]
    request = read_allocation(f"response granularity={granularity} currency={currency}")
    plan = allocate(request, profile)
    assert is_sketched(profile, request.base.pruner, granularity == "linear") or unit == "zeros"
    assert plan.exact.shape == ((LAYERS, 7) if granularity == "linear" else (LAYERS,))
    assert plan.budget == pytest.approx(request.target, abs=0.02 if request.budget_unit.levels else 1e-9)
    assert np.ptp(plan.exact) > 0


def test_measured_curves_go_before_sketched_ones(empty):
    names = [f"residual:wanda:{share}" for share in (0.5, 0.7, 0.9)]
    profile = stored(empty, *names, layers=LAYERS, prunable=True, sketch=True)
    assert not is_sketched(profile, "wanda", False) and is_sketched(profile, "wanda", True)
    assert is_sketched(profile, "magnitude", False)
    found = agreements(profile)
    assert [each.damage for each in found] == ["wanda:0.5", "wanda:0.7", "wanda:0.9"]
    assert all(each.units == LAYERS and not each.linears and each.ratio > 0 for each in found)
    some = [f"residual_linear:kquants:Q3_K:mlp.{name}" for name in ("up_proj", "down_proj")]
    [sampled] = agreements(stored(empty, *some, layers=LAYERS, prunable=True, sketch="fast"))
    assert sampled.damage == "Q3_K" and sampled.linears and sampled.units == 2 * LAYERS
    for objective in ("drift", "nll"):
        with pytest.raises(UserError, match="the divergence alone: objective=kl"):
            allocate(AllocationRequest(base=Response(objective=objective, granularity="linear")), profile)
    with pytest.raises(UserError, match="measure residual_linear:gptq"):
        allocate(read_allocation("response granularity=linear pruner=gptq currency=bits:3"), profile)


@pytest.mark.parametrize("true", [-0.5, 0.0, 0.3])
def test_the_interval_of_a_correlation_covers(true):
    rng, held, mean_held = default_rng(3), 0, 0
    root = np.linalg.cholesky(np.array([[1, true], [true, 1]]))
    for _ in range(400):
        scale = np.exp(rng.normal(0, 0.3, (1, 1, 8)))  # windows that are harmed more, or less
        changed = np.einsum("ij,jdw->idw", root, rng.standard_normal((2, 16, 8))) * scale
        value, low, high, n = correlation(changed)
        assert n == 8 and value[0, 1] == pytest.approx(value[1, 0])
        held += low[0, 1] <= true <= high[0, 1]
        one = correlation(changed, neighbours)
        mean_held += one.low <= true <= one.high
    assert 0.91 < held / 400 < 0.985 and mean_held == held
