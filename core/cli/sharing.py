"""`measure` and `study` with `--part`: one share, and what is there of the whole."""

from __future__ import annotations

from types import SimpleNamespace

from core.cli.output import out, say_json
from core.specs import MeasureRequest, StudyRequest
from core.specs.jobs import Request
from core.specs.shares import ShareRequest, Unfinished, read_share
from core.store import unfinished
from core.store.cache import Entry, Store


def asked(whole: MeasureRequest | StudyRequest, given: SimpleNamespace) -> Request:
    """The share that `--part` names, or the whole."""
    return ShareRequest(whole=whole, share=read_share(given.part)) if given.part is not None else whole


def is_unfinished(entry: Entry) -> bool:
    """Whether shares of it are missing."""
    return isinstance(entry.spec, Unfinished)


def say(entry: Entry, store: Store, given: SimpleNamespace) -> None:
    """That a share is done, and how much is missing of the whole."""
    count, missing = len(entry.spec.units), len(unfinished.missing(store, entry.spec.whole))
    if given.json:
        say_json({"key": entry.key, "whole": entry.spec.whole.key, "missing": missing, "units": count})
        return
    there = f"{count - missing} of {count} results are whole"
    out.print(f"Share {given.part} is done; {there}. Run the other shares, or carry this one to them:", soft_wrap=True)
    out.print(f"unfinished {entry.key}")
