"""The README's table of the committed comparisons of the bundled model with other checkpoints."""

from __future__ import annotations

from core.base.formats import digits, per_cent
from core.results import checkpoints
from core.store import profiles
from core.store.cache import HOME, Entry, Store
from tests.bench.marked import table


def table_of_checkpoints() -> str:
    """A row for each, by what the whole of it costs."""
    entries = (entry for entry in Store(HOME).entries() if entry.committed and entry.spec.others)
    rows = sorted(map(_row, entries))
    heads = ("other checkpoint", "KL of the whole, nats", "next tokens changed", "what went wrong")
    return table(heads, (cells for _, *cells in rows))


def _row(entry: Entry) -> tuple[float, str, str, str, str]:
    """What it costs, to sort by; then the cells."""
    found = checkpoints.compared(profiles.load(Store(HOME), entry))
    cost = float(found.whole.kl.mean())
    return cost, f"`{found.called}`", digits(cost), per_cent(found.whole.flips.mean()), found.worst
