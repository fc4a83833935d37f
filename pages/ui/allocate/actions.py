"""Actions on an allocation: prune with it, repeat it elsewhere, evaluate what predicts it."""

import json

import streamlit as st

from core.ask import AllocationRequest, grammar
from core.ask.commands import line, request_of
from core.base import UserError, duration, plain, sentence
from core.kinds import Treatment
from core.models import machine, work
from core.plan.spread import Allocation
from core.results import anchor_studies, anchors
from core.store import Profile, Store
from pages.ui import frame, view, watch
from pages.ui.allocate import settings


def section(allocation: Allocation, request: AllocationRequest, profile: Profile) -> None:
    """The link to Prune, the command that prints the same numbers, and a file of them.

    Args:
        allocation: as on screen, with layers set by hand.
        request: as it was chosen.
    """
    frame.header("Export allocation")
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


def evaluate_anchors(why: UserError, treatment: Treatment, profile: Profile) -> None:
    """Why nothing is predicted and, where settings to learn from are missing, a button that evaluates them."""
    if not isinstance(why, anchors.TooFew):
        st.info(plain(sentence(why)), icon=":material/info:")
        return
    said = f"Nothing is predicted for {treatment.label} yet: that takes four settings evaluated with it."
    st.info(plain(said), icon=":material/info:")
    device = machine.devices()[0]
    try:
        asked = anchor_studies.study(profile, treatment, request_of("anchors"))
        cost = work.estimate(asked, Store(), device)
    except UserError:  # no such model here: said on Measure
        return
    label = f"Evaluate four settings{f', about {duration(cost.seconds)}' if cost else ''}"
    about = plain(f"{sentence(why)} {len(asked.points)} points on the demo text: {work.words(cost)}")
    frame.button(label, watch.begin, [asked, device], icon=":material/play_arrow:", key="anchors", help=about)
