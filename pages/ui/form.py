"""The form engine: widgets of requests, each kept equal to the URL.

`fields` draws the fields of any request: label, help, range, options and placeholder are those of the field.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, repeat
from typing import Any, TypeVar, get_args

import streamlit as st

from core.base import Spec, UserError, capital, checked, escape_markdown, unique
from core.models import machine
from core.requests import WindowRequest, absolute
from pages.ui import choices

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


def fields(
    of: type[Spec],
    keys: Mapping[str, str] | Iterable[str],
    prefix: str = "",
    usual: Spec | None = None,
    places: Iterable[Any] = (),
    **more: Mapping[str, Any],
) -> dict[str, Any]:
    """Draw fields of a request; return their values by name.

    Args:
        keys: field -> key of its widget; or fields whose keys are their names.
        prefix: begins all keys.
        usual: holds the values that the widgets open with; None: the defaults.
        places: one for each field.
        more: what differs from the field, as the widget takes it, by field; `usual` is the value it opens with.
    """
    named = keys.items() if isinstance(keys, Mapping) else ((each, each) for each in keys)
    drawn = {}
    for (name, key), place in zip(named, chain(places, repeat(st)), strict=False):
        how = {"usual": getattr(usual, name, of.model_fields[name].default)} | more.get(name, {})
        drawn[name] = _field(of, name, prefix + key, place, **how)
    return drawn


def _field(of: type[Spec], name: str, key: str, place: Any, usual: Any, **more: Any) -> Any:
    """A box, a list, a number or a line of text, as the type of the field says."""
    field = of.model_fields[name]
    options = [each for each in get_args(field.annotation) if isinstance(each, str)]
    ends = {end: getattr(each, end) for each in field.metadata for end in ("ge", "le") if hasattr(each, end)}
    how = {"label": field.title or capital(name), "help": field.description and about(of, name)} | more
    if field.annotation is bool:
        return checkbox(key=key, place=place, **how)
    if len(options) == 2:
        return options[checkbox(key=key, place=place, **how)]
    if options:
        return choice(options=alike(options), key=key, usual=usual, place=place, **how)
    if ends:
        how = {"min_value": max(0, int(ends["ge"])), "max_value": ends["le"]} | how
        value = choices.sync(key, range(how["min_value"], how["max_value"] + 1), usual)
        place.number_input(key=key, step=max(how["min_value"], 1), **how)
        return value
    return words(key=key, usual=usual or "", place=place, placeholder=(field.examples or [None])[0], **how).strip()


def words(label: str, key: str, usual: str = "", place: Any = st, **more: Any) -> str:
    """A line of text, as typed."""
    typed = choices.text(key, usual)
    place.text_input(label, key=key, **more)
    return typed


def switch(label: str, options: Mapping[str, str], key: str, usual: str, **more: Any) -> str:
    """One of a few, all in sight."""
    chosen = choices.sync(key, list(options), usual)
    segments(label, options, key, **more)
    return chosen


def segments(label: str, options: Mapping[str, str], key: str, **more: Any) -> None:
    """The widget of `switch` alone, of a choice that was read before."""
    named = {value: escape_markdown(words) for value, words in options.items()}
    st.segmented_control(label, list(options), key=key, format_func=named.get, required=True, **more)


def checkbox(label: str, key: str, place: Any = st, **more: Any) -> bool:
    """A box, empty at first."""
    ticked = choices.sync(key, [False, True], False)
    place.checkbox(label, key=key, **more)
    return ticked


def choice(label: str, options: Mapping[Option, str], key: str, usual: Option, place: Any = st, **more: Any) -> Option:
    """One of a list that opens."""
    chosen = choices.sync(key, list(options), usual)
    place.selectbox(label, list(options), key=key, format_func=options.get, **more)
    return chosen


def alike(options: Iterable[str]) -> dict[str, str]:
    """Options that are called what they are."""
    return {each: each for each in options}


def device(place: Any = st) -> str:
    """One of this machine's devices."""
    devices = machine.devices()
    return choice("Device", alike(devices), "device", devices[0], place)


def source(
    label: str, options: Mapping[str, str], key: str, usual: str, place: Any = st, help: str = TYPED, **more: object
) -> str:
    """One of the options, or another as typed. more: of the widget, as `on_change`."""
    typed = choices.text(key, usual)
    place.selectbox(
        label,
        unique([*options, typed]),
        key=key,
        format_func=lambda each: options.get(each, each),
        accept_new_options=True,
        help=help,
        **more,
    )
    return (typed or "").strip()


def windows(
    label: str, options: Mapping[str, str], key: str, prefix: str, usual: WindowRequest
) -> Callable[[], WindowRequest]:
    """A text and how much of it; what was typed is read when it is called, so that a mistake hides no widget.

    Args:
        prefix: begins the keys of its amounts.
    """
    text = source(label, options, key, usual.source)
    keys = {"documents": "documents", "sequences": "windows", "length": "length"}
    amounts = fields(WindowRequest, keys, prefix, usual, st.columns(3))
    return lambda: window(text, **amounts)


def window(text: str, documents: str = "", **amounts: int) -> WindowRequest:
    """A text as typed.

    Raises:
        UserError: no text, or no such range of documents.
    """
    if not text:
        raise UserError("the text is empty: choose or type one")
    return checked(WindowRequest, source=absolute(text), documents=documents or None, **amounts)
