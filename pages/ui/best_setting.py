"""The best known setting of a model as a card, and the URL query that brings a measured setting into view."""

from collections.abc import Callable
from functools import lru_cache

import streamlit as st

from core.base import UserError, escape_markdown
from core.methods import Treatment
from core.models.sources import text_is_here
from core.plan import allocate
from core.requests import PROJECT, AllocationRequest, Recipe, WindowRequest, grammar, recipe_names, with_paths
from core.results import Row, Study, leaderboard, profile_key, slice_of
from core.store import Profile, Store
from pages.ui import current_profile, layout, studies, url_state
from pages.ui.compress import settings

USE = "Use this setting"
GONE = "the profile that its allocation looked at is not here, and others give other sparsities"


_lowest = lru_cache(leaderboard.lowest_at)  # found once for all readers


def card(groups: tuple[Study, ...], target: float, pruner: str) -> None:
    """Draw the lowest perplexity at a target by a pruner, and the button that uses it; nothing if none was measured.

    Args:
        groups: the studies of the model.
        pruner: its name without a repair; any repair may follow.
    """
    row = _lowest(groups, target, pruner)
    if row is None:
        return
    with st.container(border=True, key="best-known"):
        name = recipe_names.setting(row.one.setting, with_pruner=False)
        about = f"Best measured so far with the pruner {Treatment(pruner).spoken}: {name}"
        studies.hero(about, row.one, row.one.against_uniform)
        with layout.row():
            studies.badge(row.study)
            button(lambda: using(row) | ({"part": "tune"} if url_state.here("compress") else {}), "use-best")


def button(query: Callable[[], dict[str, str]], key: str) -> None:
    """Draw the button that brings a setting into view, or the reason why it cannot be.

    Args:
        query: what the URL of the Compress page then says.
    """
    try:
        view = query()
    except UserError as error:
        st.caption(f"It cannot be used on this page: {escape_markdown(error)}.")
        return
    how = {"icon": ":material/arrow_forward:", "key": key}
    if st.session_state.get("page") == "compress":
        others = {name: value for name, value in url_state.here("compress").items() if name not in settings.PARTS}
        st.button(USE, on_click=url_state.take, args=[others | view], **how)
    elif st.button(USE, **how):
        st.switch_page("compress.py", query_params=view)


def using(row: Row) -> dict[str, str]:
    """The URL query of a measured setting, with the profile that its allocation was computed from.

    Its calibration text is left as it is where that is not on this machine.

    Raises:
        UserError: the page has no choice for it, or the profile is gone.
    """
    one, study = row.one, row.study
    mine = one.result.setting, one.result.pruned
    entry = next(each for each in (*study.entries, *study.guests) for point in each.spec.points
                 if (point.setting, point.pruned) == mine)  # fmt: skip
    provenance = entry.provenance
    request, looked_at, text = one.setting.allocation, current_profile.of_model(study.spec.model), None
    if request.base.profiled or request.correction.strength:
        looked_at = profile_key(Store(), provenance.get("profile"))
    if looked_at not in {each.key for each in Store().entries("profile")}:
        raise UserError(GONE)
    if read := provenance.get("request", {}).get("calibration"):
        text = WindowRequest.model_validate(with_paths(read, PROJECT))
    if text and not (chosen(text) and text_is_here(text.source)):
        text = None
    return in_view(one.setting, text, looked_at, entry.key)


def chosen(text: WindowRequest) -> bool:
    """True if the page has a choice for the windows of a calibration text."""
    return (text.seed, text.packing, text.bos) == (0, None, "protocol")


def in_view(recipe: Recipe, text: WindowRequest | None, profile: str | None, study: str | None) -> dict[str, str]:
    """The URL query that brings a setting into view, defaults included: a choice left out would stay.

    Args:
        text: that calibrates; None: it stays as it is.
        profile, study: keys; None: as in view.

    Raises:
        UserError: the page has no choice for it.
    """
    if recipe.recover_norms:
        raise UserError("its training changes norms and biases too")
    query = {
        settings.WORD: grammar.write(recipe.allocation),
        "hand": "",
        "by": recipe.pruner,
        "repair": recipe.repair or "none",
        "minutes": f"{recipe.recover_minutes or 10:g}",
        "recover_tokens": str(recipe.recover_tokens or 0),
        "bfloat16": str(recipe.recover_dtype == "bfloat16"),
        "own": str(recipe.recover_text == "own"),
        "pruner_windows": str(recipe.pruner_windows),
        "recover_until": str(recipe.recover_until),
        "pattern": recipe.pattern or "none",
        "sequential": str(recipe.true_sequential),
        "seeds": str(recipe.calibration_seed),
        "within": slice_of(recipe).name,
        "part": "results",
    }
    if text:
        query |= {
            "calibration": text.source,
            "calibration_documents": "-".join(map(str, text.documents or ())),
            "calibration_windows": str(text.sequences),
            "calibration_length": str(text.length),
        }
    return query | {name: key for name, key in {"profile": profile, "study": study}.items() if key}


def follow(request: AllocationRequest, profile: Profile) -> None:
    """Bring another profile of the model into view that has what an allocation looks at; return where none has."""
    for entry in Store().of_model(profile.spec.model):
        if entry.key == profile.key:
            continue
        try:
            allocate(request, current_profile.load(entry.key))
        except UserError:
            continue
        st.toast(
            escape_markdown(
                f"Profile in view now: {current_profile.name(entry)}. It has what this allocation looks at."
            )
        )
        url_state.write()
        st.query_params["profile"] = entry.key
        st.rerun()
