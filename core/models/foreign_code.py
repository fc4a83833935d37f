"""What is refused of a model folder: odd files, code of its own, another model, and settings that cannot be."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.base.errors import UserError
from core.base.escape import brief
from core.base.paths import json_value, readable

SETTINGS = ("config.json", "generation_config.json", "tokenizer_config.json", "processor_config.json")
ADAPTER = "adapter_config.json"
OTHER_WEIGHTS = "transformers_weights"  # a path, which leads anywhere
IMPLEMENTATION = "_implementation"  # of attention or experts: "sdpa" ships with transformers, "owner/kernel" is fetched
WHOLE = ("", ".jinja", ".json", ".md", ".model", ".spm", ".tiktoken", ".txt")  # endings of files that are read whole
COUNTS = ("num_", "n_")  # the beginning of a setting that counts something, which may be made one by one
MEMORY = 2**32  # bytes that a process may take which tries a tokenizer
MOST = 1_000_000  # of anything: no model has as many labels, layers or heads


def refuse_odd_files(folder: Path, *patterns: str) -> None:
    """Refuse a folder in which a file that a library may open is none, or too large to be read whole.

    Args:
        patterns: of the files that may be opened.

    Raises:
        UserError: the first such file.
    """
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        if path.exists() and not path.is_dir():
            readable(path, "settings file" if path.suffix in WHOLE else "weights file")


def refuse_foreign_code(folder: Path, label: str | None = None) -> None:
    """Read a model folder's settings and refuse code that would come with the model or from the Hub.

    Args:
        label: what a refusal calls it, where that is not the folder's name.

    Raises:
        UserError: a file is odd; or a settings file asks for code, names other weights, counts too much or is no JSON
            object; or the folder holds an adapter, whose weights would be put into a model that it names.
    """
    label = label or folder.name
    try:
        refuse_odd_files(folder, "*", "additional_chat_templates/*")
        there = [name for name in SETTINGS if (folder / name).is_file()]
        settings = {name: json_value(folder / name, "settings file") for name in there}
    except UserError as error:
        raise UserError(f"{label} is damaged: {error}") from error
    if (folder / ADAPTER).is_file():
        raise UserError(
            f"{label} holds an adapter ({ADAPTER}), which asks for another model's weights: merge it into that model, "
            "and name the folder of the merged one"
        )
    for name, told in settings.items():
        if not isinstance(told, dict):
            raise UserError(f"{label} has a damaged {name}: it holds no JSON object")
        if told.get(OTHER_WEIGHTS):
            raise UserError(
                f"{label} takes its weights from a file that its settings name ({OTHER_WEIGHTS} in {name}): remove "
                "that entry, and call the file model.safetensors"
            )
        for entry, value in _entries(told):
            _refuse(label, name, entry, value)


def _refuse(label: str, name: str, entry: str, value: object) -> None:
    """Refuse an entry of a settings file that asks for code, counts too much or leaves outputs without names."""
    if (entry == "auto_map" and value) or (entry.endswith(IMPLEMENTATION) and "/" in json.dumps(value)):
        raise UserError(
            f"{label} asks for code of its own ({entry} in {name}), and no code of a model is ever run: remove that "
            "entry to load it with the classes that come with transformers"
        )
    if entry.startswith(COUNTS) and isinstance(value, int) and value > MOST:
        raise UserError(f"{label} announces {brief(entry)} {brief(value)} in {name}, and no model has over {MOST:,}")
    if entry == "return_dict" and value is False:
        raise UserError(f"{label} leaves its outputs without names (return_dict in {name}): remove that entry")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """The entries of JSON objects, at any depth."""
    left = [value]
    while left:
        match left.pop():
            case dict() as each:
                yield from each.items()
                left += each.values()
            case list() as each:
                left += each


if __name__ == "__main__":  # a process of its own: a tokenizer.json may make a word grow without end
    from tokenizers import Tokenizer

    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.stdin.reconfigure(encoding="utf-8")
    Tokenizer.from_file(sys.argv[1]).encode(sys.stdin.read())
