"""Provenance of every result: machine, versions, files. Never part of its identity."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import torch

from core.base import PROJECT, Fields
from core.models import anatomy
from core.models.loading import Loaded
from core.store import Store, file_hash

VERSIONS = ("torch", "transformers", "numpy", "accelerate")


def provenance(loaded: Loaded, files: Iterable[Path], store: Store) -> Fields:
    """Provenance of a run of a model on some files."""
    where = loaded.model.device
    return {
        "model": loaded.source.label,
        "family": loaded.model.config.get_text_config().model_type,
        "files": {path.name: file_hash(store.root, path) for path in (*loaded.source.files, *files)},
        "device": torch.cuda.get_device_name(where) if where.type == "cuda" else where.type,
        "dtype": loaded.spec.dtype,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions().copy(),
        "linears": [linear.name for linear in anatomy.linears(loaded.layers[0])],
        "joined": anatomy.joined_linears(loaded.model, loaded.layers)[0],
        "threads": torch.get_num_threads(),
        "commit": _commit(),
    }


def without_project_path(typed: str) -> str:
    """Remove the path of the project from a text: folders above it are private to this machine."""
    return typed.replace(f"{PROJECT}{os.sep}", "")


@cache  # loaded versions do not change
def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in VERSIONS}


@cache
def _commit() -> str | None:
    """The project's commit when this process began, where it runs from a checkout."""
    try:
        process = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, timeout=10)
    except OSError:
        return None
    return process.stdout.strip() or None
