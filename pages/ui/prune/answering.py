"""A stored best setting: the answer in a sentence, what it rests on, and what can be done with it."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import streamlit as st

from core.ask import grammar, naming
from core.ask.allocations import AllocationRequest
from core.ask.settings import Setting
from core.ask.typed import whole
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.models.sources import refuse_fetch
from core.results import protocols
from core.results.evaluations import Evaluations, slice_of
from core.results.study_table import Column, Control, Row, Table, rows_of, study_table
from core.search import best, text_splits
from core.search.best import Best
from core.show.figures import evaluation
from core.store.cache import Entry, Store
from pages.ui import called, frame, view
from pages.ui.allocate import settings
from pages.ui.prune import stored
from pages.ui.study_table import columns

SELECTED = (
    "Measured on the text that selects, where the best of many is better by luck too: only the text that judges counts."
)
JUDGED = "Winner and runner-up against uniform, on the text that judges"
COMMANDS = (
    "`best` looks for the answer again, all candidates and seeds; the others make its profile and the answer alone."
)
NO_COMMAND = "No command: its options do not say texts of several lengths, another packing or start token."


def show(entry: Entry) -> None:
    """Everything that is known of an answer, and the button that uses it."""
    found = _read(str(entry.path), entry)
    if not (found.selection.complete and found.final.complete):
        frame.error("a measurement that this answer rests on is gone from the cache: ask the same again to have it")
        return
    st.header("The answer", anchor=False)
    first, *more = found.sentence, *found.more_sentences, found.loss_sentence
    st.markdown("\n".join([f"**{plain(first)}**", "", *(f"- {plain(each)}" for each in more)]))
    _use(entry, found)
    st.caption(plain(text_splits.described(found.request)))
    _protocol(found)
    if entry.packs:
        st.caption("Imported: these numbers came in a pack and were not measured here.")
    for each in warnings(found):
        st.warning(plain(each))
    if moved := changes(found):
        chart = evaluation.changes(moved, next(iter(moved)), "uniform", view.look(), JUDGED)
        frame.show(chart, f"{found.spec.key[:6]}-best", "best-changes")
    _table(judged(found), "Winner, runner-up, uniform and dense on the text that judges")
    st.header("All candidates", anchor=False)
    st.caption(SELECTED)
    _table(candidates(found), "Every candidate on the text that selects")
    _left_out(found)
    _trials(found)
    _commands(found)


def _use(entry: Entry, found: Best) -> None:
    """The button that brings the answer into view, so that steps 2 and 3 show and export it."""
    try:
        query = view.here("prune.py") | in_view(entry, found)
    except UserError as error:
        st.caption(f"It cannot be used on this page: {plain(error)}.")
        return
    icon = ":material/arrow_forward:"
    st.button(
        "Use this setting", on_click=st.query_params.from_dict, args=[query], type="primary", icon=icon, key="use"
    )


def in_view(entry: Entry, found: Best) -> dict[str, str]:
    """What the URL must say so that the answer is what is in view, defaults included: what is left out would stay.

    Raises:
        UserError: the page has no choice for it, or only a pack names what it needs.
    """
    asked = best.export_request(found, whole(found.request), "", overwrite=False)
    setting, text = asked.setting, asked.calibration
    refuse_fetch(entry, Store(), asked.model, asked.revision, text.source)
    if Store().path(found.spec.profile) is None:
        raise UserError("the profile that the candidates looked at was deleted, and others give other sparsities")
    if (text.seed, text.packing, text.bos) != (0, None, "protocol"):
        raise UserError("the page has no choice for the windows of its calibration text: use the command line below")
    return in_word(setting.allocation) | {
        "profile": found.profile,
        "by": setting.pruner,
        "repair": setting.repair or "none",
        "pattern": setting.pattern or "none",
        "sequential": str(setting.true_sequential),
        "seeds": str(setting.calibration_seed),
        "calibration": text.source,
        "calibration_documents": "-".join(map(str, text.documents or ())),
        "calibration_windows": str(text.sequences),
        "calibration_length": str(text.length),
        "within": slice_of(setting).name,
        "part": "results",
        **({"study": found.final.spec.key} if Store().path(found.final.spec) else {}),
    }


def in_word(asked: AllocationRequest) -> dict[str, str]:
    """What the URL says of an allocation, without layers set by hand.

    Raises:
        UserError: a value that the Allocate page's widgets do not have.
    """
    fix = asked.correction
    steps = [(each.label, each.options, getattr(asked.base, each.name)) for each in asked.base.parameters()]
    labels = {"target": "the target sparsity", "low": "the minimum sparsity", "high": "the maximum sparsity"}
    steps += [(label, settings.TARGETS, getattr(asked, key)) for key, label in labels.items()]
    steps += [("the strength", settings.STRENGTHS, fix.strength), ("the cap of gains", list(settings.CLIPS), fix.clip)]
    for label, options, value in steps:
        if value not in options:
            raise UserError(f"the Allocate page has no step {value:g} of {label}: use the command line below")
    return {settings.ALLOCATION.key: grammar.write(asked), "hand": ""}


def _protocol(found: Best) -> None:
    """The one protocol line: of the text that judges; that of the text that selects is in its help."""
    judges, selects = (_named(found, study, role) for study, role in
                       ((found.final, "final"), (found.selection, "selection")))  # fmt: skip
    told = f"{protocols.badge(judges)}. Selected on {protocols.badge(selects)}."
    stored.stamp(protocols.line(judges), f"{told} {protocols.versions(judges.points)}")


def _named(found: Best, study: Evaluations, role: str) -> Evaluations:
    """A study with its texts called as the answer's provenance calls them."""
    texts = found.provenance.texts
    told = {"text": texts.get(role, called.source(getattr(found.request, role)))}
    told |= {"calibration": texts["calibration"]} if "calibration" in texts else {}
    return replace(study, provenance=study.provenance | told)


def warnings(found: Best) -> list[str]:
    """A sentence for every setting that pruning had to be helped along with, of those that were tried or judged."""
    points = [each for study in (found.final, found.selection) for each in study.singles]
    return list(dict.fromkeys(f"{each.name}. {each.helped}" for each in points if each.helped))


@st.cache_resource(max_entries=8, show_spinner="Reading the answer")
def _read(path: str, _entry: Entry) -> Best:
    """Read once: a folder's name is the hash of what it means."""
    return best.load(Store(), _entry)


def _table(table: Table, alt: str) -> None:
    frame.show_table(pd.DataFrame(table.numbers), alt, columns(table.numbers))


def _left_out(found: Best) -> None:
    if not found.left_out:
        st.caption("Nothing was left out.")
        return
    with st.expander(f"Left out: {len(found.left_out)}"):
        st.markdown("\n".join(f"- {plain(sentence(each))}" for each in found.left_out))
        if line := best.linears_line(found, Store().elsewhere):
            st.caption(best.LINEARS)
            frame.command(line)


def _trials(found: Best) -> None:
    """Which targets were tried for a greatest loss."""
    if len(tried := trials(found)):
        with st.expander(f"Targets tried: {len(tried)}"):
            frame.show_table(tried, "Targets that were tried, with the loss of each")


def _commands(found: Best) -> None:
    with st.expander("The same on the command line"):
        cache = Store().elsewhere
        whole, parts = best.whole_line(found.request, cache), best.commands(found, cache)
        for each in filter(None, (whole, *parts)):
            frame.command(each)
        if whole:
            st.caption(COMMANDS)
        elif not parts:
            st.caption(NO_COMMAND)


# --- numbers, pure ------------------------------------------------------------------------------------------------


def changes(found: Best) -> dict:
    """Name -> change of perplexity against uniform on the text that judges, per cent."""
    contenders = [found.judged(each) for each in (found.winner, found.runner_up) if each not in (None, found.uniform)]
    table = study_table(rows_of(found.final, contenders), {"uniform": lambda one: found.judged(found.uniform)})
    return {name: change.windows for name, change in table.changes("uniform").items()}


def judged(found: Best) -> Table:
    """The dense model, the contenders and the answer on the text that judges: what each loses against the dense one."""
    roles = _roles(found)

    def role(row: Row) -> str:
        return ", ".join(name for name, setting in roles.items() if row.one is found.judged(setting))

    dense: dict[str, Control] = {"dense": lambda one: found.final.dense}
    settings = dict.fromkeys(found.judged(setting) for setting in roles.values())
    table = study_table(rows_of(found.final, settings), dense)
    table = replace(table, columns={"role": Column(role), **table.columns})
    return table.only("role", "allocation", "pruner", "zeros", "perplexity", "against dense")


def _roles(found: Best) -> dict[str, Setting | None]:
    """What a setting was in the search -> the setting; None: the dense model."""
    known = {"winner": found.winner, "runner-up": found.runner_up, "uniform": found.uniform}
    known |= {"repaired" if each.repair else each.allocation.base.title: each for each in found.better}
    known |= {"answer": found.answer} if found.answer not in known.values() else {}
    return {"dense": None} | {role: setting for role, setting in known.items() if setting is not None}


def candidates(found: Best) -> Table:
    """Every candidate on the text that selects against uniform there, the best first."""
    control: dict[str, Control] = {"uniform": lambda one: found.selection.single(found.uniform)}
    table = study_table(rows_of(found.selection, found.candidates), control)
    return table.only("allocation", "zeros", "perplexity", "against uniform", "not a number", "written")


def trials(found: Best) -> pd.DataFrame:
    """A row per target that was tried for a greatest loss, the least first; none where a target was given."""
    tried = found.trials
    rows = [
        {
            "target": each["target"],
            "loss, %": 100 * each["loss"],
            "lowest loss by": _tried(each),
            "uniform's loss, %": math.nan if each.get("uniform") is None else 100 * each["uniform"],
        }
        for each in tried
    ]
    return pd.DataFrame(rows).sort_values("target") if rows else pd.DataFrame()


def _tried(tried: dict) -> str:
    """The allocation that lost least, as charts call it; what is none stays as it is."""
    try:
        return naming.long(grammar.method(tried["allocation"], tried["target"]))
    except UserError:
        return tried["allocation"]
