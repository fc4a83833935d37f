"""Tokens a second that a GGUF file writes, by llama.cpp's `llama-bench`, kept for a model on this machine."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from core.base import Fields, gist
from core.models import Source
from core.store import HOST, Store, read_note, write_note

TOOL = "llama-bench"
PATIENCE = 600  # seconds for three times 32 tokens
TOLD = ("build_commit", "build_number", "cpu_info", "n_threads", "n_gen")


def timed(file: Path, warn: Callable[[str], None]) -> Fields | None:
    """The answer of `llama-bench` on writing, `avg_ts` tokens a second; None where it fails or is not on the PATH.

    Args:
        warn: called with a sentence where it fails.
    """
    if not (tool := shutil.which(TOOL)):
        return None
    how = ["-p", "0", "-n", "32", "-r", "3", "-o", "json"]
    try:
        answer = subprocess.run([tool, "-m", file, *how], capture_output=True, timeout=PATIENCE, check=True).stdout
        [row] = json.loads(answer)
        return {name: row[name] for name in (*TOLD, "avg_ts")}
    except (OSError, TypeError, LookupError, ValueError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        why = gist(RuntimeError(lines[-1].replace(str(file), file.name)) if lines else error)
        warn(f"{TOOL} failed, so no speed of {file.name} is known: {why}")
        return None


def keep(row: Fields, form: str, source: Source, store: Store) -> None:
    """Keep the tokens a second of a form, with the machine and what `llama-bench` says of itself."""
    facts = {name: row[name] for name in TOLD} | {"tool": TOOL, "machine": HOST, "model": source.label}
    write_note(_note(source, store), facts | {"forms": rates(source, store) | {form: row["avg_ts"]}})


def rates(source: Source, store: Store) -> dict[str, float]:
    """Tokens a second by form, of those that were timed on this machine."""
    return (read_note(_note(source, store)) or {"forms": {}})["forms"]


def _note(source: Source, store: Store) -> Path:
    return store.root / "rates" / f"llama.cpp-{HOST}-{source.fingerprint}.json"
