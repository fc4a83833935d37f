"""Evaluations on the runs page: every setting a row, found by words, compared by a link, said under its protocol."""

import pytest

from tests.pages.opening import opened_at, put, url
from tests.pages.runs_page import part, row, said, study


def test_picked_rows_are_compared_with_the_first(bare):
    key = study(bare)
    app = part("evaluations")
    put(app, "compare", [f"{key[:6]}-1", f"{key[:6]}-2"])
    table = app.dataframe[1].value
    change = row(bare, key).one.against(row(bare, key, 1).one).windows
    assert table["against the first, %"][1] == pytest.approx(change.value)
    assert table["the first low"][1] == pytest.approx(change.low)
    assert "against Uniform, 70 % zeros" in said(app)
    assert [each.value for each in app.metric] == [row(bare, key, place).one.written for place in (1, 2)]
    assert app.metric[0].delta == "" and app.metric[1].delta.endswith(" % against the first")


def test_a_comparison_is_in_the_link_and_back_takes_it_back(bare):
    key = study(bare)
    app = part("evaluations")
    assert "compare" not in app.query_params
    put(app, "compare", [f"{key[:6]}-1", f"{key[:6]}-2"])
    assert url(app)["compare"] == f"{key[:6]}-1,{key[:6]}-2"
    again = opened_at("runs", **url(app))
    assert again.session_state["compare"] == [f"{key[:6]}-1", f"{key[:6]}-2"] and len(again.dataframe[1].value) == 2
    app.query_params["compare"] = f"{key[:6]}-1"  # as the back button does
    app.run()
    assert app.session_state["compare"] == [f"{key[:6]}-1"]
    app.query_params.pop("compare")
    app.run()
    assert app.session_state["compare"] == [] and "compare" not in app.query_params
    assert not app.warning
