"""Packs from other machines: checked, then put into the cache."""

from __future__ import annotations

import streamlit as st

from core.base import access
from core.base.errors import UserError
from core.store.cache import VIEW_KINDS, Store
from core.store.packs import unpack
from pages.ui import frame
from pages.ui.runs import acting

ABOUT = (
    "A pack is a zip of results, written by this page or by `python -m core runs export`. Names, sizes, hashes and "
    "arrays are checked before anything is written. Nothing in it is executed."
)


def show(store: Store) -> None:
    """The upload, what came of it, and links to what was imported."""
    if access.is_read_only() or access.is_shared():
        st.info("Packs are imported by whoever runs this server, on its command line.")
        return
    st.markdown(ABOUT)
    uploaded = st.file_uploader(
        f"A pack, up to {st.get_option('server.maxUploadSize')} MB",
        type="zip",
        key="pack",
        help="Larger ones: python -m core runs import FILE.zip",
    )
    if uploaded is None:
        return
    last, found = st.session_state.get("imported", (None, None))
    if last != uploaded.file_id:
        found = take_in(store, uploaded.getvalue())
        st.session_state["imported"] = uploaded.file_id, found
    _told(store, found)


def take_in(store: Store, content: bytes) -> str | list[tuple[str, bool]]:
    """Unpack into the store: one sentence on what is wrong, or the keys and whether each was there before."""
    known = {entry.key for kind in VIEW_KINDS for entry in store.entries(kind)}
    try:
        return [(entry.key, entry.key in known) for entry in unpack(store, content)]
    except UserError as error:
        return str(error)


def _told(store: Store, found: str | list[tuple[str, bool]]) -> None:
    if isinstance(found, str):
        frame.error(found)
        return
    for key, already in found:
        try:
            entry = store.by_key(key)
        except UserError:  # deleted since
            continue
        state = "was here already" if already else "imported"
        with st.container(border=True):
            st.markdown(f":green-badge[{state}] {acting.noun(entry)} `{entry.key}`")
            st.text(acting.title(entry))
            acting.link(store, entry)
