"""What is exported: folders of a tiny model with their weights, and allocations for other tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tests.replay.probe import live, pruning
from tests.replay.probe.asked import ASKED
from tests.replay.probe.plain import fingerprint, numbers, only
from tests.replay.probe.product import allocate, grammar, profile, recipes, space_needed

COUNTED = ("achieved", "weights", "planned", "linears", "bytes", "dense_bytes", "difference", "two_of_four", "dtype")
OF_SETTING = ("pruner", "pattern", "true_sequential", "target", "allocation")


def figures(scratch: Path) -> Iterator[tuple[str, Any]]:
    """A folder for each of some settings, one for a best setting, and recipes of the committed profile."""
    for name in ASKED["export"]["settings"]:
        folder = scratch / f"export-{name}"
        pruning.pruned(scratch, name, export=str(folder))
        yield from _folder(name, folder)
    folder = scratch / "export-best"
    live.told("export", live.best(scratch, "target")["key"], "--to", str(folder), "--device", "cpu")
    yield from _folder("best", folder)
    yield "space", {dtype: space_needed(1_000_000, dtype) for dtype in ("float32", "bfloat16")}
    yield from _recipes("llama", live.measured(scratch, "llama"), ASKED["export"]["linears"])
    yield from _recipes("demo", ASKED["allocation"]["whole"], ASKED["export"]["layers"])


def _folder(name: str, folder: Path) -> Iterator[tuple[str, Any]]:
    """What its recipe says of it, and its weights."""
    told = json.loads((folder / "recipe.json").read_bytes())
    yield f"{name}/sparsity", told["sparsity"]
    yield f"{name}/budget", told["budget"]
    yield f"{name}/setting", only(told["recipe"], OF_SETTING)
    yield f"{name}/counted", only(told["export"], COUNTED)
    yield f"{name}/measured", [numbers(value) for _, value, _ in told["numbers"]]
    for file in sorted(folder.glob("*.safetensors")):
        for tensor, values in sorted(load_file(file).items()):
            yield f"{name}/{tensor}", fingerprint(values.double().numpy())


def _recipes(name: str, key: str, lines: list[str]) -> Iterator[tuple[str, Any]]:
    """Allocations as a JSON file and as a recipe for llm-compressor."""
    found = profile(key)
    for line in lines:
        allocation = allocate(grammar.read_allocation(line), found)
        told = json.loads(recipes.as_json(allocation, found, {}))
        yield f"{name}/{line}/file", only(told, ("request", "base", "sparsity", "parameters", "budget", "bound"))
        linears = found.provenance["linears"] if allocation.linears is not None else ()
        recipe = recipes.llm_compressor(allocation.exact, "WandaPruningModifier", "", linears)
        body = recipe.partition("sparsity:")[2].partition("mask_structure")[0]
        yield f"{name}/{line}/recipe", numbers(body)
