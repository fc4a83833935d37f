"""The export part of the prune page: what an export is, what it is not, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.ask import naming
from core.ask.commands import quoted
from core.ask.requests import ExportRequest
from core.ask.studies import StudyRequest
from core.ask.texts import TextSpec
from core.ask.typed import whole
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.export import HoldsExport, check_early
from core.models import work
from core.show.figures.labels import percent
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import buttons, called, frame
from pages.ui.prune import stored
from pages.ui.prune.asking import Pruning

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
FOLDER = "A new or empty folder. An earlier export in it is replaced only if you tick the box below."
SERVING = "The first loads it in Python; the second serves it with vLLM, which is installed apart."


def show(how: Pruning, profile: Profile, study: str | None, run: Callable[[ExportRequest, str], None]) -> None:
    """The form, what it costs, what an export is and is not, and what was exported before.

    Args:
        study: key of a study that holds the setting, whatever it was calibrated on.
    """
    st.markdown(f"**Setting to export:** {plain(naming.setting(how.setting))}")
    folder = st.text_input("Folder", key="export-folder", placeholder="/home/me/pruned", help=FOLDER)
    overwrite = st.checkbox("Overwrite an earlier export in that folder", key="export-overwrite")
    numbers = measuring(profile, how, study)
    st.caption(plain(_on_card(study, numbers)))
    _say_cost(how, how.device)
    request = _checked(how, folder or "", overwrite, numbers)
    if request and not Path(folder.strip()).is_absolute():
        st.caption(f"The export goes to {plain(request.folder)}.")
    buttons.button(
        "Export model", run, [request, how.device], icon=":material/save:", disabled=request is None, key="export"
    )
    st.markdown(HONEST)
    st.caption(SEMI_STRUCTURED)
    _measured(profile)


def _on_card(study: str | None, numbers: str | None) -> str:
    """Which numbers the model card will give."""
    if numbers:
        return f"The model card will give the numbers of study {numbers}, which measured this setting calibrated alike."
    if study:
        return (
            f"Study {study} measured this setting with another calibration or precision, so its numbers are not this "
            "export's and the model card will give none: choose the same calibration above, or evaluate it first."
        )
    return "This setting has not been evaluated yet, so the model card will give no numbers: evaluate it first."


def _say_cost(asked: Pruning, device: str) -> None:
    """What pruning one setting costs, which is all that an export computes."""
    try:
        st.markdown(f"**Pruning it once:** {work.words(work.estimate(asked, Store(), device))}")
    except UserError as error:
        frame.error(error)


def _checked(how: Pruning, folder: str, overwrite: bool, study: str | None) -> ExportRequest | None:
    """The request, or None with one sentence why there is none."""
    if not folder.strip():
        return None
    try:
        request = how.export(folder, overwrite, study)
        check_early(Path(request.folder), overwrite, request.model, request.revision, request.dtype, Store())
    except HoldsExport:
        st.caption(f"{plain(request.folder)} holds an earlier export: choose another folder, or tick the box.")
        return None
    except UserError as error:
        frame.error(error)
        return None
    return request


def _measured(profile: Profile) -> None:
    """Bytes of what was exported of this model, beside the dense model's."""
    found = [entry for entry in Store().entries("export") if entry.spec.model.content == profile.spec.model.content]
    if not found:
        st.caption("No export of this model yet. Its size will be listed here beside the dense model's.")
        return
    frame.show_table(pd.DataFrame([row(entry) for entry in found]), "Exports of this model with their bytes")
    newest = found[0].provenance
    st.caption(f"Newest, {plain(newest.get('setting', 'its setting not noted'))}: {size_sentence(found[0])}")


def row(entry: Entry) -> dict[str, object]:
    """An export as a line of a table."""
    told = entry.provenance
    return {
        "setting": called.setting(told.get("setting", "?")),
        "folder": told.get("folder", entry.spec.folder),
        "bytes": told.get("bytes"),
        "dense bytes": told.get("dense_bytes"),
        "created": pd.to_datetime(told.get("created"), errors="coerce", utc=True),
    }


def size_sentence(entry: Entry) -> str:
    """The measured size against the dense one's."""
    size, dense = entry.provenance.get("bytes"), entry.provenance.get("dense_bytes")
    if not size or not dense:
        return "its size was not noted."
    return f"{size:,} bytes, {100 * size / dense:.1f} % of the dense model's {dense:,}."


def finished(entry: Entry) -> None:
    """What a finished export left behind, and how to load it."""
    told = entry.provenance
    folder = told.get("folder", entry.spec.folder)
    st.markdown(f"Exported to {plain(folder)}, reloaded and compared.")
    st.caption(" ".join([*compared(told), f"Measured: {size_sentence(entry)}"]))
    st.code(loading(folder), "python", wrap_lines=True)
    frame.command(quoted(["vllm", "serve", folder]))
    st.caption(SERVING)
    for warning in told.get("warnings", []):
        st.warning(plain(sentence(warning)))


def loading(folder: str) -> str:
    """The lines that load an exported folder."""
    return "\n".join(
        [
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            f"model = AutoModelForCausalLM.from_pretrained({folder!r})",
            f"tokenizer = AutoTokenizer.from_pretrained({folder!r})",
        ]
    )


def compared(told: Mapping[str, Any]) -> list[str]:
    """The zeros that were counted and the logits that were compared, as far as that was noted."""
    zeros, apart = told.get("sparsity"), told.get("difference")
    found = [] if zeros is None else [f"{100 * zeros:.1f} % zeros in the linears, every linear as planned."]
    if apart is None:
        return found
    if apart == 0:
        return [*found, "Logits identical after reloading."]
    return [*found, f"Logits after reloading differ by at most {percent(apart, 6)} of the largest one."]


# --- numbers for the model card ------------------------------------------------------------------------------------


def measuring(profile: Profile, how: Pruning, first: str | None = None) -> str | None:
    """The key of a study that measured just what would be exported: setting, calibration, precision and profile.

    Args:
        first: the one that is taken where it is among them; else it is the newest.
    """
    found = [entry.key for entry in Store().entries("study") if _measures(entry, profile, how)]
    return first if first in found else next(iter(found), None)


def _measures(entry: Entry, profile: Profile, how: Pruning) -> bool:
    mine, its = profile.spec.model, entry.spec.model
    if (its.content, its.initialised, its.dtype) != (mine.content, mine.initialised, how.dtype):
        return False
    point = next((each for each in entry.spec.points if each.setting == how.setting), None)
    if point is None:
        return False
    looks = how.setting != how.setting.uniform
    if looks and stored.profile_key(entry.provenance.get("profile")) != profile.entry.key:
        return False
    return point.pruned.calibration is None or _calibrated_alike(entry, point.pruned.calibration, how)


def _calibrated_alike(entry: Entry, used: TextSpec, how: Pruning) -> bool:
    """Whether a study calibrated as asked: by its request; where none is noted, by amount."""
    asked = how.calibration
    if (used.sequences, used.length, used.bos) != (asked.sequences, asked.length, asked.bos):
        return False
    try:
        return whole(StudyRequest.model_validate(entry.provenance["request"])).calibration == asked
    except (KeyError, ValueError):
        return True
