"""Widgets of requests, each kept equal to the URL. Labels, helps and ranges are those of the request's fields."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import streamlit as st

from core.base import Spec, UserError, capital, checked, unique
from core.models import machine
from core.requests import WindowRequest
from core.requests.parsing import absolute
from pages.ui import url_state

Option = TypeVar("Option")
TEXTS = {
    "demo": "Demo text, calibration half",
    "allenai/c4": "allenai/c4, from the Hub",
    "Salesforce/wikitext": "Salesforce/wikitext, from the Hub",
}
TYPED = "Choose one, or type file:PATH (.txt, .raw, .jsonl, .parquet) or the id of a Hub dataset."


def about(of: type[Spec], name: str) -> str:
    """The help of a request's field, as a sentence."""
    return f"{capital(of.model_fields[name].description)}."


def number(of: type[Spec], name: str, key: str, usual: int, place: Any = st, **more: Any) -> int:
    """A whole number of a request.

    Args:
        of: the request.
        name: its field, which tells the label, the help and the range.
        more: what takes the place of these, as `st.number_input` calls it.
    """
    field = of.model_fields[name]
    least, most = (next(getattr(each, end) for each in field.metadata if hasattr(each, end)) for end in ("ge", "le"))
    how = {"label": field.title, "min_value": least, "max_value": most, "step": max(least, 1), "help": about(of, name)}
    how |= more
    value = url_state.whole_number(key, usual, range(how["min_value"], most + 1))
    place.number_input(key=key, **how)
    return value


def words(label: str, key: str, usual: str = "", place: Any = st, **more: Any) -> str:
    """A line of text, as typed."""
    typed = url_state.text(key, usual)
    place.text_input(label, key=key, **more)
    return typed


def switch(label: str, options: Mapping[str, str], key: str, usual: str, **more: Any) -> str:
    """One of a few, all in sight."""
    chosen = url_state.sync(key, list(options), usual)
    url_state.switch(label, options, key, **more)
    return chosen


def checkbox(label: str, key: str, place: Any = st, **more: Any) -> bool:
    """A box, empty at first."""
    ticked = url_state.sync(key, [False, True], False)
    place.checkbox(label, key=key, **more)
    return ticked


def choice(label: str, options: Mapping[Option, str], key: str, usual: Option, place: Any = st, **more: Any) -> Option:
    """One of a list that opens."""
    chosen = url_state.sync(key, list(options), usual)
    place.selectbox(label, list(options), key=key, format_func=options.get, **more)
    return chosen


def alike(options: Iterable[str]) -> dict[str, str]:
    """Options that are called what they are."""
    return {each: each for each in options}


def device(place: Any = st) -> str:
    """One of this machine's devices."""
    devices = machine.devices()
    return choice("Device", alike(devices), "device", devices[0], place)


def source(label: str, options: Mapping[str, str], key: str, usual: str, place: Any = st, help: str = TYPED) -> str:
    """A text: one of those known, or another as typed."""
    typed = url_state.text(key, usual)
    place.selectbox(
        label,
        unique([*options, typed]),
        key=key,
        format_func=lambda each: options.get(each, each),
        accept_new_options=True,
        help=help,
    )
    return typed


def windows(
    label: str, options: Mapping[str, str], key: str, prefix: str, usual: WindowRequest
) -> Callable[[], WindowRequest]:
    """A text and how much of it; what was typed is read when it is called, so that a mistake hides no widget.

    Args:
        prefix: begins the keys of its amounts.
    """
    text = source(label, options, key, usual.source)
    left, middle, right = st.columns(3)
    documents = words(
        "Documents", f"{prefix}documents", "", left, placeholder="all of them", help=about(WindowRequest, "documents")
    )
    count = number(WindowRequest, "sequences", f"{prefix}windows", usual.sequences, middle)
    length = number(WindowRequest, "length", f"{prefix}length", usual.length, right)
    return lambda: window(text, documents, count, length)


def window(text: str | None, documents: str, count: int, length: int) -> WindowRequest:
    """A text as typed.

    Raises:
        UserError: no text, or no such range of documents.
    """
    if not (text or "").strip():
        raise UserError("the text is empty: choose or type one")
    where, chosen = absolute(text.strip()), documents.strip() or None
    return checked(WindowRequest, source=where, documents=chosen, sequences=count, length=length)
