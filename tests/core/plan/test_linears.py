"""A budget per linear: the properties of one per layer hold, and what it cannot be spread over is refused."""

import json

import numpy as np
import pytest

from core.base import UserError
from core.methods import Manual
from core.plan import allocate, spread_budget
from core.requests import AllocationRequest, grammar
from tests.core.allocating import PER_LINEAR, of_linears, profile


def test_numbers_per_linear_set_by_hand_are_kept_and_brought_to_the_budget():
    here = of_linears(3, 4)
    solved = allocate(AllocationRequest(base=PER_LINEAR, target=0.6), here)
    by_hand = Manual(sparsity=solved.exact.tolist())
    for target in (0.6, 0.65):
        found = allocate(AllocationRequest(base=by_hand, target=target), here)
        assert np.average(found.exact, weights=here.weights.parameters) == pytest.approx(target, abs=1e-9)
        assert (found.exact == pytest.approx(solved.exact, abs=1e-9)) == (target == 0.6)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ("layers with different numbers of linears", (3, 2)),
        ("holds 3 x 2 numbers .layers x linears., the model needs 2 x 3", (2, 2, 2)),
        ("holds 1 x 3 numbers .layers x linears., the model needs 2 x 3", (3,)),
    ],
)
def test_numbers_per_linear_of_another_shape_get_one_sentence(said, counts):
    with pytest.raises(UserError, match=said):
        allocate(AllocationRequest(base=Manual(sparsity=[[0.5] * each for each in counts])), of_linears(2))


def test_a_profile_that_lacks_linears_is_refused_in_a_sentence_that_names_what_would_do(sentence):
    request = AllocationRequest(base=PER_LINEAR)
    for here in (profile(4), of_linears(4, lacking="residual_linear:wanda:0.7:attn.out")):
        with pytest.raises(UserError) as caught:
            allocate(request, here)
        sentence(caught.value, "residual_linear:wanda:0.5:", "lacks")
    assert "attn.out" in str(caught.value)


def test_layers_that_differ_in_their_linears_get_one_budget_per_layer(refused):
    sizes = of_linears(3).weights.parameters.copy()
    sizes[1, 2] = np.nan
    with refused("spread the budget over layers"):
        spread_budget(AllocationRequest(base=PER_LINEAR), sizes, of_linears(3))


def test_numbers_written_down_with_another_budget_than_they_spend_are_refused(tmp_path, refused):
    here, path = of_linears(4, 1), tmp_path / "allocation.json"
    rows = [[0.9, 0.9, 0.1]] * 4
    spent = np.average(np.array(rows), weights=here.weights.parameters)
    for content in (rows, {"sparsity": rows, "budget": 0.2}):
        path.write_text(json.dumps(content), encoding="utf-8")
        with refused(f"{spent:.6f} of this model's", f'"budget": {spent:.9f}'):
            allocate(grammar.from_file(path), here)
    path.write_text(json.dumps({"sparsity": rows, "budget": round(spent, 9)}), encoding="utf-8")
    assert allocate(grammar.from_file(path), here).budget == pytest.approx(spent)
