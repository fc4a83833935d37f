"""A chart on a page: title, figure with its text alternative, finding, numbers, download."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core.base import UserError, access, escape_markdown, for_reader, hide_folders, sentence, shortage
from core.show import words
from core.show.figures import Chart
from core.show.figures.style import themed
from pages.ui import glossary, places, url_state
from pages.ui.live import figure

PERCENT_COLUMNS = ("target", "zeros", "agreement", "zeros, mean of linears")  # of fractions, written in per cent
# The chart's own button is hidden, and still saves it.
SAVE_BUTTON = """<button id="save-{0}" class="save">Download SVG</button><script>
document.getElementById("save-{0}").onclick = () => document.querySelector(".st-key-{0} .modebar-btn").click()
</script>"""


def row(align: str = "center", **more: Any) -> Any:
    """A container whose elements stand beside each other as long as there is room."""
    return st.container(horizontal=True, vertical_alignment=align, **more)


def is_first_paint() -> bool:
    """True while a page is drawn down to its live picture only; the rest follows once the browser shows that.

    A browser spends seconds on loading what it draws charts and tables with, and shows nothing meanwhile. A live
    picture needs neither.
    """
    return st.session_state.get("page") not in st.session_state.get("painted", ())


def go_on() -> None:
    """The live picture stands: from now on this page is drawn whole. A component's callback."""
    st.session_state["painted"] = {*st.session_state.get("painted", ()), st.session_state.get("page")}


def live(picture: figure.Figure, at: Mapping[str, int] | None = None) -> None:
    """Draw the live picture that a page begins with.

    A page that is still opening ends with it: the rest follows once the browser shows the picture.

    Args:
        at: as `figure.draw` takes it.
    """
    url_state.write()
    figure.draw(picture, go_on if is_first_paint() else None, at)
    if is_first_paint():
        url_state.end()


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
    url_state.write()
    saved = file(prefix, chart.name)
    head(chart.title, chart.table, saved, key, brief)
    tools = {"modeBarButtons": [["toImage"]], "toImageButtonOptions": {"format": "svg", "filename": saved}}
    picks = {"on_select": on_select or "ignore", "selection_mode": "points"}
    st.plotly_chart(themed(chart, url_state.look()), theme=None, key=key, alt=chart.alt, config=tools, **picks)
    finding = glossary.explained(escape_markdown(chart.finding))
    (st.caption if brief else st.markdown)(finding, unsafe_allow_html=True)


def head(title: str, table: pd.DataFrame, file: str, key: str, brief: bool, chart: bool = True) -> None:
    """The heading of a picture, a small one where two stand beside each other, and its numbers."""
    with row(wrap=False):
        if brief:
            st.subheader(escape_markdown(title), anchor=False)
        else:
            header(escape_markdown(title))
        numbers(table, title, file, key, chart)


def show_table(table: pd.DataFrame, alt: str, columns: dict | None = None, **more: object) -> None:
    """A table whose columns have as many digits as they need, counts in groups of three, and a dash for no number.

    Args:
        columns: what is told of some otherwise.
    """
    numeric = table.select_dtypes("float")
    table = table.assign(**{name: 100 * table[name] for name in PERCENT_COLUMNS if name in numeric})
    formats = {name: "%.4g %%" if name in PERCENT_COLUMNS else words.column(table[name].to_numpy()) for name in numeric}
    formats |= dict.fromkeys(table.select_dtypes("int"), "localized")
    numbers = {name: st.column_config.NumberColumn(format=written) for name, written in formats.items()}
    options = {"hide_index": True, "column_config": numbers | (columns or {}), "placeholder": "–"} | more
    st.dataframe(table, alt=alt, **options)


def link(place: str, label: str, query: Mapping[str, str] | None = None, icon: str = "arrow_forward") -> None:
    """A way on to a page or a part of one."""
    page, view = places.opened(place, query or {})
    st.page_link(f"{page}.py", label=label, icon=f":material/{icon}:" if icon else None, query_params=view)


def to_compress(label: str, part: str, icon: str = "arrow_forward", **query: str) -> None:
    """A way on to a part of the Compress page, which keeps its view where it is the one on screen."""
    link("compress", label, url_state.here("compress") | {"part": part} | query, icon)


title = partial(st.title, anchor=False)
header = partial(st.header, anchor=False)


def caption(text: object, help: object = None) -> None:
    """Words with names in them, small; behind a mark beside them the help."""
    words = glossary.explained(escape_markdown(text))
    st.caption(words, help=escape_markdown(help) if help else None, unsafe_allow_html=True)


def note(text: str) -> None:
    """Say what is missing, with names in it, and what to do about it."""
    st.info(escape_markdown(text), icon=":material/info:")


def warn(message: object) -> None:
    """Show a warning as a sentence."""
    st.warning(escape_markdown(for_reader(sentence(message))))


def error(message: object) -> None:
    """Show an error as a sentence."""
    st.error(escape_markdown(for_reader(sentence(message))))


@contextmanager
def shortages() -> Iterator[None]:
    """Say in a sentence why what is inside cannot be drawn: a cache is a file, memory is full, a result lies."""
    try:
        yield
    except Exception as trouble:
        message = str(trouble) if isinstance(trouble, UserError) else shortage(trouble)
        if message is None:
            raise
        error(message)


def button(label: str, act: Callable[..., object], args: tuple | list = (), **more: Any) -> None:
    """A button that runs, writes or deletes: off where nothing may. The page is drawn anew, unless it is refused."""
    if access.is_read_only():
        more |= {"disabled": True, "help": "This server is read-only."}
    if not st.button(label, **more):
        return
    with shortages():
        act(*args)
        st.rerun()


def bullets(lines: Iterable[str]) -> None:
    """Sentences, one below the other."""
    st.markdown("\n".join(f"- {escape_markdown(each)}" for each in lines))


def file(prefix: str, name: str) -> str:
    """A name for a downloaded file: perturbations are written with signs that files cannot carry everywhere."""
    return f"{prefix}-{name}".replace(":", "-").replace("@", "-")


def command(line: str) -> None:
    """A command line to paste, which is broken between words alone."""
    st.code(hide_folders(line), "bash", wrap_lines=True)


def folded(label: str, draw: Callable[[], None]) -> None:
    """An expander, drawn once opened: for a table or a line of code a browser loads most of a second."""
    with st.expander(label, key=label, on_change="rerun") as fold:
        if fold.open:
            draw()


def commands(steps: Iterable[tuple[str, str]], label: str = "The same on the command line") -> None:
    """Command lines and files that do the same, folded away, each with what it is."""

    def lines():
        for about, text in steps:
            caption(about)
            command(text)

    folded(label, lines)


def numbers(table: pd.DataFrame, about: str, file: str, key: str, chart: bool = False) -> None:
    """An icon that opens the data of a picture, to be downloaded as the chart of that key is."""
    label, icon = f"Numbers: {escape_markdown(about)}", ":material/table_view:"
    with st.popover(label, type="tertiary", icon=icon, key=f"numbers-{key}", on_change="rerun") as opened:
        if not opened.open:  # tables are a tenth of a page's time
            return
        show_table(table, f"Numbers of: {about}", height=240)
        download(lambda: table.to_csv(index=False), file, key)
        if chart:
            st.html(SAVE_BUTTON.format(key.replace(" ", "-")), unsafe_allow_javascript=True)


def download(csv: Callable[[], str], file: str, key: str) -> None:
    """A table to take along, made when it is asked for."""
    st.download_button("Download CSV", csv, f"{file}.csv", "text/csv", key=f"{key}-csv", on_click="ignore")
