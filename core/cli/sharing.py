"""`measure` and `study` in shares: one of them with `--part`, all of them with `--engine-on`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

from core.ask.jobs import Request
from core.ask.measurements import MeasureRequest
from core.ask.shares import ShareRequest, Unfinished, read_share
from core.ask.studies import StudyRequest
from core.base.errors import UserError
from core.cli.output import out, say_json
from core.jobs import cluster
from core.models import machine
from core.models.work import Cost
from core.store import parts
from core.store.cache import Entry, Store


def asked(whole: MeasureRequest | StudyRequest, given: SimpleNamespace) -> Request:
    """The share that `--part` names, or the whole.

    Raises:
        UserError: there is no such share.
    """
    return ShareRequest(whole=whole, share=read_share(given.part)) if given.part is not None else whole


def where(given: SimpleNamespace) -> str:
    """The device, or the place that `--engine-on` names.

    Raises:
        UserError: there is no such place, or only one share was asked for.
    """
    device = machine.asked(given.device)
    if given.engine_on is None:
        if given.shares is not None:
            raise UserError("--shares says how many --engine-on runs: name an engine too, or one share with --part")
        return device
    if given.part is not None:
        raise UserError("--part does one share and --engine-on runs them all: give one of the two")
    return str(cluster.place(given.engine_on, given.shares, device))


def expected(estimate: Callable[..., Cost | None], request: Request, store: Store, device: str) -> Cost | None:
    """What a run costs; at a place the time of a device is divided by its shares."""
    place = cluster.read(device)
    if place is None:
        return estimate(request, store, device)
    cost = estimate(request, store, place.device)
    return cost and replace(cost, rate=cost.rate * place.shares)


def is_unfinished(entry: Entry) -> bool:
    """Whether shares of it are missing."""
    return isinstance(entry.spec, Unfinished)


def say(entry: Entry, store: Store, given: SimpleNamespace) -> None:
    """That a share is done, and how much is missing of the whole."""
    count, missing = len(entry.spec.units), len(parts.missing(store, entry.spec.whole))
    if given.json:
        say_json({"key": entry.key, "whole": entry.spec.whole.key, "missing": missing, "units": count})
        return
    there = f"{count - missing} of {count} results are whole"
    out.print(f"Share {given.part} is done; {there}. Run the other shares, or carry this one to them:", soft_wrap=True)
    out.print(f"unfinished {entry.key}")
