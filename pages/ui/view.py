"""Each choice on a page, held equal to the URL so that a link restores it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException

from core.base.errors import UserError
from core.base.escape import plain
from core.show import figures

Option = TypeVar("Option")
Value = TypeVar("Value", str, int, list[str])
# Runs of a page after which its widgets hold their values by themselves. In the first a widget's value is still that of
# the page before; a second follows at once where the browser finds its theme dark, and shows what that run alone sets.
SETTLED = 3
BEHIND = 8  # URLs that a browser may still have when it sends what was chosen


def enter(page: str) -> None:
    """Note which page runs: another page begins with a bare URL, which then means nothing."""
    st.session_state["url"], st.session_state["words"] = {}, {}
    moved = st.session_state.get("page") != page
    st.session_state["moved"] = moved
    st.session_state["runs"] = 1 if moved else st.session_state.get("runs", 0) + 1
    st.session_state["page"] = page
    if moved or st.session_state["runs"] > SETTLED:
        st.session_state["unheeded"] = []
    for said in st.session_state["unheeded"]:
        st.warning(said)
    if moved:
        st.session_state["replaced"] = []
    elif _outrun():
        st.query_params.from_dict(st.session_state["asked"])


def unheeded(said: str) -> None:
    """Warn of what a link asks for and does not get, once, and again in the runs that draw the page whole."""
    if said not in st.session_state["unheeded"]:
        st.session_state["unheeded"].append(said)
        st.warning(said)


def _outrun() -> bool:
    """Whether a choice was sent before the browser had heard of the URL that an earlier run wrote.

    It then comes with the replaced URL, as the back button does; but the back button changes no widget.
    """
    if st.query_params.to_dict() not in st.session_state.get("replaced", []):
        return False
    memory = st.session_state.get("view", {})
    return any(key in st.session_state and st.session_state[key] != value for key, (_, value) in memory.items())


@dataclass(frozen=True)
class Word:
    """Several choices that are one word in the URL. A link with a parameter for each is read too, and then rewritten.

    Attributes:
        parts: keys of the choices.
        read: the word -> the text of each choice that it tells; what it does not tell is as usual.
        write: choices, as values or as text -> the word.
    """

    key: str
    parts: tuple[str, ...]
    read: Callable[[str], dict[str, str]]
    write: Callable[[Mapping[str, object]], str]

    @property
    def asked(self) -> str | None:
        """As the URL says it."""
        return st.query_params.get(self.key)

    @property
    def told(self) -> dict[str, str]:
        """The text of each choice that the URL tells, by the word or by itself."""
        alone = {key: text for key, text in st.query_params.to_dict().items() if key in self.parts}
        try:
            return (self.read(self.asked) if self.asked is not None else {}) | alone
        except UserError as error:
            unheeded(f"The link asks for {self.key} {plain(repr(self.asked))}: {plain(error)}.")
            return alone

    @property
    def linked(self) -> bool:
        """Whether a link or the back button put it into the URL."""
        last, _ = st.session_state["view"].get(self.key, (None, None))
        return self.asked not in (None, last)

    def changed(self, chosen: Mapping[str, object], usual: bool) -> dict[str, tuple[str | None, object]]:
        """What a run's choices change in the URL."""
        text: str | None = self.write(self.told | chosen)
        text = None if usual and text != self.asked else text
        found = {key: (None, None) for key in self.parts if key in st.query_params}
        return found if text == self.asked else found | {self.key: (text, None)}

    def remember(self, chosen: Mapping[str, object], told: Mapping[str, str]) -> None:
        """Note what the URL says now; a choice that it leaves out keeps its value for when it is drawn again."""
        memory = st.session_state["view"]
        text = self.asked
        said = {} if text is None else self.read(text)
        for key in self.parts:
            _, last = memory.get(key, (None, None))
            memory[key] = (said.get(key), chosen.get(key, told.get(key) if last is None else last))
        memory[self.key] = (text, None)


def sync(
    key: str,
    options: Sequence[Option],
    default: Option,
    aliases: Mapping[str, Option] | None = None,
    drawn: bool = True,
    word: Word | None = None,
    spell: Callable[[Option], str] = str,
    named: bool = False,
) -> Option:
    """The value of widget `key`, set before the widget is drawn and written to the URL unless it is the default.

    A URL that changed (a link, the back button) wins, then the widget, then what this tab last chose. A link may name a
    default, and may call an option by one of its aliases: its words stay in the URL for as long as they are true.

    Args:
        drawn: the widget follows in this run. What is set for one that does not would outlast what it shows later.
        word: of which it is a part.
        spell: an option as the URL says it.
        named: the URL says it also where it is the default, which elsewhere or later is another one.
    """
    known = dict(aliases or {}) | {spell(option): option for option in options}
    memory = st.session_state.setdefault("view", {})
    told = word.told if word else st.query_params
    asked, current = _spelt(told.get(key), known), st.session_state.get(key)
    last_url, last_value = memory.get(key, (None, None))
    last_url, linked = _spelt(last_url, known), word is not None and word.linked
    went_back = asked is None and last_url is not None and not st.session_state.get("moved")
    if asked in known and (asked != last_url or linked):
        value = known[asked]
    elif went_back or (linked and asked is None):
        value = default
    else:
        remembered = known.get(_spelt(last_value, known)) if isinstance(last_value, str) else last_value
        held = [current] if key in st.session_state else []  # None may be an option, and is no choice until drawn
        value = next((each for each in (*held, remembered) if each in options), default)
    unsettled = value is not None and st.session_state.get("runs", SETTLED) < SETTLED  # None set is "choose an option"
    if drawn and (current != value or unsettled):
        st.session_state[key] = value
    holds = asked in known and known[asked] == value
    url = asked if holds else None if value == default and not named else spell(value)
    if word:
        st.session_state["words"].setdefault(word.key, Chosen(word)).add(key, value, value == default)
    elif url == asked:
        memory[key] = (url, value)
    else:
        st.session_state["url"][key] = (url, value)
    if asked is not None and asked not in known and asked != last_url:
        shown = "nothing" if value in (None, "") else value
        lacking = f"{key} {asked!r}, which is none of the choices here: {shown} is shown."
        unheeded(f"The link asks for {plain(lacking)}")
    return value


@dataclass
class Chosen:
    """The choices of a word that a run came by so far."""

    word: Word
    values: dict[str, object] = field(default_factory=dict)
    usual: bool = True  # all of them are

    def add(self, key: str, value: object, usual: bool) -> None:
        self.values[key] = value
        self.usual = self.usual and usual

    @property
    def changed(self) -> dict[str, tuple[str | None, object]]:
        return self.word.changed(self.values, self.usual)


def text(key: str, default: str, valid: Callable[[str], bool] = lambda _: True, drawn: bool = True) -> str:
    """Any text, as typed; what is wrong with it is said where it is read. What is not valid is dropped."""
    return _typed(key, default, lambda typed: str(typed) if valid(str(typed)) else None, drawn)


def whole(key: str, default: int, least: int, drawn: bool = True) -> int:
    """A whole number; others in the URL are dropped."""

    def read(typed: object) -> int | None:
        found = int(typed) if str(typed).isdecimal() else None
        return found if found is not None and found >= least else None

    return _typed(key, default, read, drawn)


def several(key: str, default: list[str], options: Collection[str] | None = None, drawn: bool = True) -> list[str]:
    """Several texts, one in the URL with commas between them.

    Args:
        options: what they may be, and their order; None: anything, in the order chosen.
    """

    def read(typed: object) -> list[str] | None:
        names = typed if isinstance(typed, list) else list(filter(None, str(typed).split(",")))
        if options is None:
            return names
        return [each for each in options if each in names] if set(names) <= set(options) else None

    if key in st.session_state and st.session_state[key] != (ordered := read(st.session_state[key])):
        st.session_state[key] = ordered
    return _typed(key, default, read, drawn, ",".join)


def _typed(
    key: str, default: Value, read: Callable[[object], Value | None], drawn: bool, spell: Callable[[Value], str] = str
) -> Value:
    """A choice whose options are no closed list: the default, and what is there."""
    last = st.session_state.get("view", {}).get(key, (None, None))[1]
    given = [each for each in (st.query_params.get(key), st.session_state.get(key), last) if each is not None]
    found = [value for value in map(read, given) if value is not None]
    return sync(key, [default, *found], default, drawn=drawn, spell=spell)


def url() -> dict[str, str]:
    """The view as the URL says it once this run has ended."""
    changes = _changes()
    kept = {key: value for key, value in st.query_params.to_dict().items() if key not in changes}
    return kept | {key: text for key, (text, _) in changes.items() if text is not None}


def here(page: str) -> dict[str, str]:
    """What a link to a page must repeat of the URL: all of it where the page is the one in view.

    A bare URL on the same page would mean that the reader went back to where nothing was chosen.
    """
    if page.removesuffix(".py") != st.session_state.get("page"):
        return {}
    return {name: value for name, value in url().items() if name != "job"}


def _changes() -> dict[str, tuple[str | None, object]]:
    found = dict(st.session_state.get("url", {}))
    for chosen in st.session_state.get("words", {}).values():
        found |= chosen.changed
    return found


def write() -> None:
    """Bring the URL up to what the widgets hold so far: in one step, for each is an entry in the browser's history.

    Call it before anything that takes long or that answers by itself: a run that begins before the browser has heard of
    the new URL brings the old one, and with it the old values.
    """
    changes, asked = _changes(), st.query_params.to_dict()
    linked = asked != st.session_state.get("asked") and not st.session_state.get("moved")
    words = [(each, each.word.told) for each in st.session_state.get("words", {}).values()]
    if changes or linked:  # a link to the page in view tells the script what it asks for, but not the address bar
        st.query_params.from_dict(url())
        st.session_state["replaced"] = [*st.session_state.get("replaced", []), asked][-BEHIND:]
        st.session_state.setdefault("view", {}).update(st.session_state["url"])
        st.session_state["url"] = {}
    for each, told in words:
        each.word.remember(each.values, told)
    st.session_state["asked"] = st.query_params.to_dict()


class Ended(Exception):
    """A page is drawn as far as it goes."""


def end() -> NoReturn:
    """End the page here as if this were its last line. `st.stop` would leave the URL as it was, and more.

    The browser forgets every widget that a run did not draw. After `st.stop` Streamlit's own side still knows it, takes
    it for shown when it comes back, and does not tell its value: the browser then shows it empty and answers so.
    """
    raise Ended


@contextmanager
def written() -> Iterator[None]:
    """Write the URL at the end of a page. One that another run cuts short leaves it as that run was told it."""
    try:
        yield
    except Ended:
        pass
    except RerunException:
        st.session_state["url"], st.session_state["words"] = {}, {}
        raise
    finally:
        write()


def _spelt(asked: str | None, known: Mapping[str, object]) -> str | None:
    """A number as the options write it, `3.0` for `3`; anything else as it is."""
    if asked is None or asked in known:
        return asked
    try:
        wanted = float(asked)
    except ValueError:
        return asked
    return next((text for text, option in known.items() if _equals(option, wanted)), asked)


def _equals(option: object, wanted: float) -> bool:
    return isinstance(option, int | float) and not isinstance(option, bool) and abs(option - wanted) < 1e-9


def switch(label: str, options: dict[str, str], key: str, help: str | None = None) -> None:
    """One of a few, all in sight; options are value -> words. Its value is what `sync` returned."""
    named = {value: plain(words) for value, words in options.items()}
    st.segmented_control(label, list(options), key=key, format_func=named.get, required=True, help=help)


def look() -> figures.Palette:
    """Chart colours for the theme the browser shows."""
    return figures.DARK if st.context.theme.type == "dark" else figures.LIGHT
