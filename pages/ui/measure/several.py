"""Several of many: a list to pick from, and what is picked below it, each taken away by a click.

Not a multiselect, whose white words on the dark theme's accent cannot be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import streamlit as st

from core.base.escape import plain


def pick(
    label: str,
    options: Sequence[str],
    key: str,
    *,
    named: Callable[[str], str] = str,
    briefly: Callable[[str], str] | None = None,
    typed: bool = False,
    placeholder: str,
    help: str | None = None,
) -> None:
    """Draw both; what is picked is the list in the state under `key`, in the order picked.

    Args:
        named: an option as the list shows it; no two alike.
        briefly: as it is shown once picked, where that tells the picked ones apart.
        typed: whether anything else may be typed too.
    """
    picked = st.session_state[key]
    st.selectbox(
        label,
        [each for each in options if each not in picked],
        index=None,
        key=f"{key}-add",
        on_change=_add,
        args=[key],
        format_func=named,
        accept_new_options=typed,
        placeholder=placeholder,
        help=help,
    )
    st.session_state[f"{key}-kept"] = picked
    if picked:
        shown = _shown(picked, named, briefly or named)
        st.pills(
            f"{label}: picked",
            picked,
            selection_mode="multi",
            key=f"{key}-kept",
            on_change=_keep,
            args=[key],
            format_func=lambda each: f":material/close: {plain(shown[each])}",
            label_visibility="collapsed",
        )


def _shown(picked: Sequence[str], named: Callable[[str], str], briefly: Callable[[str], str]) -> dict[str, str]:
    """A name for each; the browser answers with names, so no two may be alike."""
    brief = Counter(map(briefly, picked))
    return {each: briefly(each) if brief[briefly(each)] == 1 else named(each) for each in picked}


def _add(key: str) -> None:
    added = st.session_state[f"{key}-add"]
    if added and added not in st.session_state[key]:
        st.session_state[key] = [*st.session_state[key], added]
    st.session_state[f"{key}-add"] = None


def _keep(key: str) -> None:
    st.session_state[key] = [each for each in st.session_state[key] if each in st.session_state[f"{key}-kept"]]
