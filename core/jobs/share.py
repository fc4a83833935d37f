"""One share, run by whatever process an engine gives it; what comes of it stands in its record."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from core.jobs import queue, worker
from core.models.progress import Cancelled
from core.specs.errors import UserError
from core.store.cache import Store


def run(root: str, key: str, accept_imported: bool) -> None:
    """Run the share of this key in a cache folder, or wait for the process that already does."""
    store = Store(Path(root), accept_imported)
    with suppress(UserError, Cancelled, worker.Failed):
        worker.run(store, queue.job(store, key), {})


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], bool(int(sys.argv[3])))
