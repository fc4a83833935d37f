"""Single layers set by hand: `3:0.55,7:0.9` in the URL, a table on the page."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.ask.allocations import AllocationRequest
from core.base.spec import number
from core.plan.spread import Allocation
from core.store.results import Array
from pages.ui import view
from pages.ui.allocate import undo

COLUMN = "by hand"
OPENED = "hand opened"  # in the session: whether the table began in sight, as it does where a link sets layers
TABLE = "hand table"  # in the session: how many there were, and the text that the present one stands for


def read(text: str, layers: int) -> dict[int, float]:
    """Layer -> sparsity.

    Raises:
        ValueError: not such a text, or a layer that is not there.
    """
    found = {}
    for part in filter(None, text.split(",")):
        layer, value = part.split(":")
        found[int(layer)] = float(value)
    if not all(0 <= layer < layers and 0 <= value < 1 for layer, value in found.items()):
        raise ValueError(text)
    return found


def written(hand: Mapping[int, float]) -> str:
    """The text that reads back as the same."""
    return ",".join(f"{layer}:{number(hand[layer])}" for layer in sorted(hand))


def allowed(request: AllocationRequest) -> bool:
    """Whether a layer has one number that the budget can be kept around."""
    return not request.unclipped and not request.base.per_linear


def chosen(layers: int) -> dict[int, float]:
    """What is set by hand, from the session's state or the URL."""

    def valid(text: str) -> bool:
        try:
            return bool(read(text, layers)) or not text
        except ValueError:
            return False

    return read(view.text("hand", "", valid), layers)


def section(allocation: Allocation, now: Array, hand: Mapping[int, float], told: str) -> None:
    """The table under the chart that it moves, with what the change costs and the way back.

    Args:
        now: (layers,) on screen.
        told: what the allocation on screen is estimated to cost.
    """
    with st.expander("Set single layers by hand", expanded=st.session_state.setdefault(OPENED, bool(hand))):
        st.caption("The other layers move together, so that the budget is kept.")
        editor(allocation, now, hand)
        with st.container(horizontal=True, vertical_alignment="center"):
            undo.button("undo-hand")
            st.markdown(told)


def editor(allocation: Allocation, now: Array, hand: Mapping[int, float]) -> None:
    """The table; a number in its last column holds that layer, and clearing it lets the layer go."""
    request = allocation.request
    known = {"base": allocation.base}
    known |= {"corrected": allocation.sparsity} if request.correction.strength else {}
    known |= {"this allocation": now}
    typed = pd.Series([hand.get(layer) for layer in range(len(now))], dtype="float64")
    table = pd.DataFrame({"layer": range(len(now)), **known, COLUMN: typed})
    key = _table(written(hand))
    brief = {"this allocation": "this"}  # leaves a phone room for the column to type in
    values = {name: st.column_config.NumberColumn(brief.get(name), format="%.4f", help=name) for name in known}
    values[COLUMN] = st.column_config.NumberColumn(
        format="%.4f", min_value=request.low, max_value=request.high, step=0.0001, help="Empty: as the method says."
    )
    st.data_editor(
        table,
        alt="Sparsity of each layer, with a column to set it by hand",
        key=key,
        disabled=["layer", *known],
        column_config=values,
        hide_index=True,
        height=320,
        placeholder="",
        on_change=_edited,
        args=(key, dict(hand)),
    )


def _table(text: str) -> str:
    """The key of the table: it stays while all changes are its own, so that the cell in use keeps the focus.

    Another table for numbers from elsewhere, an undo or a link, or the former edits would be laid over them.
    """
    count, known = st.session_state.get(TABLE, (0, None))
    if known != text:
        count += 1
    st.session_state[TABLE] = (count, text)
    return f"hand-{count}"


def _edited(key: str, hand: dict[int, float]) -> None:
    for layer, changed in st.session_state[key]["edited_rows"].items():
        if COLUMN in changed:
            value = changed[COLUMN]
            hand = {k: v for k, v in hand.items() if k != int(layer)}
            hand |= {} if value is None else {int(layer): float(value)}
    st.session_state["hand"] = written(hand)
    count, _ = st.session_state[TABLE]
    st.session_state[TABLE] = (count, written(hand))
