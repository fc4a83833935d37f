"""An allocation to take along: the recipe, the command and the file say what was allocated and read back as it."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import yaml

from core.ask import grammar
from core.ask.allocations import AllocationRequest, Correction
from core.export import recipes
from core.kinds.dlp import Dlp
from core.kinds.owl import Owl
from core.plan.spread import allocate
from tests.core.allocating import PER_LINEAR, STACK, of_linears, profile


@pytest.mark.parametrize("modifier", ["WandaPruningModifier", "SparseGPTModifier"])
def test_the_recipe_has_one_sparsity_per_layer(modifier: str) -> None:
    found = allocate(AllocationRequest(base=Owl()), profile(13))
    recipe = yaml.safe_load(recipes.llm_compressor(found.sparsity, modifier, "a model:\nOWL"))
    asked = recipe["pruning_stage"]["pruning_modifiers"][modifier]
    assert asked["sparsity"] == pytest.approx(found.sparsity.tolist(), abs=1e-9)
    assert asked["mask_structure"] == "0:0"
    assert asked["ignore"] == ["re:.*lm_head"]


@pytest.mark.parametrize("modifier", ["WandaPruningModifier", "SparseGPTModifier"])
def test_the_recipe_has_one_sparsity_per_linear_in_the_order_of_the_modules(modifier: str) -> None:
    """A list is dealt out to the matched modules in the model's order: matched here as its code does, by name."""
    found = allocate(AllocationRequest(base=PER_LINEAR, target=0.6), of_linears(4, 1))
    recipe = yaml.safe_load(recipes.llm_compressor(found.linears, modifier, "a model", STACK))
    asked = recipe["pruning_stage"]["pruning_modifiers"][modifier]
    inside = ("attn", *STACK[:2], "mlp", STACK[2], "attn.qkv.extra", "norm")
    modules = [name for layer in range(4) for name in (f"m.layers.{layer}", *(f"m.layers.{layer}.{x}" for x in inside))]
    [target] = asked["targets"]
    matched = [name for name in ["m.embed", *modules, "lm_head"] if re.match(target.removeprefix("re:"), name)]
    assert matched == [f"m.layers.{layer}.{name}" for layer in range(4) for name in STACK]
    assert asked["sparsity"] == pytest.approx(found.linears.ravel().tolist(), abs=1e-9)
    with pytest.raises(ValueError, match="3 linears have 1 names"):
        recipes.llm_compressor(found.linears, modifier, "a model", STACK[:1])


def test_what_cannot_be_pruned_makes_no_recipe(refused) -> None:
    for strange in (1.0, -0.01):
        with refused("from 0 to below 1"):
            recipes.llm_compressor(np.array([0.5, strange]), "WandaPruningModifier", "a model")


def test_the_file_of_a_budget_per_linear_is_read_as_it_was_written(tmp_path) -> None:
    here = of_linears(5, 8)
    found = allocate(AllocationRequest(base=PER_LINEAR, target=0.55), here)
    path = tmp_path / "allocation.json"
    path.write_text(recipes.as_json(found, here), encoding="utf-8")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["linears"] == list(STACK)
    assert np.average(told["sparsity"], weights=told["parameters"]) == pytest.approx(0.55, abs=1e-9)
    again = allocate(grammar.from_file(path), here)
    assert np.array_equal(again.linears, found.linears)
    assert again.request.target == pytest.approx(0.55)


def test_numbers_written_down_with_another_budget_than_they_spend_are_refused(tmp_path, refused) -> None:
    here, path = of_linears(4, 1), tmp_path / "allocation.json"
    rows = [[0.9, 0.9, 0.1]] * 4
    spent = np.average(np.array(rows), weights=here.weights.parameters)
    for content in (rows, {"sparsity": rows, "budget": 0.2}):
        path.write_text(json.dumps(content), encoding="utf-8")
        with refused(f"{spent:.6f} of this model's", f'"budget": {spent:.9f}'):
            allocate(grammar.from_file(path), here)
    path.write_text(json.dumps({"sparsity": rows, "budget": round(spent, 9)}), encoding="utf-8")
    assert allocate(grammar.from_file(path), here).budget == pytest.approx(spent)


def test_the_json_reads_back_as_the_request() -> None:
    here = profile(6)
    request = AllocationRequest(base=Dlp(), correction=Correction(strength=0.03, control="shuffled", seed=2))
    told = json.loads(recipes.as_json(allocate(request, here), here))
    assert AllocationRequest.model_validate(told["request"]) == request
    assert np.average(told["sparsity"], weights=told["parameters"]) == pytest.approx(0.7, abs=1e-9)
