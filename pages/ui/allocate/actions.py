"""Actions on an allocation: prune with it, repeat it elsewhere, evaluate what predicts it."""

from __future__ import annotations

import json

import streamlit as st

from core.ask import grammar
from core.ask.allocations import AllocationRequest
from core.ask.commands import line, request_of
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import sentence
from core.kinds.treatments import Treatment
from core.models import machine, work
from core.plan.spread import Allocation
from core.results import anchors
from core.store.cache import Store
from core.store.profiles import Profile
from pages.ui import buttons, frame, view, watch
from pages.ui.allocate import settings


def section(allocation: Allocation, request: AllocationRequest, profile: Profile) -> None:
    """The link to Prune, the command that prints the same numbers, and a file of them.

    Args:
        allocation: as on screen, with layers set by hand.
        request: as it was chosen.
    """
    st.header("Export allocation", anchor=False)
    query = view.url() | {settings.WORD: grammar.write(request)}
    st.page_link("prune.py", label="Prune with this allocation", icon=":material/content_cut:", query_params=query)
    st.caption("This command prints the same numbers.")
    file = f"{profile.entry.key[:6]}-allocation.json"
    file_or_request = file if allocation.request.base.by_hand else allocation.request
    how = {"profile": profile.entry.key, "allocation": file_or_request}
    frame.command(line("allocate", **how, cache=Store().elsewhere))
    st.download_button("JSON", written(allocation, profile), file, "application/json", key="json", on_click="ignore")


def written(allocation: Allocation, profile: Profile) -> str:
    """An allocation as `--allocation FILE` reads it, and where it comes from."""
    told = {"profile": profile.entry.key, "model": profile.provenance.get("model")}
    told |= {"request": allocation.request.model_dump(mode="json"), "budget": allocation.budget}
    return json.dumps(told | {"sparsity": allocation.exact.tolist()}, indent=1)


def evaluate_anchors(why: str, treatment: Treatment, profile: Profile) -> None:
    """Why nothing is predicted and, where curves are there, a button that evaluates what would be learned from."""
    st.info(plain(sentence(why)), icon=":material/info:")
    try:
        asked = anchors.study(profile, treatment, request_of("anchors"))
        cost = work.words(work.estimate(asked, Store(), machine.devices()[0]))
    except UserError:  # no curves, or no such model here: said above and on Measure
        return
    buttons.button(
        "Evaluate anchors", watch.begin, [asked, machine.devices()[0]], icon=":material/play_arrow:", key="anchors"
    )
    st.caption(f"{len(asked.points)} points on the demo text. {cost}")
