"""Model folders that ask for code which does not come with transformers, or for another model: refused at the door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.specs.errors import UserError

SETTINGS = ("config.json", "generation_config.json", "tokenizer_config.json", "processor_config.json")
ADAPTER = "adapter_config.json"
OTHER_WEIGHTS = "transformers_weights"  # a path, which leads anywhere
IMPLEMENTATION = "_implementation"  # of attention or experts: "sdpa" ships with transformers, "owner/kernel" is fetched


def refuse_foreign_code(folder: Path, label: str | None = None) -> None:
    """Read a model folder's settings and refuse code that would come with the model or from the Hub.

    Args:
        label: what a refusal calls it, where that is not the folder's name.

    Raises:
        UserError: a settings file asks for code or names other weights, or is no JSON object; or the folder holds an
            adapter, whose weights would be put into a model that it names.
    """
    if (folder / ADAPTER).is_file():
        raise UserError(
            f"{label or folder.name} holds an adapter ({ADAPTER}), which asks for another model's weights: merge it "
            "into that model, and name the folder of the merged one"
        )
    for name in SETTINGS:
        if (folder / name).is_file():
            settings = _read(folder / name)
            if settings.get(OTHER_WEIGHTS):
                raise UserError(
                    f"{label or folder.name} takes its weights from a file that its settings name ({OTHER_WEIGHTS} in "
                    f"{name}): remove that entry, and call the file model.safetensors"
                )
            for asked in _asked(settings):
                raise UserError(
                    f"{label or folder.name} asks for code of its own ({asked} in {name}), and no code of a model is "
                    "ever run: remove that entry to load it with the classes that come with transformers"
                )


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path.parent.name} has a damaged {path.name}: it is no JSON that can be read") from error
    if not isinstance(settings, dict):
        raise UserError(f"{path.parent.name} has a damaged {path.name}: it holds no JSON object")
    return settings


def _asked(value: object) -> Iterator[str]:
    """Names of the entries, at any depth, that ask for code."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, entry in value.items() if isinstance(value, dict) else ():
        named = str(key)
        if (named == "auto_map" and entry) or (named.endswith(IMPLEMENTATION) and "/" in json.dumps(entry)):
            yield named
        else:
            yield from _asked(entry)
