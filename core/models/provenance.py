"""Provenance of every result: machine, versions, files, their number formats. Never part of its identity."""

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import torch
from gguf import GGMLQuantizationType
from transformers.modeling_gguf_pytorch_utils import TensorProcessor, get_gguf_hf_weights_map

from core.base import PROJECT, Fields
from core.models import anatomy
from core.models.loading import Loaded
from core.models.model_shape import gguf_types
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
        "joined": anatomy.joined_linears(loaded.model)[0],
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


# --- number formats that the files of a checkpoint store its linears in, by the full names of these -------------------

Formats = dict[str, str]  # full name of a module -> Q4_K, int4g32s


def stored_formats(loaded: Loaded) -> tuple[Formats, Formats]:
    """Formats, and the file's own names where these are others; empty for files of dense numbers."""
    source, settings = loaded.source, getattr(loaded.config, "quantization_config", None) or {}
    if source.gguf:
        types, names = gguf_types(source.folder / source.gguf), get_gguf_hf_weights_map(loaded.model, TensorProcessor())
        own = {names[each][:-7]: each[:-7] for each in types if each in names and each.endswith(".weight")}
        return {name: GGMLQuantizationType(types[f"{each}.weight"]).name for name, each in own.items()}, own
    linears = (
        f"{name}.{each.name}"
        for name, module in loaded.model.named_modules()
        if module in [*loaded.layers]
        for each in anatomy.linears(module)
    )
    return {name: form for name in linears if (form := _format(name, settings))}, {}


def _format(name: str, settings: dict) -> str:
    """Format of a linear by the settings of compressed-tensors, GPTQ or AWQ; empty if they do not say."""
    if "bits" in settings:
        return f"int{settings['bits']}g{settings.get('group_size', 128)}"
    for group in (settings.get("config_groups") or {}).values():
        own, targets = group.get("weights") or {}, group.get("targets", ())
        if any(each in ("Linear", name) or (each[:3] == "re:" and re.match(each[3:], name)) for each in targets):
            return f"{own.get('type')}{own.get('num_bits')}g{own.get('group_size')}{'s' * bool(own.get('symmetric'))}"
    return ""
