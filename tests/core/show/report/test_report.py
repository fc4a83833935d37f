"""A report's page: what is in it is text, whatever was written there, and nothing but its own scripts may run."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from core.show.report import Exhibit, Report
from core.show.report import reports as report

LIBRARY = "var Plotly = {react() { return '<' + '/p>'; }};\r\n// done"
EVIL = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><svg onload=alert(1)>",
    "<!--<script>",
]
LOADING = {"src", "srcset", "poster", "action", "formaction", "data", "background"}


class Reader(HTMLParser):
    """Elements, their attributes, and the text inside scripts, as a browser would find them."""

    def __init__(self, page):
        super().__init__()
        self.elements = []
        self.scripts = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data):
        if self.lasttag == "script" and self.scripts and self.cdata_elem == "script":
            attrs, before = self.scripts[-1]
            self.scripts[-1] = (attrs, before + data)
        else:
            self.text += data

    @property
    def running(self):
        return [text for attrs, text in self.scripts if attrs.get("type") != "application/json"]

    @property
    def figures(self):
        return [json.loads(text) for attrs, text in self.scripts if attrs.get("type") == "application/json"]


def part(said="said"):
    """A report in which every text is the same."""
    figure = {"data": [{"name": said}], "layout": {"height": 321, "title": said}}
    numbers = [(said, "b"), (said, "1"), ("2", said)]
    exhibit = Exhibit(said, said, said, {"light": figure, "dark": figure}, numbers, said)
    return Report(said, (said,), (exhibit, exhibit), numbers, ((said, said),), ((said, said),))


def written(said="said", library=LIBRARY):
    return report.page(part(said), said, library)


def shape(page):
    return [tag for tag, _ in Reader(page).elements]


@settings(max_examples=60)
@given(st.sampled_from(EVIL) | st.text(min_size=1).filter(lambda text: "\r" not in text and "\0" not in text))
def test_what_is_written_there_stays_text(said):
    read, [figure, _] = Reader(written(said)), part(said).exhibits
    assert [tag for tag, _ in read.elements] == shape(written("a"))
    assert not [name for _, attrs in read.elements for name in attrs if name.startswith("on")]
    assert read.figures == [figure.looks] * 2
    assert said in read.text or said not in EVIL


def test_only_its_two_scripts_may_run():
    read = Reader(written())
    policy = next(attrs["content"] for tag, attrs in read.elements if attrs.get("http-equiv"))
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in read.running]
    assert hashes == allowed and len(hashes) == 2
    assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert "default-src 'none'" in policy


def test_nothing_is_loaded_from_anywhere():
    read = Reader(written())
    links = [attrs["href"] for _, attrs in read.elements if "href" in attrs]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not [name for _, attrs in read.elements for name in attrs if name in LOADING]
    assert "@import" not in report.STYLE and "url(" not in report.STYLE


def test_a_library_cannot_end_its_script_early():
    page = written(library="x = '</script><b>'; y = '<!-- <script>';")
    read = Reader(page)
    assert [tag for tag, _ in read.elements].count("b") == 0
    assert len(read.running) == 2 and read.running[0].endswith("';")


def test_every_chart_has_its_numbers_and_words_without_javascript():
    exhibit = part().exhibits[0]._replace(title="A title", finding="What was found.", note="of this model")
    page = report.page(replace(part(), exhibits=(exhibit,)), "a", LIBRARY)
    read = Reader(page)
    chart = next(attrs for _, attrs in read.elements if attrs.get("class") == "chart")
    assert chart["aria-label"] == "A title. What was found."
    assert "321px" in chart["style"]
    assert all(text in read.text for text in ("What was found.", "of this model", "Numbers"))
    assert shape(page).count("details") == 1 and shape(page).count("table") == 3
