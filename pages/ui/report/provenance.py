"""What stands beside every number of a report: which model, which text, where, with what, when."""

from __future__ import annotations

from core.specs import ModelSpec, TextSpec
from core.store import Entry

TOLD = (("device", "device"), ("engine", "engine"), ("threads", "threads"), ("replay error", "replay_error"),
        ("created", "created"), ("commit", "commit"), ("profile it looks at", "profile"))  # fmt: skip


def rows(entry: Entry, model: ModelSpec, text: TextSpec) -> tuple[tuple[str, str], ...]:
    """Name and value, the key first."""
    told = entry.provenance
    found = [
        ("key", entry.key),
        ("model", str(told.get("model", "not noted"))),
        ("weights, by content", _weights(model)),
        ("precision", model.dtype),
        ("text", str(told.get("text", "not noted"))),
        ("text, SHA-256", text.content),
        ("tokenizer, SHA-256", text.tokenizer),
        ("windows", f"{text.sequences} of {text.length} tokens, {text.packing}, start token: {text.bos}"),
    ]
    found += [(name, str(told[field])) for name, field in TOLD if told.get(field) is not None]
    found += [("calibration", str(told["calibration"]))] if told.get("calibration") else []
    found += [("seconds", _seconds(told["seconds"]))] if told.get("seconds") else []
    found += [("versions", _pairs(told["versions"]))] if isinstance(told.get("versions"), dict) else []
    found += [("files, SHA-256", _pairs(told["files"]))] if isinstance(told.get("files"), dict) else []
    return tuple(found)


def note(entry: Entry, model: ModelSpec, text: TextSpec) -> str:
    """The protocol in one line."""
    told = entry.provenance
    said = [str(told.get("model", model.content[:12])), str(told.get("text", "text")), f"text {text.content[:6]}"]
    said += [f"{text.sequences} × {text.length} tokens", model.dtype, str(told.get("device", "device not noted"))]
    return " · ".join([*said, f"{entry.path.parent.name} {entry.key}"])


def _weights(model: ModelSpec) -> str:
    return model.content if model.initialised is None else f"{model.content}, random weights, seed {model.initialised}"


def _seconds(found: object) -> str:
    return _pairs(found) if isinstance(found, dict) else str(found)


def _pairs(found: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items())
