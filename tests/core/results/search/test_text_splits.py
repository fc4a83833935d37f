"""Which documents of a text calibrate, select and judge: no document has two roles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import UserError
from core.requests import BestRequest, WindowRequest
from core.results import text_splits


@given(st.integers(3, 5000), st.sampled_from([(3, 1, 1), (1, 1), (3, 1), (1,)]))
def test_shares_part_the_documents(count, weights):
    spans = text_splits.shares(count, weights)
    assert [index for first, last in spans for index in range(first, last + 1)] == list(range(count))
    for (first, last), weight in zip(spans, weights, strict=True):
        assert last >= first and abs((last - first + 1) - count * weight / sum(weights)) <= 1


def test_the_usual_shares():
    assert text_splits.shares(1000, (3, 1, 1)) == [(0, 599), (600, 799), (800, 999)]
    cut = text_splits.split(BestRequest(target=0.6), lambda _: 10)
    assert (cut.calibration.documents, cut.selection.documents, cut.final.documents) == (None, (0, 4), (5, 9))
    assert text_splits.split(cut, lambda _: pytest.fail("nothing is shared any more")) == cut


@given(
    st.lists(st.sampled_from(["one", "two", "three"]), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(0, 9))), min_size=3, max_size=3),
    st.integers(1, 12),
)
def test_no_document_has_two_roles(sources, spans, count):
    asked = {
        role: WindowRequest(source=source, documents=span and tuple(sorted(span)), sequences=8)
        for role, source, span in zip(text_splits.ROLES, sources, spans, strict=True)
    }
    try:
        cut = text_splits.split(BestRequest(target=0.5, **asked), lambda _: count)
    except UserError:
        return
    seen = set()
    for role in text_splits.ROLES:
        text = getattr(cut, role)
        first, last = text.documents or (0, 100)
        mine = {(text.source, index) for index in range(first, last + 1)}
        assert not mine & seen
        seen |= mine


def test_one_document_cannot_have_three_roles(refused):
    with refused("novel.txt", "one document", "3 roles"):
        text_splits.shares(1, (3, 1, 1), "novel.txt")


def test_one_file_has_one_place_however_its_path_is_written(refused):
    one, two = (WindowRequest(source=f"file:{each}") for each in ("texts/a.jsonl", "texts/../texts/a.jsonl"))
    with refused("overlap"):
        text_splits.check_apart([one.replace(documents=(10, 29)), two.replace(documents=(12, 31))])
    request = BestRequest(target=0.6, selection=one, final=two)
    cut = text_splits.split(request, lambda _: 10)
    assert (cut.selection.documents, cut.final.documents) == ((0, 4), (5, 9))
    assert text_splits.unsplit(cut) == request
