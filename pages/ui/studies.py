"""Stored studies of the model in view, grouped by protocol, with their badge and table."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache

import pandas as pd
import streamlit as st

from core.base import UserError, escape_markdown
from core.methods import Treatment
from core.plan import allocate, responses, same_allocation
from core.requests import AllocationRequest, Recipe, recipe_names
from core.results import (
    CHANGE,
    Change,
    Forecast,
    Result,
    Study,
    Table,
    protocols,
    stored_forecasts,
    verdict,
)
from core.show.words import study_lines
from core.store import Entry, Profile, Store
from pages.ui import choices, current_profile, layout

ABOUT = (
    "A perplexity is the mean over a setting's calibration seeds; a change uses only the seeds that both settings "
    "share. Intervals are 95 %, paired over windows."
)
HUES = {"gains": "blue", "costs": "orange"}  # of a change that is certain
PICK = "Choose a protocol. Numbers of unlike protocols never share a chart."


def groups(profile: Profile | Entry) -> tuple[Study, ...]:
    """The studies of a model, those of one protocol as one, the newest first, but none of the dense model alone."""
    store = Store()
    entries = store.of_model(profile.spec.model, "study")
    beside = [str(each.path) for kind in ("profile", "best") for each in store.entries(kind)]
    return _groups(repr((beside, [str(each.path) for each in entries])), entries)


def prepare() -> None:
    """Read the studies that Allocate and Prune open with, before anybody asks for them."""
    with suppress(UserError):  # nothing is committed
        groups(current_profile.load(Store().demo().key))


@st.cache_resource(max_entries=8, show_spinner=False)
def _groups(paths: str, _entries: list[Entry]) -> tuple[Study, ...]:
    """Read once: a folder's name is the hash of what it means."""
    return tuple(each for each in protocols.grouped_by_protocol(Store(), _entries).values() if each.settings)


@lru_cache(maxsize=32)
def forecast_of(
    among: tuple[Study, ...], profile: Profile, treatment: Treatment, per_linear: bool = False
) -> tuple[Forecast | None, UserError | None]:
    """The anchors of a model's studies, fitted once for all readers, or the error that says why there are none.

    Args:
        per_linear: budgets of linears are to be predicted.
    """
    try:
        forecast = stored_forecasts.best_forecast(among, profile, treatment)
        responses.highest(profile, per_linear, treatment.budget_unit)
    except UserError as error:
        return None, error
    forecast.predictors  # noqa: B018 - fitted once
    return forecast, None


@lru_cache
def without_allocation(
    forecast: Forecast, request: AllocationRequest, base: AllocationRequest
) -> tuple[Forecast, Result | None]:
    """`Forecast.without_allocation`, found and fitted once for all readers.

    Raises:
        UserError: as `allocate`.
    """
    return forecast.without_allocation(allocate(request, forecast.profile).exact, base)


def result_of(results: Study, recipe: Recipe, profile: Profile) -> Result | None:
    """The result of a setting, where its allocation is the one that this profile gives."""
    one = results.of(recipe)
    return one if one and same_allocation(one.planned, allocate(recipe.allocation, profile).exact) else None


def choose(among: Sequence[Study], recipe: Recipe) -> Study:
    """The protocol that the URL names by any of its studies, else the one that all pages take for the setting in view.

    `badge` draws the choice.
    """
    by_key = {each.entries[-1].key: each for each in among}
    homes = {entry.key: key for key, each in by_key.items() for entry in each.entries}
    place = protocols.best_slice(among, recipe.allocation.target, recipe.treatment.name, recipe)
    first = place.study.entries[-1].key if place else next(iter(by_key))
    return by_key[choices.sync("study", list(by_key), first, homes)]


def hero(about: str, one: Result, change: Change | None, other: str = "") -> None:
    """A perplexity large, its change beside it, the interval small.

    Args:
        change: against the other; None: there is nothing to compare with.
        other: uniform with the same repair, where nothing else is named.
    """
    written, how = "not a number" if one.trouble else one.written, {}
    if not one.trouble and change and math.isfinite(change.value):
        size, _, interval = change.said.partition(" %")
        word, other = verdict(change.quoted), other or recipe_names.uniform_beside(one.setting and one.setting.repair)
        how = {
            "delta": f"{size} % against {escape_markdown(other)}",
            "delta_color": HUES.get(word, "off"),
            "delta_arrow": "auto" if word in HUES else "off",
            "delta_description": escape_markdown(f"95 % interval {interval.strip(' ,')}"),
        }
    st.metric(escape_markdown(about), written, help=one.trouble or None, **how)


def helped(settings: Iterable[Result]) -> None:
    """Warn where pruning needed extra damping."""
    for warning in dict.fromkeys(f"{each.name}. {each.helped}" for each in settings if each.helped):
        st.warning(escape_markdown(warning))


def badge(study: Study, among: Sequence[Study] = ()) -> None:
    """Draw the short name of a study's protocol; a click opens files and hashes.

    Args:
        among: what `choose` chose from; where that is several, they are offered below.
    """
    with st.popover(escape_markdown(protocols.short_name(study)), type="tertiary", help="Protocol", wrap=True):
        layout.caption(f"{study_lines.badge(study)}.")
        if len(among) > 1:
            names = zip(among, study_lines.names(among), strict=True)
            named = {each.entries[-1].key: escape_markdown(name) for each, name in names}
            st.radio(PICK, list(named), key="study", format_func=named.get)


# --- their table ---------------------------------------------------------------------------------------------------


def show_table(table: Table, alt: str, file: str, key: str) -> None:
    """Draw a table: what a row is stays in sight, and changes have their sign and two decimals.

    Args:
        file: the name of the downloaded file, without its end.
    """
    helps = {
        name: st.column_config.Column(help=each.about)
        for name, each in table.columns.items()
        if each.about and name in table.values and name not in layout.PERCENT_COLUMNS
    }
    change = st.column_config.NumberColumn(format="%+,.2f")
    changes = [head for head in table.numbers if head.startswith(CHANGE) or head.endswith((" low", " high", " seeds"))]
    columns = dict.fromkeys(changes, change) | {"allocation": st.column_config.TextColumn(width=170, pinned=True)}
    layout.show_table(pd.DataFrame(table.numbers), alt, columns | helps, key=key)
    st.caption(ABOUT)
    layout.download(lambda: table.csv, file, key)
