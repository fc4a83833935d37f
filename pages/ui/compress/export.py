"""The export of the setting in view: its form, its cost, and what an export does and does not do."""

from contextlib import suppress
from pathlib import Path

import streamlit as st

from core.base import UserError, access
from core.export.file_sizes import worth
from core.export.target import check_early
from core.requests import FORMATS, ExportRequest, StudyRequest, whole_path, with_absolute_paths
from core.results import Study, study_results
from core.show.figures.frontier import forms, forms_table
from core.show.words import study_lines
from core.store import Entry, Profile, Store
from pages.ui import layout, url_state, watch
from pages.ui.compress.pruning import Pruning

HONEST = (
    "**Few bits make the file smaller, and run**: GGUF in llama.cpp, compressed-tensors in vLLM and transformers. "
    "**Zeros make it neither smaller nor faster**: a dense export is plain safetensors, in which every zero is stored "
    "and multiplied like any other weight. Zeros are for research and teaching, and together with bits."
)
ABOUT = (
    "Of the weights alone: names and vocabulary come on top. What lies beside the linears has half precision; in a "
    "GGUF file of few bits its matrices are Q8_0, its norms full."
)
SEMI_STRUCTURED = (
    "The pattern 2:4 is no exception: vLLM dropped it in March 2026, and what is left (torch's semi-structured "
    "tensors, cuSPARSELt, TensorRT) takes a conversion of your own and an NVIDIA GPU, Ampere or later."
)
NO_NUMBERS = (
    "No study measured this setting with this calibration and precision, so the model card will give no numbers: "
    "evaluate it first."
)
NO_SPEED = (
    "No speed is known: where llama-bench of llama.cpp is on the PATH, it times every GGUF file that is exported."
)
FOLDER = "A new or empty folder. An earlier export in it is replaced only if you tick the box below."


def show(how: Pruning, profile: Profile, study: Study | None) -> None:
    """Draw the form, its cost, and what an export does and does not do.

    Args:
        study: in view; it tells perplexities of other formats.
    """
    folder = (st.text_input("Folder", key="export-folder", placeholder="/home/me/pruned", help=FOLDER) or "").strip()
    form = st.selectbox("Format", dict.fromkeys(FORMATS.values()), key="export-format")
    overwrite = st.checkbox("Overwrite an earlier export in that folder", key="export-overwrite")
    numbers = measuring(profile, how)
    st.caption(
        f"The model card will give the numbers of study {numbers}, which calibrated alike." if numbers else NO_NUMBERS
    )

    def request():
        where = folder and str(whole_path(access.inside(Path(folder))))
        return how.request.to(
            ExportRequest, setting=how.setting, folder=where, overwrite=overwrite, study=numbers, format=form
        )

    def about(request):
        st.markdown(f"**Pruning it once:** {watch.expected(request, how.device)}")
        if folder:
            check_early(request, Store())

    watch.ask(request, about, how.device, "Export model", "export", ready=bool(folder))
    st.markdown(HONEST)
    with suppress(UserError):  # the model is not here
        beside = numbers or (study and study.entries[-1].key)
        _meter(how.request.to(ExportRequest, setting=how.setting, folder=folder, study=beside))
    st.caption(SEMI_STRUCTURED)


def _meter(request: ExportRequest) -> None:
    """Draw the bytes of the weights in each format beside its perplexity and speed, where known."""
    sizes, perplexities, rates = worth(request, Store())
    st.markdown("**What the zeros are worth in bytes**", help=ABOUT)
    table = forms_table(sizes, perplexities, rates).dropna(axis="columns", how="all")
    layout.show_table(table, "Bytes of each form", hide_index=False)
    if chart := forms(sizes, perplexities, rates):
        layout.show(chart, "export", "forms", brief=True)
    else:
        layout.caption(study_lines.on_zeros(sizes, perplexities))
    if not rates:
        st.caption(NO_SPEED)


def measuring(profile: Profile, how: Pruning) -> str | None:
    """Key of a study with the setting, calibration, precision and profile that would be exported.

    The one that the page shows, where the URL names it and it is among them; else the newest.
    """
    alike = [entry.key for entry in Store().entries("study") if _alike(entry, profile, how)]
    current = url_state.url().get("study")
    return current if current in alike else next(iter(alike), None)


def _alike(entry: Entry, profile: Profile, how: Pruning) -> bool:
    try:
        request = with_absolute_paths(StudyRequest.model_validate(entry.provenance.get("request")))
    except ValueError:  # it does not say how it calibrated
        return False
    looked_at = study_results.profile_key(Store(), request.profile)
    return (
        entry.spec.model == profile.spec.model
        and how.setting in request.points
        and request.calibration == how.request.calibration
        and (how.setting == how.setting.uniform or looked_at == profile.entry.key)
    )
