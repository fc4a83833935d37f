"""The export part of the prune page: what an export is, what it is not, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.export import check_target
from core.profiles import Profile
from core.settings import ExportRequest
from core.store import Entry, Store
from pages.ui.prune import naming
from pages.ui.prune.asking import Pruning

HONEST = (
    "An export is the whole model as plain safetensors with zeros in it: transformers, vLLM and others load it as any "
    "dense model. **Unstructured zeros make neither the file smaller nor a run faster**: every zero is stored and "
    "multiplied like any other weight. What they buy is a model that is ready for a runtime that skips them."
)
SEMI_STRUCTURED = (
    "The pattern 2:4 can run faster, with a conversion of your own: it needs an NVIDIA GPU of the Ampere generation or "
    "later, half precision or int8, and a runtime with sparse kernels (torch's semi-structured tensors, cuSPARSELt, "
    "TensorRT). The file exported here is dense in either case."
)


def show(how: Pruning, profile: Profile, study: str | None, run: Callable[[ExportRequest, str], None]) -> None:
    """The honest paragraph, the form, and what was exported before."""
    st.markdown(HONEST)
    st.caption(SEMI_STRUCTURED)
    _measured(profile)
    st.markdown(f"**Exported is the setting in view:** {naming.setting(how.setting)}")
    folder = st.text_input("Folder", key="export-folder", placeholder="/home/me/pruned", help="It must not exist yet.")
    overwrite = st.checkbox("Overwrite an earlier export in that folder", key="export-overwrite")
    st.caption(
        "The model card will give the numbers of the study that holds this setting."
        if study
        else "No study holds this setting yet, so the model card will give no numbers: evaluate it first to have them."
    )
    request = _checked(how, folder or "", overwrite, study)
    st.button(
        "Export",
        icon=":material/save:",
        disabled=request is None,
        on_click=run,
        args=[request, how.device],
        key="export",
    )


def _checked(how: Pruning, folder: str, overwrite: bool, study: str | None) -> ExportRequest | None:
    """The request, or None with one sentence why there is none."""
    if not folder.strip():
        return None
    try:
        request = how.export(folder, overwrite, study)
        check_target(Path(request.folder), overwrite, store=Store())
    except UserError as error:
        st.error(str(error))
        return None
    return request


def _measured(profile: Profile) -> None:
    """Bytes of what was exported of this model, beside the dense model's."""
    found = [entry for entry in Store().entries("export") if entry.spec.model.content == profile.spec.model.content]
    if not found:
        st.caption("Nothing of this model was exported yet; the bytes will stand here, beside the dense model's.")
        return
    st.dataframe(
        pd.DataFrame([row(entry) for entry in found]), hide_index=True, alt="Exports of this model with their bytes"
    )
    st.caption(size_sentence(found[0]))


def row(entry: Entry) -> dict[str, object]:
    """An export as a line of a table."""
    told = entry.provenance
    return {
        "setting": told.get("setting"),
        "folder": told.get("folder", entry.spec.folder),
        "bytes": told.get("bytes"),
        "dense bytes": told.get("dense_bytes"),
        "created": told.get("created"),
    }


def size_sentence(entry: Entry) -> str:
    """The measured size against the dense one's."""
    size, dense = entry.provenance.get("bytes"), entry.provenance.get("dense_bytes")
    if not size or not dense:
        return "The size of the newest one was not noted."
    return f"Measured: {size:,} bytes, {size / dense:.1%} of the dense model's {dense:,}."


def finished(entry: Entry) -> None:
    """What a finished export left behind."""
    told = entry.provenance
    st.markdown(f"Exported to `{told.get('folder', entry.spec.folder)}`, reloaded and compared.")
    st.caption(size_sentence(entry))
    if told.get("difference") is not None:
        st.caption(f"Logits after reloading differ by {told['difference']:.3g} of the largest one at most.")
    for warning in told.get("warnings", []):
        st.warning(warning)
