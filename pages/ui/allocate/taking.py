"""What to do with an allocation: prune with it, repeat it elsewhere, measure what it lacks."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.ask import grammar
from core.ask.allocations import AllocationRequest
from core.ask.commands import Allocating, command_line
from core.ask.measurements import MeasureRequest, measurements
from core.ask.perturbations import EACH
from core.ask.texts import WindowRequest
from core.ask.typed import absolute
from core.base.errors import UserError
from core.export import recipes
from core.kinds import BASE_LABELS, ResidualLinear
from core.kinds.response import Response
from core.kinds.treatments import PRUNERS
from core.plan import responses
from core.plan.estimates import judge_of
from core.plan.responses import Judge
from core.plan.spread import Allocation
from core.show.figures import labels
from core.store.cache import Entry, Store
from core.store.profiles import Profile
from pages.ui import frame, subject, view
from pages.ui.allocate import hand, settings
from pages.ui.allocate.spread import judged

NO_PRUNING = (
    "Unclipped numbers are for comparison only. Switch them off to prune with an allocation that keeps its budget."
)
MEASURED_ALONE = (0.5, 0.7, 0.9)


def section(allocation: Allocation, request: AllocationRequest, profile: Profile, judge: Judge, prefix: str) -> None:
    """The way to Prune, the command that prints the same numbers, and files for other tools.

    Args:
        allocation: as on screen, with layers set by hand.
        request: as it was chosen.
    """
    st.header("Export allocation", anchor=False)
    on_to_prune(request)
    st.caption("This command prints the same numbers.")
    taken_along(allocation, profile, judge, prefix)


def taken_along(allocation: Allocation, profile: Profile, judge: Judge, prefix: str) -> None:
    """The command that makes the same, and files for other tools."""
    request = allocation.request
    frame.command(command(request, profile, judge))
    found = judged(allocation.exact[None], profile, judge)
    told = {judge.harm: None if found is None or np.isnan(found[0]) else float(found[0]), "pruner": judge.pruner}
    about = f"{labels.source(profile)}: {BASE_LABELS[request.base.kind]}, budget {allocation.budget:.6f}"
    with st.container(horizontal=True):
        _download("JSON", recipes.as_json(allocation, profile, told), f"{prefix}-allocation.json", "application/json")
        if request.unclipped:
            return
        names = profile.provenance.get("linears", []) if allocation.linears is not None else []
        for pruner, row in PRUNERS.items():
            if row.modifier:
                recipe = recipes.llm_compressor(allocation.exact, row.modifier, about, names)
                file = f"{prefix}-recipe-{pruner}.yaml"
                _download(f"llm-compressor recipe, {row.label}", recipe, file, "application/yaml")


def on_to_prune(request: AllocationRequest) -> None:
    """The way to the page that prunes with the allocation in view."""
    if request.unclipped:
        st.caption(NO_PRUNING)
        return
    link = view.url() | {settings.ALLOCATION.key: grammar.write(request)}
    if not hand.allowed(request):
        link.pop("hand", None)
    st.page_link("prune.py", label="Prune with this allocation", icon=":material/content_cut:", query_params=link)


def command(request: AllocationRequest, profile: Profile, judge: Judge) -> str:
    """`python -m core allocate ...` that prints the same numbers, the estimate of this harm among them."""
    other = None if judge.pruner == judge_of(request, profile) else judge.pruner
    asked = Allocating(profile=profile.entry.key, allocation=request, judge=judge.harm, judge_pruner=other)
    return command_line(asked, cache=Store().elsewhere)


def _download(label: str, content: str, file: str, mime: str) -> None:
    st.download_button(label, content, file, mime, key=f"download-{label}", on_click="ignore")


def to_measure(request: AllocationRequest, profile: Profile) -> None:
    """Where a budget per linear finds what it looks at, if the profile lacks it: another profile, or a command."""
    if not request.base.per_linear or _holds(profile, request.base):
        return
    entries = list(Store().entries("profile"))
    other = next(
        (each for each in entries if _may_hold(each, profile) and _holds(subject.load(each.key), request.base)), None
    )
    if other:
        label = f"Each linear is measured alone in {subject.names(entries)[other.key]}"
        frame.link("allocate.py", label, view.url() | {"profile": other.key})
    st.caption("This command measures each linear alone, and whatever else of this profile is not stored yet.")
    frame.command(measuring(profile, request.base.pruner))


def _may_hold(entry: Entry, profile: Profile) -> bool:
    """Whether it is a profile of the same model in which any linear was pruned alone."""
    alone = any(each.perturbation.prunes == "linear" for each in entry.spec.measurements)
    return alone and entry.spec.model == profile.spec.model


def _holds(profile: Profile, base: Response) -> bool:
    try:
        responses.measured_linears(profile, base.pruner, base.objective)
    except UserError:
        return False
    return True


def measuring(profile: Profile, pruner: str) -> str:
    """`python -m core measure ...`: everything that the profile holds, and each linear pruned alone."""
    told, text = profile.provenance, profile.spec.text
    alone = [ResidualLinear(pruner=pruner, sparsity=sparsity, linear=EACH) for sparsity in MEASURED_ALONE]
    request = MeasureRequest(
        model=absolute(str(told.get("model_source", "demo"))),
        revision=told.get("revision"),
        dtype=profile.spec.model.dtype,
        text=WindowRequest(
            source=absolute(str(told.get("text_source", "demo"))),
            documents=told.get("documents"),
            sequences=text.sequences,
            length=text.length,
            bos=text.bos,
        ),
        measurements=measurements([*(each.perturbation.told(told) for each in profile.spec.measurements), *alone]),
    )
    return command_line(request, "auto", Store().elsewhere)
