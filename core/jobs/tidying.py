"""What a start clears away: whatever processes that were killed left of their work."""

from __future__ import annotations

import logging

from core.export import journal
from core.store import deleting
from core.store.cache import Store


def tidy(store: Store) -> None:
    """Sweep a cache: copies of models beside the targets of exports first, for they are the largest."""
    try:
        journal.sweep(store)
        deleting.sweep(store)
    except OSError as error:  # it can be read all the same
        logging.getLogger(__name__).warning("Not all that was left over could be cleared away: %s", error)
