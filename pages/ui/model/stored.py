"""All that is stored: cards of profiles, evaluated settings side by side, and actions on each."""

from functools import partial

import streamlit as st

from core.base import (
    UserError,
    access,
    capital,
    distinct,
    escape_markdown,
    for_reader,
    is_for_others,
    profile_names,
    sentence,
    without_folders,
)
from core.jobs import queue
from core.results import Row, protocols, rows_of, study_results
from core.results.study_table import study_table
from core.show.report import reports
from core.store import Entry, Store, changed, delete
from pages.ui import best_setting, current_profile, form, layout, partial_results, studies, watch

ACROSS, NARROWEST = 3, 230  # cards beside each other on a laptop; px of a card: one fills a phone


def gallery(store: Store) -> None:
    """Draw the cards, bundled profiles first and the largest of them on top, and the actions on a profile."""
    entries = {entry.key: entry for entry in store.entries()}
    if not entries:
        st.info("Nothing has been measured yet: choose a model and run a measurement.")
        layout.link("measure", "Measure a model")
        return
    called, distinct = current_profile.names(entries.values()), current_profile.uncovered(entries.values())
    with st.grid(ACROSS, min_column_width=NARROWEST):
        for entry in sorted(distinct, key=lambda each: (not each.committed, -len(each.spec.names))):
            with st.container(border=True, height="stretch", gap="xsmall", key=f"card-{entry.key}"):
                watch.open_profile(entry.key, f"**{escape_markdown(called[entry.key])}**")
                try:
                    finding, label, size = partial_results.card(entry.key, str(store.root))
                except UserError as error:
                    st.caption(sentence(error))
                    continue
                layout.caption(f"{finding}: {label}.")
                layout.caption(f"{'bundled' if entry.committed else 'yours'} · {size}")
    layout.link("measure", "Measure a model of your own")
    one_of(store, entries, "Profile to act on", "picked")


# --- every evaluated setting of every stored study: one table, and one of them to be used -----------------------------

NOTHING = "Nothing has been evaluated yet: tune a setting on Compress and measure it."


def evaluated(store: Store) -> None:
    """Draw the table, one setting of it with the button that uses it, and the actions on a study."""
    entries = {entry.key: entry for entry in store.entries("study")}
    rows = [row for entry in entries.values() for row in _rows(str(entry.path), changed(entry.path), entry)]
    if not rows:
        st.info(NOTHING)
        layout.link("tune", "Tune a setting and measure it")
        return
    studies.show_table(
        study_table(rows), "Every evaluated setting with all that was measured of it", "evaluations", "evaluations"
    )
    _one_setting({row.key: row for row in rows if row.one.setting})
    layout.header("A whole study")
    one_of(store, entries, "Study to act on", "picked-study")


def _one_setting(rows: dict[str, Row]) -> None:
    """Draw the perplexity of a picked setting, its protocol, and the button that brings it into view."""
    if not rows:
        return
    forms = ((row.called, row.name, f"{row.name} ({key})") for key, row in rows.items())
    named = dict(zip(rows, distinct(forms), strict=True))
    row = rows[form.choice("Setting", named, "setting", next(iter(rows)))]
    studies.hero(f"Perplexity of {row.called}", row.one, row.one.against_uniform)
    studies.badge(row.study)
    best_setting.button(lambda: best_setting.using(row), "use-setting")


@st.cache_resource(max_entries=64, show_spinner="Reading studies")
def _rows(path: str, written: float, _entry: Entry) -> list[Row]:
    """Read once: a folder's name is the hash of what it means; deleted and evaluated again it is a new one."""
    return rows_of(study_results.load(Store(), _entry))


# --- actions on a stored result: open, report, delete ----------------------------------------------------------------

KEPT = {
    "profile": "Its measurements are deleted too, except those shared with other profiles. You can measure it again.",
    "study": "Its evaluations are deleted too, except those shared with other studies. You can evaluate them again.",
}
REPORT = "One HTML file, about 5 MB: charts, numbers, their origin, and the command that measures them again."


def one_of(store: Store, entries: dict[str, Entry], label: str, key: str) -> None:
    """Pick a result, and what can be done with it."""
    current = st.session_state.get("profile")
    usual = current if current in entries else next(iter(entries))
    _actions(store, entries[form.choice(label, {each: title(entry) for each, entry in entries.items()}, key, usual)])


def _actions(store: Store, entry: Entry) -> None:
    """Draw the actions on a result, and its provenance."""
    with layout.row():
        link(entry)
        report(entry)
        about = "Part of the committed demo." if entry.committed else None
        barred = access.NOTHING if access.is_read_only() else about
        with st.popover("Delete", disabled=bool(barred), help=barred):
            st.write(KEPT[entry.kind])
            layout.button("Delete it", delete, [store, entry], icon=":material/delete:", key=f"delete-{entry.key}")
    with st.expander("Provenance"):
        spec = entry.spec.model_dump(mode="json", exclude_none=True)
        provenance = {name: each for name, each in entry.provenance.items() if each is not None}
        record = {"key": entry.key, **provenance, "spec": spec}
        st.json(without_folders(record) if is_for_others() else record, expanded=1)


def report(entry: Entry) -> None:
    """Draw the button that writes the report of a result."""
    name, make = f"absorption-report-{entry.key}.html", partial(reports.html, Store(), entry)
    st.download_button("Download report", make, name, key=f"report-{name}", on_click="ignore", help=REPORT)


def link(entry: Entry) -> None:
    """Link to the page that shows a result, for a study together with a profile of its model."""
    if entry.kind == "profile":
        watch.open_profile(entry.key)
        return
    profile = current_profile.of_model(entry.spec.model)
    if profile is None:
        st.caption("Compress shows it once a profile of its model is here: measure one.")
        return
    layout.to_compress("Open the results", "results", study=entry.key, profile=profile)


def title(entry: Entry) -> str:
    """A result in a list."""
    if entry.kind == "profile":
        return current_profile.name(entry)
    provenance, spec = entry.provenance, entry.spec
    label = f"{protocols.name_of_spec(spec, provenance)} · {len(spec.points)} points"
    return f"{profile_names.short(provenance.get('model', '?'))} · {label} · {entry.key[:6]}"


# --- the runs -------------------------------------------------------------------------------------------------------

LISTED = 30  # of the runs, the newest
MARKS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "gray",
    "interrupted": "orange",
}


def runs(store: Store) -> None:
    """Draw the newest jobs with their state and actions."""
    jobs = queue.jobs(store)
    if jobs:
        layout.header("Runs")
    for job in jobs[:LISTED]:
        with st.container(border=True):
            line(job)
    if len(jobs) > LISTED:
        st.caption(f"{len(jobs) - LISTED} older runs are listed once newer ones are forgotten.")


def line(job: queue.Job) -> None:
    """Draw one job."""
    st.markdown(f":{MARKS[job.state]}-badge[{job.state}] {escape_markdown(capital(job.request.title))}")
    if job.state == "failed" and job.status.error:
        layout.caption(for_reader(sentence(job.status.error)))
    elif job.state == "running":
        st.fragment(run_every=2.0)(watch.standing)(job.key)
    with layout.row():
        if job.state != "done":
            watch.link(job, "Watch" if job.active else "Details", "arrow_forward")
        if job.active:
            watch.cancel(job)
            return
        watch.go_on(job)
        layout.button("Forget", queue.delete, [job], key=f"forget-{job.key}", help="Results stay.")


PARTS = {"profiles": gallery, "evaluations": evaluated}


def show() -> None:
    """Draw stored profiles or settings, and the newest runs."""
    store = Store()
    layout.title("Your results")
    named = {key: capital(key) for key in PARTS}
    PARTS[form.switch("View", named, "show", "profiles", label_visibility="collapsed")](store)
    for trouble in store.troubles():
        message = f"Set aside because its files have changed since they were written: {escape_markdown(trouble)}"
        st.warning(message)
    runs(store)
