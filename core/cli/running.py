"""`python -m core runs | report`: what is in the cache, and how it comes in, goes out and is deleted."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from core.ask.jobs import JOBS
from core.base.errors import UserError
from core.base.paths import expanded
from core.cli import Cache, Json, app, command
from core.cli.output import runs_table, save_file, say, say_json
from core.jobs import queue
from core.jobs.records import Job
from core.store.cache import Entry, Store
from core.store.deleting import delete
from core.store.entries import VIEW_KINDS
from core.store.packs import pack, unpack

runs = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)


app.add_typer(runs, name="runs")


@runs.callback()
def listed(context: typer.Context, cache: Cache = None, json: Json = False) -> None:
    """What is in the cache: profiles, studies, exports, best settings, runs, and entries set aside as corrupt."""
    if context.invoked_subcommand is not None:
        if cache is not None or json:
            raise UserError(f"give --cache and --json after {context.invoked_subcommand}, not before it")
        return
    store = Store(cache)
    found, known = {row.kind: list(store.entries(row.kind)) for row in JOBS}, queue.jobs(store)
    if not json:
        runs_table(found, known, store.troubles())
        return
    say_json(
        {
            **{row.listed: [_entry(each) for each in found[row.kind]] for row in JOBS},
            "jobs": [_job(each) for each in known],
            "set_aside": store.troubles(),
        }
    )


def _entry(entry: Entry) -> dict[str, Any]:
    """What a result tells of itself; its key and whether it is committed are ours to say."""
    told = entry.provenance
    return {
        **entry.spec.record(told),
        **told,
        "key": entry.key,
        "committed": entry.committed,
        "imported": bool(entry.packs),
    }


def _job(job: Job) -> dict[str, str | None]:
    return {
        "key": job.key,
        "what": job.request.identity.removesuffix("Request").lower(),
        "state": job.state,
        "line": job.status.line,
        "result": job.status.result,
    }


@runs.command(name="export")
def exported(
    key: Annotated[str, typer.Argument(help="A profile's or study's key, the beginning of one, or demo.")],
    file: Annotated[Path, typer.Argument(help="The pack to write, as in absorption.zip.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Write a profile or study and all its units to one file, to be imported elsewhere."""
    store = Store(cache)
    entry = store.by_key(key)
    save_file(file, f"{entry.key}.zip", force, json, {"key": entry.key}, entry.key, lambda: pack(store, entry))


@runs.command(name="import")
def imported(
    file: Annotated[Path, typer.Argument(help="A pack that `runs export` or the Runs page wrote.")],
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Check a pack and put its results into the cache; what is there already stays as it is."""
    store = Store(cache)
    queue.tidy(store)
    known = {entry.key for kind in VIEW_KINDS for entry in store.entries(kind)}
    keys = [entry.key for entry in unpack(store, expanded(file))]
    already = [key for key in keys if key in known]
    if json:
        say_json({"keys": keys, "already": already})
        return
    for key in keys:
        say(f"{key} was there already" if key in already else f"imported {key}")


@runs.command(name="delete")
def deleted(
    key: Annotated[str, typer.Argument(help="Key, or the beginning of one, of a profile, study, export or job.")],
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it, what would go is said.")] = False,
    cache: Cache = None,
    json: Json = False,
) -> None:
    """Delete a result with the units that no other needs, or forget a job that ended."""
    store = Store(cache)
    queue.tidy(store)
    found = store.by_key(key, beside=queue.jobs(store))
    if isinstance(found, Entry) and found.committed:
        raise UserError(f"{found.key} is part of the committed demo and cannot be deleted")
    if not yes:
        what = f"run {found.key} ({found.state}), whose results stay" if isinstance(found, Job) else _described(found)
        raise UserError(f"this deletes the {what}: add --yes if that is meant")
    if isinstance(found, Entry):
        delete(store, found)
    else:
        queue.delete(found)
    if json:
        say_json({"key": found.key, "deleted": True})
    else:
        say(f"deleted {found.key}")


def _described(entry: Entry) -> str:
    kind, model = entry.path.parent.name, entry.provenance.get("model", "a model")
    return f"{kind} {entry.key} of {model}, with what no other result needs"


@command("report")
def report(given: SimpleNamespace) -> None:
    """Write one HTML file that opens offline: charts, numbers, where they come from, and commands."""
    from core.show.report.reports import KINDS, html

    store = Store(given.cache)
    entry = store.by_key(given.key, (*KINDS, "export"))
    told, name = {"key": entry.key}, "report"
    save_file(given.out, f"{name}.html", given.force, given.json, told, name, lambda: html(store, entry).encode())
