"""Refusal of model folders: odd files, code of their own, impossible settings."""

import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.base import PROJECT, UserError, brief, gist, json_value, readable
from core.store import once_per_state

SETTINGS = (
    "config.json", "generation_config.json", "tokenizer_config.json", "processor_config.json",
    "special_tokens_map.json", "added_tokens.json",
)  # fmt: skip
ADAPTER = "adapter_config.json"
READ_WHOLE = (
    "",
    ".jinja",
    ".json",
    ".md",
    ".model",
    ".spm",
    ".tiktoken",
    ".txt",
)  # endings of files that are read whole
TOKENIZER_CLASS = re.compile(r"Tokenizer(Legacy|Fast)?$|Backend$")  # ends its classes; of others, a model would be made
MAX_MEMORY = 2**32  # bytes that a process may take which tries a tokenizer
MAX_COUNT = 1_000_000  # of anything: no model has as many labels, layers or heads
MAX_MEMBERS = 100_000  # members of a list or an object of settings, tokens added to a vocabulary: each takes a while
MAX_GROWTH = 8  # tokens that a character may become: one has up to four bytes
SIGNS = string.printable + "\u00e9\u6f22\U0001f600\U0010fffd"  # the last has no meaning
SAMPLE_TEXT = "".join(sign * 30 + " " for sign in SIGNS)
TOKENIZER_SECONDS = 12  # seconds of a processor for these, where a system can limit them
TOKENIZER_PATIENCE = 60  # seconds by the clock: a busy machine takes long for little


def refuse_odd_files(folder: Path, *patterns: str) -> None:
    """Refuse a folder in which a file that a library may open is none, or too large to be read whole.

    Args:
        patterns: of the files that may be opened.

    Raises:
        UserError: the first such file.
    """
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        if path.exists() and not path.is_dir():
            readable(path, "settings file" if path.suffix in READ_WHOLE else "weights file")


def refuse_foreign_code(folder: Path, label: str) -> None:
    """Read a model folder's settings and refuse code that would come with the model or from the Hub.

    Args:
        label: what a refusal calls it.

    Raises:
        UserError: a file is odd; or a settings file asks for code, names other weights, counts too much or is no JSON
            object; or the folder holds an adapter, whose weights would be put into a model that it names.
    """
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
    for name, content in settings.items():
        if not isinstance(content, dict):
            raise UserError(f"{label} has a damaged {name}: it holds no JSON object")
        for entry, value in _entries(label, name, content):
            _refuse(label, name, entry, value)


def _refuse(label: str, name: str, entry: str, value: object) -> None:
    """Refuse an entry of a settings file that asks for code or other weights, or counts too much."""
    # An implementation of attention or experts: "sdpa" ships with transformers, "owner/kernel" is fetched.
    if (entry == "auto_map" and value) or (entry.endswith("_implementation") and "/" in json.dumps(value)):
        raise UserError(
            f"{label} asks for code of its own ({entry} in {name}), and no code of a model is ever run: remove that "
            "entry to load it with the classes that come with transformers"
        )
    if entry == "transformers_weights" and value:  # a path, which leads anywhere
        raise UserError(
            f"{label} takes its weights from a file that its settings name ({entry} in {name}): remove that entry, and "
            "call the file model.safetensors"
        )
    if entry == "tokenizer_class" and isinstance(value, str) and not TOKENIZER_CLASS.search(value):
        raise UserError(f"{label} names {brief(value)} as its tokenizer in {name}: remove that entry")
    if entry.startswith(("num_", "n_")) and isinstance(value, int) and value > MAX_COUNT:  # what may be made one by one
        raise UserError(f"{label} announces {brief(entry)} {brief(value)} in {name}: no model has over {MAX_COUNT:,}")


def _entries(label: str, name: str, content: Any) -> Iterator[tuple[str, Any]]:
    """The entries of JSON objects, at any depth.

    Raises:
        UserError: a list or an object has too many members.
    """
    left = [content]
    while left:
        if not isinstance(each := left.pop(), dict | list):
            continue
        if len(each) > MAX_MEMBERS:
            raise UserError(
                f"{label} has a damaged {name}: {len(each):,} values stand together, more than {MAX_MEMBERS:,}"
            )
        if isinstance(each, dict):
            yield from each.items()
            each = each.values()
        left += each


@once_per_state
def tokenizer_trouble(path: str) -> str:
    """Try a tokenizer.json on every kind of sign, in a process of its own; what is wrong, or an empty string."""
    command = [sys.executable, "-m", "core.models.folder_checks", str(Path(path).absolute()), str(TOKENIZER_SECONDS)]
    text, patience = SAMPLE_TEXT.encode(), TOKENIZER_PATIENCE
    try:
        tried = subprocess.run(command, cwd=PROJECT, input=text, capture_output=True, timeout=patience, check=True)
        return tried.stdout.decode()
    except subprocess.SubprocessError:  # killed, by us or for want of memory
        return "it takes too much time or memory"


def _try_tokenizer(path: str, text: str) -> str | None:
    """Try a tokenizer.json on a text: a sentence on what it does wrong, or None.

    Raises:
        Exception: the file is damaged, or the text cannot be encoded.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(path)
    tokenizer.to_str()  # takes room for every id up to the highest
    added, tokens = len(tokenizer.get_added_tokens_decoder()), len(tokenizer.encode(text).ids)
    if added > MAX_MEMBERS:
        return f"{added:,} tokens are added to it"
    return f"{len(text):,} characters become {tokens:,} tokens" if tokens > MAX_GROWTH * len(text) else None


if __name__ == "__main__":  # a process of its own: a tokenizer.json may make a word grow without end
    if sys.platform != "win32":
        import resource

        for kind, most in ((resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_CPU, int(sys.argv[2]))):
            resource.setrlimit(kind, (most, most))
    sys.stdin.reconfigure(encoding="utf-8")
    try:
        trouble = _try_tokenizer(sys.argv[1], sys.stdin.read())
    except BaseException as error:
        trouble = gist(error)
    print(trouble or "", end="")
