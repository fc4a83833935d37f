"""What cannot be done for want of something is said on the page, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.specs.errors import UserError
from core.specs.plain import plain
from core.specs.shortages import shortage


@contextmanager
def said() -> Iterator[None]:
    """A block that a refusal, or a full or closed disk, ends with a sentence; any other error is a bug and goes on."""
    try:
        yield
    except (UserError, OSError) as error:
        sentence = str(error) if isinstance(error, UserError) else shortage(error)
        if sentence is None:
            raise
        st.error(plain(sentence))
