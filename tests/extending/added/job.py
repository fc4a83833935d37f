"""Count the weights of a model's linears."""

from core.requests.count import CountRequest, CountSpec

from core.jobs.context import WorkContext
from core.models import anatomy
from core.store import Entry


def count(request: CountRequest, bench: WorkContext) -> Entry:
    """Count them."""
    loaded = bench.load(request)
    spec = CountSpec(model=loaded.spec)
    bench.store.remember(request, spec, [*loaded.source.files])
    weights = sum(each.weight.numel() for layer in loaded.layers for each in anatomy.prunable_linears(layer))
    told = {"model": loaded.source.label, "weights": weights}
    return bench.store.entry(bench.store.save(spec, None, told))
