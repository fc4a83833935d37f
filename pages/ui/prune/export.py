"""The export part of the prune page: what an export is, what it is not, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from core.ask import naming
from core.ask.commands import quoted
from core.ask.inputs import TextSpec
from core.ask.requests import ExportRequest
from core.ask.studies import StudyRequest
from core.ask.typed import whole
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.base.paths import resolved
from core.export import HoldsExport, check_early
from core.models import work
from core.results import evaluations
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import buttons, frame
from pages.ui.prune.pruning import Pruning

HONEST = (
    "The export is the whole model as plain safetensors with zeros in it: transformers, vLLM and others load it as a "
    "dense model. **Unstructured zeros make neither the file smaller nor the model faster**: every zero is stored and "
    "multiplied like any other weight. You gain a model that is ready for a runtime that skips zeros."
)
SEMI_STRUCTURED = (
    "The pattern 2:4 can run faster, with a conversion of your own: it needs an NVIDIA GPU of the Ampere generation or "
    "later, half precision or int8, and a runtime with sparse kernels (torch's semi-structured tensors, cuSPARSELt, "
    "TensorRT). The file exported here is dense in either case."
)
NO_NUMBERS = (
    "No study measured this setting with this calibration and precision, so the model card will give no numbers: "
    "evaluate it first."
)
FOLDER = "A new or empty folder. An earlier export in it is replaced only if you tick the box below."
LOADING = """from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained({folder!r})
tokenizer = AutoTokenizer.from_pretrained({folder!r})"""
SERVING = "The first loads it in Python; the second serves it with vLLM, which is installed apart."


def show(how: Pruning, profile: Profile, study: str | None, run: Callable[[ExportRequest, str], None]) -> None:
    """The form, what it costs, and what an export is and is not.

    Args:
        study: key of a study that holds the setting, whatever it was calibrated on.
    """
    st.markdown(f"**Setting to export:** {plain(naming.setting(how.setting))}")
    folder = st.text_input("Folder", key="export-folder", placeholder="/home/me/pruned", help=FOLDER) or ""
    overwrite = st.checkbox("Overwrite an earlier export in that folder", key="export-overwrite")
    numbers = measuring(profile, how, study)
    st.caption(
        f"The model card will give the numbers of study {numbers}, which calibrated alike." if numbers else NO_NUMBERS
    )
    request = None
    try:
        expected = work.estimate(_request(how, ".", False, None), Store(), how.device)
        st.markdown(f"**Pruning it once:** {work.words(expected)}")
        if folder.strip():
            request = _request(how, folder, overwrite, numbers)
            if request.folder != folder.strip():
                st.caption(f"The export goes to {plain(request.folder)}.")
            check_early(Path(request.folder), overwrite, request.model, request.revision, request.dtype, Store())
    except HoldsExport:
        st.caption("That folder holds an earlier export: choose another one, or tick the box.")
        request = None
    except UserError as error:
        frame.error(error)
        request = None
    ready = request is not None
    buttons.button("Export model", run, [request, how.device], icon=":material/save:", disabled=not ready, key="export")
    st.markdown(HONEST)
    st.caption(SEMI_STRUCTURED)


def _request(how: Pruning, folder: str, overwrite: bool, study: str | None) -> ExportRequest:
    where = str(resolved(folder.strip()))
    return how.request.to(ExportRequest, setting=how.setting, folder=where, overwrite=overwrite, study=study)


def finished(entry: Entry) -> None:
    """What a finished export left behind, and how to load it."""
    told = entry.provenance
    folder = told.get("folder", entry.spec.folder)
    st.markdown(f"Exported to {plain(folder)}, reloaded and compared.")
    st.caption(plain(told.get("size", "")))
    st.code(LOADING.format(folder=folder), "python", wrap_lines=True)
    frame.command(quoted(["vllm", "serve", folder]))
    st.caption(SERVING)
    for warning in told.get("warnings", []):
        st.warning(plain(sentence(warning)))


# --- numbers for the model card ------------------------------------------------------------------------------------


def measuring(profile: Profile, how: Pruning, first: str | None = None) -> str | None:
    """The key of a study that measured just what would be exported: setting, calibration, precision and profile.

    Args:
        first: the one that is taken where it is among them; else it is the newest.
    """
    found = [entry.key for entry in Store().entries("study") if _measures(entry, profile, how)]
    return first if first in found else next(iter(found), None)


def _measures(entry: Entry, profile: Profile, how: Pruning) -> bool:
    mine, its, told = profile.spec.model, entry.spec.model, entry.provenance
    point = next((each for each in entry.spec.points if each.setting == how.setting), None)
    if point is None or its.weights != mine.weights or its.dtype != how.request.dtype:
        return False
    looks = how.setting != how.setting.uniform
    if looks and evaluations.profile_key(Store(), told.get("profile")) != profile.entry.key:
        return False
    return point.pruned.calibration is None or _calibrated_alike(told, point.pruned.calibration, how)


def _calibrated_alike(told: Mapping[str, Any], used: TextSpec, how: Pruning) -> bool:
    """Whether a study calibrated as asked: by its request; where none is noted, by amount."""
    asked = how.request.calibration
    if (used.sequences, used.length, used.bos) != (asked.sequences, asked.length, asked.bos):
        return False
    try:
        return whole(StudyRequest.model_validate(told["request"])).calibration == asked
    except (KeyError, ValueError):
        return True
