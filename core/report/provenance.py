"""What stands beside every number of a report: which model, which text, where, with what, when."""

from __future__ import annotations

from core.ask.models import ModelSpec
from core.ask.studies import StudySpec
from core.ask.texts import TextSpec
from core.results.evaluations import examples
from core.search.best import Best
from core.search.roles import roles
from core.store.cache import Entry

TOLD = (("device", "device"), ("engine", "engine"), ("threads", "threads"), ("replay error", "replay_error"),
        ("created", "created"), ("commit", "commit"), ("profile it looks at", "profile"))  # fmt: skip


def rows(entry: Entry, model: ModelSpec, text: TextSpec, study: StudySpec | None = None) -> tuple[tuple[str, str], ...]:
    """Name and value, the key first.

    Args:
        study: what was evaluated, where the numbers are of pruned models.
    """
    told, random = entry.provenance, model.initialised
    found = [
        ("key", entry.key),
        *[("imported in a pack, SHA-256", each) for each in entry.packs],
        ("model", str(told.get("model", "not noted"))),
        ("weights, by content", model.content + ("" if random is None else f", random weights, seed {random}")),
        ("precision", model.dtype),
        ("tokenizer, SHA-256", text.tokenizer),
        *_text("text", str(told.get("text", "not noted")), text),
        *(_calibration(entry, study) if study else ()),
    ]
    found += [
        (f"zero-shot {each.name}", f"{examples(each)}, seed {each.seed}, content {each.content}")
        for each in (study.tasks if study else ())
    ]
    found += [(name, str(told[field])) for name, field in TOLD if told.get(field) is not None]
    found += [("seconds", _pairs(told["seconds"]))] if told.get("seconds") else []
    found += [("versions", _pairs(told["versions"]))] if isinstance(told.get("versions"), dict) else []
    found += [("files, SHA-256", _pairs(told["files"]))] if isinstance(told.get("files"), dict) else []
    return tuple(found)


def search(entry: Entry, found: Best) -> tuple[tuple[str, str], ...]:
    """What a best setting was chosen on, beside the text that judges it."""
    name = entry.provenance.get("texts", {}).get("selection", "not noted")
    seed = ", ".join(map(str, found.selection.spec.seeds))
    return (
        ("roles of the texts", roles(found.request)),
        *_text("text that selects", str(name), found.selection.spec.text),
        *([("calibration seed of the selection", seed)] if seed else []),
        ("effort", found.request.effort),
    )


def note(entry: Entry, model: ModelSpec, text: TextSpec, study: StudySpec | None = None) -> str:
    """The protocol in one line."""
    told = entry.provenance
    said = [str(told.get("model", model.content[:12])), str(told.get("text", "text")), f"text {text.content[:6]}"]
    said += [f"{text.sequences} × {text.length} tokens", *(_calibrated(entry, study) if study else ())]
    said += [model.dtype, str(told.get("device", "device not noted"))]
    return " · ".join([*said, f"{entry.path.parent.name} {entry.key}{entry.mark}"])


def _text(name: str, called: str, text: TextSpec) -> list[tuple[str, str]]:
    """A text, its content, and what was read of it."""
    windows = f"{text.sequences} of {text.length} tokens, {text.packing}, start token: {text.bos}"
    first = "windows" if name == "text" else f"{name}, windows"
    return [(name, called), (f"{name}, SHA-256", text.content), (first, windows)]


def _calibration(entry: Entry, study: StudySpec) -> list[tuple[str, str]]:
    """The calibration text, its amount, and the seeds that drew it."""
    used = study.calibration
    if used is None:
        return [("calibration text", "none: nothing here was pruned by looking at a text")]
    name = str(_named(entry) or "not noted")
    seeds = ", ".join(map(str, study.seeds))
    return [*_text("calibration text", name, used), ("calibration seeds", seeds)]


def _calibrated(entry: Entry, study: StudySpec) -> list[str]:
    """The same in a few words."""
    used, seeds = study.calibration, study.seeds
    if used is None:
        return []
    drawn = ("seed " if len(seeds) == 1 else "seeds ") + ", ".join(map(str, seeds))
    return [f"calibrated on {_named(entry) or used.content[:12]}, {used.sequences} × {used.length}, {drawn}"]


def _named(entry: Entry) -> str | None:
    """What the calibration text is called; a best setting names the text of each role."""
    return entry.provenance.get("calibration") or entry.provenance.get("texts", {}).get("calibration")


def _pairs(found: object) -> str:
    return ", ".join(f"{name} {value}" for name, value in found.items()) if isinstance(found, dict) else str(found)
