"""The committed requests."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
ASKED: dict[str, Any] = tomllib.loads((HERE / "requests.toml").read_text(encoding="utf-8"))


def options(given: dict[str, Any]) -> Iterator[str]:
    """`{"lam": 0.08, "unclipped": True}` -> `--lam 0.08 --unclipped`."""
    for name, value in given.items():
        yield f"--{name.replace('_', '-')}"
        if value is not True:
            yield str(value)
