"""Actions on an allocation: prune with it, repeat it elsewhere, measure what it lacks."""

from __future__ import annotations

import streamlit as st

from core.ask import grammar
from core.ask.allocations import AllocationRequest
from core.ask.commands import Allocating, command_line
from core.ask.measurements import EACH, measurements
from core.ask.typed import absolute
from core.base.errors import UserError
from core.export import recipes
from core.kinds import BASE_LABELS, ResidualLinear
from core.kinds.treatments import PRUNERS
from core.plan import responses
from core.plan.spread import Allocation
from core.show import words
from core.show.report import remake
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import frame, view
from pages.ui.allocate import settings

MEASURED_ALONE = (0.5, 0.7, 0.9)


def section(allocation: Allocation, request: AllocationRequest, profile: Profile) -> None:
    """The link to Prune, the command that prints the same numbers, and files for other tools.

    Args:
        allocation: as on screen, with layers set by hand.
        request: as it was chosen.
    """
    st.header("Export allocation", anchor=False)
    query = view.url() | {settings.WORD: grammar.write(request)}
    st.page_link("prune.py", label="Prune with this allocation", icon=":material/content_cut:", query_params=query)
    st.caption("This command prints the same numbers.")
    asked = Allocating(profile=profile.entry.key, allocation=allocation.request, judge=settings.HARM)
    file = f"{profile.entry.key[:6]}-allocation.json"
    by_hand = {"allocation": file} if allocation.request.base.by_hand else {}
    frame.command(command_line(asked, cache=Store().elsewhere, **by_hand))
    with st.container(horizontal=True):
        _files(allocation, profile, file)


def _files(allocation: Allocation, profile: Profile, file: str) -> None:
    """Buttons that download the allocation and its recipes."""
    _download("JSON", recipes.as_json(allocation, profile), file, "application/json")
    about = f"{words.source(profile)}: {BASE_LABELS[allocation.request.base.kind]}, budget {allocation.budget:.6f}"
    names = profile.provenance.get("linears", []) if allocation.linears is not None else []
    for pruner, row in PRUNERS.items():
        if row.modifier:
            recipe = recipes.llm_compressor(allocation.exact, row.modifier, about, names)
            made = f"{profile.entry.key[:6]}-recipe-{pruner}.yaml"
            _download(f"llm-compressor recipe, {row.label}", recipe, made, "application/yaml")


def _download(label: str, content: str, file: str, mime: str) -> None:
    st.download_button(label, content, file, mime, key=f"download-{label}", on_click="ignore")


def measure_linears(request: AllocationRequest, profile: Profile) -> None:
    """The command that measures each linear alone, where a budget per linear lacks that."""
    if not request.base.per_linear or "text_source" not in profile.provenance:
        return
    try:
        responses.measured_linears(profile, request.base.pruner, request.base.objective)
    except UserError:
        st.caption("This command measures each linear alone, and whatever else of this profile is not stored yet.")
        frame.command(measuring(profile, request.base.pruner))


def measuring(profile: Profile, pruner: str) -> str:
    """`python -m core measure ...`: everything that the profile holds, and each linear pruned alone."""
    asked = remake.as_told(profile.entry)
    alone = [ResidualLinear(pruner=pruner, sparsity=sparsity, linear=EACH) for sparsity in MEASURED_ALONE]
    text = asked.text.model_copy(update={"source": absolute(asked.text.source)})
    both = (*asked.measurements, *measurements(alone))
    request = asked.model_copy(update={"model": absolute(asked.model), "text": text, "measurements": both})
    return command_line(request, "auto", Store().elsewhere)
