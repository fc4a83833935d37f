"""`python -m core runs | report | export`: list, delete, report and export results."""

from functools import partial
from types import SimpleNamespace

import typer

from core.base import UserError, checked, unique, with_changes
from core.cli.evaluations import export_json, forms_json, run, say_export
from core.cli.terminal import Answer, Cache, Json, command, out, runs_app, runs_table, save_report, say, say_json
from core.export.target import check_early
from core.jobs import queue
from core.jobs.records import Job
from core.requests import JOBS, ExportRequest, Recipe, StudyRequest, whole_path, with_absolute_paths
from core.results import Study, best, study_results
from core.store import Entry, Store, delete


@runs_app.callback()
def listed(context: typer.Context, cache: Cache = None, json: Json = False) -> None:
    """List the cache: profiles, studies, exports, best settings, runs, and entries set aside as corrupt."""
    if context.invoked_subcommand is not None:
        if cache is not None or json:
            raise UserError(f"give --cache and --json after {context.invoked_subcommand}, not before it")
        return
    store = Store(cache)
    results, jobs = {row.kind: list(store.entries(row.kind)) for row in JOBS}, queue.jobs(store)
    out.quiet = json
    runs_table(results, jobs, store.troubles())
    say_json(
        {
            **{row.listed: [_entry(each) for each in results[row.kind]] for row in JOBS},
            "jobs": [
                {
                    "key": each.key,
                    "what": each.request.identity.removesuffix("Request").lower(),
                    "state": each.state,
                    "line": each.status.line,
                    "result": each.status.result,
                }
                for each in jobs
            ],
            "set_aside": store.troubles(),
        }
    )


def _entry(entry: Entry) -> Answer:
    """JSON of a result: its own record, which cannot override the key and the flags that follow."""
    record = entry.spec.record(entry.provenance)
    return {**record, **entry.provenance, "key": entry.key, "committed": entry.committed}


@command("runs delete")
def deleted(options: SimpleNamespace, store: Store) -> None:
    """Delete a result with the units that no other needs, or forget a job that ended."""
    queue.tidy(store)
    item = store.by_key(options.key, beside=queue.jobs(store))
    if isinstance(item, Job):
        what, forget = f"run {item.key} ({item.state}), whose results stay", partial(queue.delete, item)
    elif item.committed:
        raise UserError(f"{item.key} is part of the committed demo and cannot be deleted")
    else:
        kind, model = item.kind, item.provenance.get("model", "a model")
        what, forget = f"{kind} {item.key} of {model}, with what no other result needs", partial(delete, store, item)
    if not options.yes:
        raise UserError(f"this deletes the {what}: add --yes if that is meant")
    forget()
    say_json({"key": item.key, "deleted": True})
    say(f"deleted {item.key}")


@command("report")
def report(options: SimpleNamespace, store: Store) -> None:
    """Write one HTML file that opens offline: charts, numbers, where they come from, and commands."""
    from core.show.report.reports import KINDS, html

    entry = store.by_key(options.key, (*KINDS, "export"))
    save_report(options, entry.key, lambda: html(store, entry))


# --- a measured setting as a folder that loads anywhere --------------------------------------------------------------


@command("export")
def export(options: SimpleNamespace, store: Store) -> None:
    """Prune as a measured setting says and write the model, with its numbers on the card, to a folder."""
    entry = store.by_key(options.key, ("study", "best"))
    request = (_of_best if entry.kind == "best" else _of_study)(
        store, entry, options.setting, str(whole_path(options.to))
    )
    request = with_changes(request, {"format": options.format, "overwrite": options.overwrite})
    check_early(request, store)
    answer = export_json(run(request, store, options))
    forms = forms_json(request, store)
    say_json(answer | forms)
    say_export(answer, forms)


def _of_best(store: Store, entry: Entry, setting: str | None, folder: str) -> ExportRequest:
    if setting is not None:
        raise UserError(f"{entry.key} is a best setting, whose answer is exported: leave --setting out")
    answer = best.load(store, entry)
    return best.export_request(answer, with_absolute_paths(answer.request), folder)


def _of_study(store: Store, entry: Entry, setting: str | None, folder: str) -> ExportRequest:
    stored = entry.provenance.get("request")
    if not isinstance(stored, dict):
        raise UserError(f"study {entry.key} does not say how it was asked: run its settings again to export one")
    request = with_absolute_paths(checked(StudyRequest, **stored))
    chosen = _chosen(study_results.load(store, entry), setting)
    return request.to(ExportRequest, setting=chosen, folder=folder, study=entry.key)


def _chosen(study: Study, words: str | None) -> Recipe:
    """The recipe that the grammar writes so, else the only one with these words in its name."""
    every = [each.setting for each in study.singles if each.setting]
    if not every:
        raise UserError(f"study {study.spec.key} holds the dense model alone: there is nothing to export")
    meant = [each for each in every if words in (None, each.name)] or [each for each in every if words in each.name]
    if len(meant) == 1:
        return meant[0]
    what = "has several settings" if meant else "has no setting"
    names = unique(each.name for each in meant or every)
    right = f"name one with --setting, as in {' or '.join(map(repr, names[:6]))}"
    if len(names) < len(meant):
        right = "no --setting tells them apart, so export one with `prune --export`"
    raise UserError(f"study {study.spec.key} {what} called {words!r}: {right}")
