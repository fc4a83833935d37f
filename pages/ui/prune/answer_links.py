"""What can be done with a stored best setting: bring it into view, and export it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.ask import grammar, naming
from core.ask.requests import ExportRequest
from core.ask.settings import Setting
from core.ask.typed import whole
from core.base.errors import UserError
from core.base.escape import plain
from core.base.paths import resolved
from core.export import check_early
from core.models.sources import refuse_fetch
from core.results.evaluations import slice_of
from core.search import best
from core.search.best import Best
from core.store.cache import Entry, Store
from pages.ui import buttons, frame, view
from pages.ui.allocate import settings
from pages.ui.prune import costing, exporting


def links(found: Best) -> None:
    """The answer on the Allocate page, and among the results here."""
    try:
        query = in_view(found.answer) | {"profile": _profile(found)}
    except UserError as error:
        st.caption(f"No link: {plain(error)}.")
        return
    setting = found.answer
    here = {"by": setting.pruner, "repair": setting.repair or "none", "pattern": "none"}
    here |= {"sequential": str(setting.true_sequential), "part": "results"}
    here |= {"within": slice_of(setting).name}
    here |= {"study": found.final.spec.key} if Store().path(found.final.spec) else {}
    with st.container(horizontal=True):
        st.page_link("allocate.py", label="See it on the Allocate page", icon=":material/tune:", query_params=query)
        st.page_link(
            "prune.py",
            label="See it among the results",
            icon=":material/arrow_forward:",
            query_params=view.here("prune.py") | query | here,
        )


def in_view(setting: Setting) -> dict[str, str]:
    """What the URL must say so that the Allocate page shows a setting, defaults included: what is left out would stay.

    Raises:
        UserError: a value that the page's widgets do not have.
    """
    asked, fix = setting.allocation, setting.allocation.correction
    steps = [(each.label, each.options, getattr(asked.base, each.name)) for each in asked.base.parameters()]
    labels = {"target": "the target sparsity", "low": "the minimum sparsity", "high": "the maximum sparsity"}
    steps += [(label, settings.TARGETS, getattr(asked, key)) for key, label in labels.items()]
    steps += [("the strength", settings.STRENGTHS, fix.strength), ("the cap of gains", list(settings.CLIPS), fix.clip)]
    for label, options, value in steps:
        if value not in options:
            raise UserError(f"the Allocate page has no step {value:g} of {label}: use the command line below")
    return {"allocation": grammar.write(asked), "hand": ""}


def _profile(found: Best) -> str:
    """The profile that the candidates looked at.

    Raises:
        UserError: it was deleted.
    """
    if Store().path(found.spec.profile) is None:
        raise UserError("the profile that the candidates looked at was deleted, and others give other sparsities")
    return found.profile


def export(entry: Entry, found: Best, run: Callable[[ExportRequest, str], None], device: str) -> None:
    with st.expander("Export the answer"):
        st.markdown(f"**Setting to export:** {plain(naming.setting(found.answer))}")
        st.caption(exporting.HONEST)
        folder = st.text_input("Folder", key="best-folder", placeholder="/home/me/pruned", help=exporting.FOLDER)
        overwrite = st.checkbox("Overwrite an earlier export in that folder", key="best-overwrite")
        request = _asked(entry, found, folder or "", overwrite)
        if request:
            costing.say(request, device)
        ready = request is not None and bool((folder or "").strip()) and _free(request)
        if ready:
            exporting.where(folder, request)
        buttons.button(
            "Export model", run, [request, device], icon=":material/save:", disabled=not ready, key="best-export"
        )


def _asked(entry: Entry, found: Best, folder: str, overwrite: bool) -> ExportRequest | None:
    """The request, or None with one sentence why there is none."""
    try:
        where = str(resolved(folder.strip()))
        request = best.export_request(found, whole(found.request), where, overwrite)
        refuse_fetch(entry, Store(), request.model, request.revision, request.calibration.source)
        return request
    except UserError as error:
        frame.error(error)
        return None


def _free(request: ExportRequest) -> bool:
    """Whether the folder may be written to; one sentence where it may not."""
    try:
        check_early(Path(request.folder), request.overwrite, request.model, request.revision, request.dtype, Store())
    except UserError as error:
        frame.error(error)
        return False
    return True
