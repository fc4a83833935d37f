"""How many weights a model's linears have."""

from collections.abc import Mapping
from typing import Any

from core.base.spec import View
from core.requests.inputs import ModelSpec, OfModel


class CountRequest(OfModel):
    """The prunable weights of a model."""

    @property
    def title(self) -> str:
        return f"count of the weights of {self.model}"


class CountSpec(View):
    """The same of a model by content; the number is in its provenance."""

    model: ModelSpec

    def record(self, told: Mapping[str, Any]) -> dict[str, Any]:
        return {"weights": told["weights"]}
