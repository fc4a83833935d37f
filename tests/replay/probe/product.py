"""All that the probe knows of the product: where a module moves, one line changes here."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from core.cli import main

REFUSED = "refused"


def ask(*words: str) -> dict[str, Any] | None:
    """What a command says with `--json`; None where it refuses the request.

    Raises:
        RuntimeError: it failed.
    """
    said, told = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        code = main([*words, "--json"])
    if code not in (0, 2):
        raise RuntimeError(f"{' '.join(words)}: {told.getvalue()}")
    return json.loads(said.getvalue()) if code == 0 else None
