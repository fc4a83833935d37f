"""A chart on a page: title, figure with its text alternative, finding, numbers, download."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import pandas as pd
import streamlit as st

from core.base.errors import UserError, shortage
from core.base.escape import plain
from core.base.formats import sentence
from core.show import words
from core.show.figures import Chart
from pages.ui import view
from pages.ui.live import figure

SHARES = (
    "target",
    "zeros",
    "agreement",
    "zeros, mean of linears",
)  # columns of fractions that are written in per cent, as sentences write them
PER_CENT = "%.4g %%"


# The buttons of a chart come below it, where no label is; a finger, which cannot hover, has none of them in its way.
# What is still being fetched is no empty box: a chart says so, and all else keeps its place unseen.
# A script takes no room, nor what waits for another theme.
# What is told in several lines has nothing beside it.
# A button that is a sentence is set as one.
# What is picked of many is written in the page's own colours: the accent's are too pale on the dark theme.
# What a narrow field cuts off is seen to go on; the name on a card is never cut off.
# A perplexity that answers a page is large, with its change beside it; nothing of it is cut off.
# A command is coloured as its text, for the usual colours are too pale; an option is never broken after a hyphen.
STYLE = """
[data-testid="stSkeleton"] { background: none !important; animation: none !important; }
.stPrintGraphic > [data-testid="stSkeleton"]::after { content: "Drawing the chart…"; }
.js-plotly-plot .modebar-container { top: auto !important; bottom: 0; }
.js-plotly-plot .modebar { top: auto !important; bottom: 2px; }
[data-testid="stElementContainer"]:has(> [data-testid="stHtml"] > script:only-child) { display: none; }
[data-testid="stLayoutWrapper"]:has(> .st-key-theme) { position: absolute; }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-whole-line-"]) { flex-basis: 100%; }
[data-testid="stPopoverButton"] p { text-align: left; }
[data-testid="stTextInput"] input { text-overflow: ellipsis; }
[data-testid="stMultiSelect"] [data-tag] { color: inherit; border: 1px solid; max-width: 100%; }
[data-testid="stMultiSelect"] [data-tag] { background: color-mix(in srgb, currentColor 8%, transparent); }
[class*="st-key-card-"] [data-testid="stPageLink"] * { white-space: normal; }
[data-testid="stMetric"] > div { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; }
[data-testid="stMetricLabel"] { flex-basis: 100%; }
[data-testid="stMetricValue"] { font-size: 48px; line-height: 1.2; }
[data-testid="stMetric"] p, [data-testid="stMetric"] [data-testid] { white-space: normal; }
[data-testid="stCode"] .token { color: inherit !important; }
[data-testid="stCode"] .token.parameter { white-space: nowrap; }
@media (hover: none) { .js-plotly-plot .modebar { display: none !important; } }
"""


def style() -> None:
    """Write the styles of all pages, once a run."""
    st.html(f"<style>{STYLE}</style>")


def is_first_paint() -> bool:
    """True while a page is drawn down to its live picture only; the rest follows once the browser shows that.

    A browser spends seconds on loading what it draws charts and tables with, and shows nothing meanwhile. A live
    picture needs neither.
    """
    return st.session_state.get("page") not in st.session_state.get("painted", ())


def go_on() -> None:
    """The live picture stands: from now on this page is drawn whole. A component's callback."""
    st.session_state["painted"] = {*st.session_state.get("painted", ()), st.session_state.get("page")}


def live(shown: figure.Figure, at: Mapping[str, int] | None = None) -> None:
    """Draw the live picture that a page begins with, below its name where it stands beside a chart.

    Args:
        at: as `figure.draw` takes it.
    """
    view.write()
    if shown.first and not (shown.lead or shown.hero):
        _name(shown.title)
    figure.draw(shown, view.look(), go_on if is_first_paint() else None, at)


def to_top(name: str) -> None:
    """Scroll the page to its beginning, once for each name, even where the browser runs the script again."""
    scroll = "document.querySelector('[data-testid=stMain]').scrollTo(0, 0)"
    script = f"if (window.begun !== {json.dumps(name)}) {{ window.begun = {json.dumps(name)}; {scroll} }}"
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


def show(chart: Chart, prefix: str, key: str, on_select: Callable[[], None] | None = None, brief: bool = False) -> None:
    """Draw a chart whole.

    Args:
        prefix: begins the names of downloaded files; says what the numbers are of.
        key: of the figure; selected points are in the state under it.
        on_select: called when a point is clicked.
        brief: with a small heading, its finding as a caption: beside a live picture, which has none of its own.
    """
    view.write()
    if brief:
        _name(chart.title)
    else:
        st.header(plain(chart.title), anchor=False)
    name = file(prefix, chart.name)
    st.plotly_chart(
        chart.figure,
        key=key,
        alt=chart.alt,
        on_select=on_select or "ignore",
        selection_mode="points",
        config={"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": name}},
    )
    (st.caption if brief else st.markdown)(plain(chart.finding))
    numbers(chart.table, chart.title, name, key)


def _name(title: str) -> None:
    """The heading of one of two pictures beside each other."""
    st.markdown(f"**{plain(title)}**")


def show_table(table: pd.DataFrame, alt: str, columns: dict | None = None, **more: object) -> None:
    """A table whose columns have as many digits as they need, unless one says otherwise, and a dash for no number."""
    numeric = table.select_dtypes("float")
    table = table.assign(**{name: 100 * table[name] for name in SHARES if name in numeric})
    formats = {name: PER_CENT if name in SHARES else words.column(table[name].to_numpy()) for name in numeric}
    numbers = {name: st.column_config.NumberColumn(format=written) for name, written in formats.items()}
    shown = {"hide_index": True, "column_config": numbers | (columns or {}), "placeholder": "–"} | more
    st.dataframe(table, alt=alt, **shown)


def link(page: str, label: str, query: dict[str, str] | None = None) -> None:
    """A way on to a page."""
    st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=query)


def to_prune(label: str, part: str, **query: str) -> None:
    """A way on to a part of the Prune page, which keeps its view where it is the one on screen."""
    link("prune.py", label, view.here("prune.py") | {"part": part} | query)


def error(said: object) -> None:
    """Show an error as a sentence."""
    st.error(plain(sentence(said)))


@contextmanager
def shortages() -> Iterator[None]:
    """Say in a sentence why what is inside cannot be drawn: its cache is a file, its memory is full, a result lies."""
    try:
        yield
    except Exception as trouble:
        said = str(trouble) if isinstance(trouble, UserError) else shortage(trouble)
        if said is None:
            raise
        error(said)


def nothing(said: str, page: str, label: str, query: dict[str, str] | None = None) -> None:
    """Say why there is nothing to see, and link to where that is changed."""
    st.info(said)
    link(page, label, query)


def bullets(lines: Iterable[str]) -> None:
    """Sentences, one below the other."""
    st.markdown("\n".join(f"- {plain(each)}" for each in lines))


def file(prefix: str, name: str) -> str:
    """A name for a downloaded file: perturbations are written with signs that files cannot carry everywhere."""
    return f"{prefix}-{name}".replace(":", "-").replace("@", "-")


def command(line: str) -> None:
    """A command line to paste, which is broken between words alone."""
    st.code(line, "bash", wrap_lines=True)


def commands(steps: Iterable[tuple[str, str]]) -> None:
    """Command lines and files that do the same, folded away, each with what it is."""
    with st.expander("The same on the command line"):
        for about, text in steps:
            st.caption(about)
            command(text)


def numbers(table: pd.DataFrame, about: str, file: str, key: str) -> None:
    """The data of a picture, folded away, with a download."""
    with st.expander("Numbers"):
        show_table(table, f"Numbers of: {about}", height=240)
        download(lambda: table.to_csv(index=False), file, key)


def download(csv: Callable[[], str], file: str, key: str) -> None:
    """A table to take along, made when it is asked for."""
    st.download_button("Download CSV", csv, f"{file}.csv", "text/csv", key=f"{key}-csv", on_click="ignore")
