"""The Export tab of the Prune page: what an export is, what it is not, and where it goes."""

from pathlib import Path

import streamlit as st

from core.ask.requests import ExportRequest
from core.ask.studies import StudyRequest
from core.ask.typed import whole, whole_path
from core.base import access
from core.export.target import check_early
from core.models import work
from core.results import evaluations
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import view, watch
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


def show(how: Pruning, profile: Profile) -> None:
    """The form, what it costs, and what an export is and is not."""
    folder = (st.text_input("Folder", key="export-folder", placeholder="/home/me/pruned", help=FOLDER) or "").strip()
    overwrite = st.checkbox("Overwrite an earlier export in that folder", key="export-overwrite")
    numbers = measuring(profile, how)
    st.caption(
        f"The model card will give the numbers of study {numbers}, which calibrated alike." if numbers else NO_NUMBERS
    )

    def request() -> ExportRequest:
        where = folder and str(whole_path(access.inside(Path(folder))))
        return how.request.to(ExportRequest, setting=how.setting, folder=where, overwrite=overwrite, study=numbers)

    def about(asked: ExportRequest) -> None:
        st.markdown(f"**Pruning it once:** {work.words(work.estimate(asked, Store(), how.device))}")
        if folder:
            check_early(Path(asked.folder), overwrite, asked.model, asked.revision, asked.dtype, Store())

    watch.ask(request, about, how.device, "Export model", "export", ready=bool(folder))
    st.markdown(HONEST)
    st.caption(SEMI_STRUCTURED)


def measuring(profile: Profile, how: Pruning) -> str | None:
    """The key of a study that was asked for just what would be exported: setting, calibration, precision and profile.

    The one that the page shows, where the URL names it and it is among them; else the newest.
    """
    alike = [entry.key for entry in Store().entries("study") if _alike(entry, profile, how)]
    shown = view.url().get("study")
    return shown if shown in alike else next(iter(alike), None)


def _alike(entry: Entry, profile: Profile, how: Pruning) -> bool:
    try:
        asked = whole(StudyRequest.model_validate(entry.provenance.get("request")))
    except ValueError:  # it does not say how it calibrated
        return False
    looked_at = evaluations.profile_key(Store(), asked.profile)
    return (
        entry.spec.model == profile.spec.model
        and how.setting in asked.points
        and asked.calibration == how.request.calibration
        and (how.setting == how.setting.uniform or looked_at == profile.entry.key)
    )
