"""The keys of everything that is committed, hashed anew from its spec, and the numbers read back from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.replay.probe.plain import fingerprint
from tests.replay.probe.product import KINDS, Store


def figures(_: Path) -> Iterator[tuple[str, Any]]:
    """A key for every entry, the keys of the units below it or a fingerprint of each of its arrays."""
    store = Store()
    for kind in KINDS:
        for entry in sorted(store.entries(kind), key=lambda each: each.key):
            if not entry.committed:
                continue
            name = f"{kind}/{entry.key}"
            yield f"{name}/key", entry.spec.key
            below = getattr(entry.spec, "units", ())  # of a view
            if below:
                yield f"{name}/units", [each.key for each in below]
                continue
            found = store.load(entry.spec)
            for each in fields(found):
                yield f"{name}/{each.name}", fingerprint(getattr(found, each.name))
