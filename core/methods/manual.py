"""Sparsities set by hand, or read from a file, not computed."""

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from core.base import Array, UserError, optional_field, several
from core.methods.allocator import Allocator, Evidence
from core.methods.budget_unit import dropped_layers

ROUNDING = 1e-12  # how far below 0 a budget that was met may leave a layer
LONGEST = 60  # characters of a name
SIGNS = " .()+-"  # that it may hold beside letters and digits


class Manual(Allocator):
    """Set by hand."""

    label = "set by hand"
    about = "The numbers as they are given, for each layer or for each linear."
    profiled = False
    by_hand = True

    kind: Literal["manual"] = "manual"
    sparsity: tuple[float, ...] | tuple[tuple[float, ...], ...] = Field(
        description="per layer, or per layer and linear"
    )
    name: str = optional_field("", "what it is called in charts and tables")

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, fields: Any) -> Any:
        """Refuse wrong numbers in one sentence, in place of pydantic's report on each form they could have had."""
        rows = fields.get("sparsity") if isinstance(fields, dict) else None
        if not isinstance(rows, list | tuple) or not rows:
            return fields
        per_linear = isinstance(rows[0], list | tuple)
        for layer, row in enumerate(rows):
            if isinstance(row, list | tuple) != per_linear:
                raise ValueError("sparsity must hold a number for every layer, or a list of numbers for every layer")
            if per_linear and not row:
                raise ValueError(f"the sparsity of layer {layer} is an empty list: give a number for each linear")
            for value in row if per_linear else (row,):
                try:
                    number = float(value)
                except (TypeError, ValueError) as error:
                    right = "is not a number: write it as in 0.7"
                    raise ValueError(f"the sparsity of layer {layer}, {value!r}, {right}") from error
                if not (number >= -ROUNDING and (number < 1 or dropped_layers([row]))):  # NaN is refused too
                    right = "it must lie from 0 to below 1, or be 1 in all of a layer that is left out"
                    raise ValueError(f"the sparsity of layer {layer} is {number:g}: {right}")
        return fields

    @field_validator("name")
    @classmethod
    def _plain(cls, value: str) -> str:
        """Check the name, which stands in charts, in Markdown and among names with commas.

        Raises:
            ValueError: it is too long, or holds a sign that would mean something there.
        """
        plain = value[:1].isalnum() and all(each.isalnum() or each in SIGNS for each in value)
        if value and not (plain and len(value) <= LONGEST):
            raise ValueError(f"the name of an allocation must be up to {LONGEST} letters, digits, spaces and . ( ) + -")
        return value

    @property
    def title(self) -> str:
        return self.name or self.label

    @property
    def said(self) -> dict[str, object]:
        """The name, if any, without the numbers."""
        return {"name": f'"{self.name}"'} if self.name else {}

    @property
    def per_linear(self) -> bool:
        return bool(self.sparsity) and isinstance(self.sparsity[0], tuple)

    def wish(self, evidence: Evidence) -> Array:
        """The given numbers, (units,).

        Raises:
            UserError: their count is not that of the layers, or of layers times linears.
        """
        wish = np.array(self.sparsity, float).ravel()
        if len(wish) != evidence.units:
            raise UserError(f"this allocation has {several(len(wish), 'layer')}, the model has {evidence.units}")
        return wish

    @classmethod
    def grid(cls, target: float, layers: int) -> tuple[Self, ...]:
        return ()  # nothing to search
