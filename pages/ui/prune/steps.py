"""The three steps of the prune page, and the views that each of them has."""

from __future__ import annotations

import streamlit as st

from pages.ui import view

VIEWS = {
    "choose": {"choose": "Allocation in view", "best": "Search for the best setting"},
    "cost": {"results": "Results", "evaluate": "Evaluate", "writing": "Generated text"},
    "export": {"export": "Export to a folder"},
}
STEPS = {"choose": "1 · Choose", "cost": "2 · Cost", "export": "3 · Export"}
ABOUT = {
    "choose": "Step 1 of 3: choose how much of each layer to prune, and how.",
    "cost": "Step 2 of 3: see what pruning costs in perplexity.",
    "export": "Step 3 of 3: write the pruned model to a folder.",
}
NEXT = {"choose": ("results", "Next: see what it costs"), "cost": ("export", "Next: export the pruned model")}
STEP_OF = {part: step for step, views in VIEWS.items() for part in views}


def choose(usual: str) -> str:
    """Draw where the reader is, and return the view; one row for the steps, one for the views of a step."""
    part = view.sync("part", list(STEP_OF), usual)
    step = STEP_OF[part]
    st.session_state["step"] = step
    st.segmented_control(
        "Step",
        list(STEPS),
        key="step",
        format_func=STEPS.get,
        required=True,
        on_change=_go,
        label_visibility="collapsed",
    )
    st.caption(ABOUT[step])
    st.segmented_control(  # also where there is one view: a choice without its widget is lost when a run is cut short
        "View",
        list(VIEWS[step]),
        key="part",
        format_func=VIEWS[step].get,
        required=True,
        label_visibility="collapsed",
    )
    return part


def _go() -> None:
    """Another step opens at the first of its views."""
    st.session_state["part"] = next(iter(VIEWS[st.session_state["step"]]))


def onward(part: str) -> None:
    """The way to the next step."""
    if STEP_OF[part] in NEXT:
        to, label = NEXT[STEP_OF[part]]
        st.button(
            label, icon=":material/arrow_forward:", key="onward", on_click=st.session_state.update, kwargs={"part": to}
        )
