"""How many weights a model's linears have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.ask.models import ModelSpec, OfModel
from core.base.spec import View

if TYPE_CHECKING:
    from core.jobs.experiment import Bench
    from core.store.cache import Entry


class CountRequest(OfModel):
    """The prunable weights of a model."""

    @property
    def title(self) -> str:
        return f"count of the weights of {self.model}"


class CountSpec(View):
    """The same of a model by content; the number is in its provenance."""

    model: ModelSpec

    def lines(self, told: Mapping[str, Any]) -> list[str]:
        return [f"{told['weights']} weights"]


def count(request: CountRequest, bench: Bench) -> Entry:
    """Count them."""
    from core.models import anatomy

    loaded = bench.load(request)
    spec = CountSpec(model=loaded.spec)
    bench.store.remember(request, spec, [*loaded.source.files])
    weights = sum(each.weight.numel() for layer in loaded.layers for each in anatomy.prunable(layer))
    told = {"model": loaded.source.label, "weights": weights}
    return bench.store.entry(bench.store.save(spec, None, told))
