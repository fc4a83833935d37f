"""Text that a stranger may have written: what a reader of Markdown makes of it is that text again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from core.base import INVISIBLE, JOINER, escape_markdown, legible

READER = MarkdownIt("commonmark").enable(["strikethrough", "table"])
SPECIAL = st.sampled_from(r"\`*_{}[]<>()#+-!|$~:&.=1a @/'" + "\n\t\u202e\x1b")
FORMS = (
    "**b**", "_i_", "`c`", "~~s~~", "<b>b</b>", "[l](http://e.net)", "[l]: http://e.net", "[a][b]", "![p](p.png)",
    "# head", "- item", "1. item",
    "1) item", "> quote", "+ item", "---", "```", "~~~", "    code", "a | b", "&lt;", "&#60;", "[^1]", "a\n\n# b",
)  # fmt: skip


def read(markdown):
    """The kinds of elements in it, and its text."""
    blocks = READER.parse(markdown)
    inside = [each for block in blocks for each in block.children or ()]
    kinds = {each.type for each in [*blocks, *inside]} - {"paragraph_open", "paragraph_close", "inline", "text"}
    return kinds, "".join(each.content for each in inside)


@pytest.mark.parametrize("said", FORMS)
def test_the_forms_of_markdown_are_text(said):
    assert read(said)[0] or said in ("a | b", "[^1]", "[a][b]") or read(said)[1] != said
    assert read(escape_markdown(said).replace(JOINER, "")) == (set(), " ".join(said.split()))


@given(st.text(SPECIAL, max_size=40) | st.text(max_size=40))
def test_any_text_is_text(said):
    kinds, shown = read(escape_markdown(said))
    assert kinds - {"text_special"} == set()
    assert shown.replace(JOINER, "") == " ".join(legible(said).split()).replace(JOINER, "")


@pytest.mark.parametrize("said", [":smile:", ":+1:", ":a_b:", "$x$", ":red[x]", ":red-badge[x]", "<b>"])
def test_what_streamlit_adds_to_markdown_is_escaped(said):
    bare = re.sub(r"\\[^\w\s]|\\_", "", escape_markdown(said))  # without what is escaped
    assert bare in {"smile", "1", "ab", "x", "red[x]", "red-badge[x]", "b>"}


@pytest.mark.parametrize(
    "said", ["http://e.net", "WWW.e.net", "me@e.net", ":material/close:", ":streamlit:", "a -> b", "a -- b", "a <- b"]
)
def test_what_no_backslash_helps_is_parted(said):
    assert JOINER in escape_markdown(said)


def test_what_cannot_be_seen_is_shown_by_its_number():
    assert legible("a\u202eb\x1b\nc") == "a<U+202E>b<U+001B>\nc"
    assert not INVISIBLE.search(escape_markdown("a\u202eb\x1b\nc"))


@pytest.mark.parametrize(
    "said", ["residual_linear:wanda:0.7", "METHOD:TARGET", "down_proj", "SmolLM2-135M", "OWL, m 7 (n = 3)", "0.3 ± 0.1"]
)
def test_usual_names_stay_as_they_are(said):
    assert escape_markdown(said) == said
