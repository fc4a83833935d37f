"""An allocation for elsewhere: the command that makes it again, JSON, and recipes of other tools."""

from __future__ import annotations

import json
from typing import Literal

from core.allocation.allocate import Allocation
from core.allocation.requests import AllocationRequest, Correction
from core.profiles import Profile
from core.results import Array
from core.specs import number

Modifier = Literal["WandaPruningModifier", "SparseGPTModifier"]


def arguments(request: AllocationRequest, key: str) -> list[str]:
    """The words after `python -m core` that reproduce an allocation, every option that is not its default."""
    words = ["allocate", "--profile", key, "--base", request.base.kind]
    for name, value in request.base.model_dump(exclude={"kind"}).items():
        words += [f"--{name}", ",".join(map(number, value)) if isinstance(value, tuple) else _word(value)]
    plain = AllocationRequest()
    words += ["--target", number(request.target)]
    for name in ("low", "high"):
        if getattr(request, name) != getattr(plain, name):
            words += [f"--{name}", number(getattr(request, name))]
    words += ["--unclipped"] if request.unclipped else []
    return words + (_correction(request.correction) if request.correction.strength else [])


def _correction(asked: Correction) -> list[str]:
    words = ["--strength", number(asked.strength), "--driver", asked.driver]
    plain = Correction()
    used = ("control", "clip", "seed") if asked.control == "shuffled" else ("control", "clip")
    for name in used:
        if getattr(asked, name) != getattr(plain, name):
            words += [f"--{name}", _word(getattr(asked, name))]
    return words


def _word(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def as_json(allocation: Allocation, profile: Profile, estimate: dict[str, float | None]) -> str:
    """What `python -m core allocate --json` prints, and where it comes from."""
    return json.dumps(
        {
            "profile": profile.entry.key,
            "model": profile.provenance.get("model"),
            "text": profile.provenance.get("text"),
            "request": allocation.request.model_dump(mode="json"),
            "base": allocation.base.tolist(),
            "sparsity": allocation.sparsity.tolist(),
            "parameters": allocation.parameters.tolist(),
            "budget": allocation.budget,
            "bound": allocation.bound.tolist(),
            "estimate": estimate,
        },
        indent=1,
    )


def llm_compressor(sparsity: Array, modifier: Modifier, about: str) -> str:
    """A recipe for llm-compressor: unstructured, one sparsity per decoder layer.

    Its modifiers take a list with one number for every module that `targets` matches, in the model's order, and prune
    the linears inside; their default target, every linear, would want a number for each linear.

    Args:
        sparsity: (layers,).
        about: one line for the header: model, allocator, budget.
    """
    numbers = ",\n        ".join(
        ", ".join(f"{each:.9f}" for each in sparsity[i : i + 8]) for i in range(0, len(sparsity), 8)
    )
    return f"""# {" ".join(about.split())}
# Written to the schema of llm-compressor's pruning modifiers as published; it was not run there.
# One number per decoder layer: if the model has other stacks of layers, narrow the expression under targets.
# Unstructured zeros make a checkpoint neither smaller nor faster by themselves.
pruning_stage:
  pruning_modifiers:
    {modifier}:
      sparsity: [
        {numbers}
      ]
      mask_structure: "0:0"
      targets: ['re:.*[.](layers|h|blocks)[.][0-9]+$']
      ignore: ['re:.*lm_head']
"""
