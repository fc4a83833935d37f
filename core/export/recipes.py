"""An allocation for elsewhere: JSON, and recipes of other tools."""

from __future__ import annotations

import json
from collections.abc import Sequence

from core.base.errors import UserError
from core.base.escape import legible
from core.plan.spread import Allocation, linear_parameters
from core.store.profiles import Profile
from core.store.results import Array

IN_A_ROW = 8  # numbers


def as_json(allocation: Allocation, profile: Profile) -> str:
    """An allocation as `prune --allocation FILE` reads it, and where it comes from.

    Sparsities and parameters are lists per layer, of one number per linear where the budget is spread over linears.
    """
    per_linear = allocation.linears is not None
    parameters = linear_parameters(profile) if per_linear else allocation.parameters
    return json.dumps(
        {
            "profile": profile.entry.key,
            "model": profile.provenance.get("model"),
            "text": profile.provenance.get("text"),
            "request": allocation.request.model_dump(mode="json"),
            **({"linears": profile.provenance.get("linears")} if per_linear else {}),
            "base": allocation.exact_base.tolist(),
            "sparsity": allocation.exact.tolist(),
            "parameters": parameters.tolist(),
            "budget": allocation.budget,
            "bound": allocation.bound.tolist(),
        },
        indent=1,
    )


def llm_compressor(sparsity: Array, modifier: str, about: str, linears: Sequence[str] = ()) -> str:
    """A recipe for llm-compressor: unstructured, one sparsity per decoder layer or per linear.

    Its modifiers take a list with one number for every module that `targets` matches, in the model's order, and prune
    the linears inside; a linear that is matched itself is its own only one. Their default target, every linear of the
    model, would count the head too.

    Args:
        sparsity: (layers,) or (layers, linears).
        about: one line for the header: model, allocator, budget.
        linears: names inside a layer in the model's order, for budgets per linear.

    Raises:
        ValueError: budgets per linear without as many names.
        UserError: a sparsity that cannot be pruned.
    """
    if sparsity.ndim == 2 and len(linears) != sparsity.shape[1]:
        raise ValueError(f"{sparsity.shape[1]} linears have {len(linears)} names")
    if sparsity.min() < 0 or sparsity.max() >= 1:
        raise UserError(
            "a recipe needs sparsities from 0 to below 1, and some of these are not: keep them inside bounds"
        )
    unit, inside = "decoder layer", ""
    if sparsity.ndim == 2:
        unit = "linear of every decoder layer, layer after layer"
        inside = f"[.]({'|'.join(name.replace('.', '[.]') for name in linears)})"
    rows = sparsity if sparsity.ndim == 2 else [sparsity[i : i + IN_A_ROW] for i in range(0, len(sparsity), IN_A_ROW)]
    numbers = ",\n        ".join(", ".join(f"{each:.9f}" for each in row) for row in rows)
    return f"""# {" ".join(legible(about).split())}
# Read and run by llm-compressor 0.14 in this form: a number per module in a list, which its documentation leaves out.
# One number per {unit}: if the model has other stacks of layers, narrow the expression under targets.
# Unstructured zeros make a checkpoint neither smaller nor faster by themselves.
pruning_stage:
  pruning_modifiers:
    {modifier}:
      sparsity: [
        {numbers}
      ]
      mask_structure: "0:0"
      targets: ['re:.*[.](layers|h|blocks)[.][0-9]+{inside}$']
      ignore: ['re:.*lm_head']
"""
