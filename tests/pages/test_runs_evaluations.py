"""Evaluations on the runs page: every point a row, narrowed, compared by a link, and said under its protocol."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from core.ask import naming
from core.ask.allocations import AllocationRequest
from core.kinds.owl import Owl
from core.results import rows
from core.store.cache import Store
from pages.ui.runs import evaluations, narrowing
from tests import synthetic
from tests.pages.opening import links, opened_at, url
from tests.pages.runs_page import LAYERS, OWL, RESEEDED, part, protocols, row, said, shown, study


def test_every_point_of_every_study_is_a_row(bare: Store) -> None:
    keys = [study(bare), study(bare, (OWL,), text="another text")]
    app = part("evaluations")
    table = app.dataframe[0].value
    assert set(table["study"]) == set(keys) and len(table) == 5 + 3
    owl = table[(table["method"] == "OWL") & (table["study"] == keys[0]) & (table["seed"] == 0)].iloc[0]
    measured = row(bare, keys[0], 2)
    change = measured.one.against_uniform.windows
    assert owl["perplexity"] == pytest.approx(measured.one.perplexity)
    assert [owl["against uniform"], owl["low"], owl["high"]] == pytest.approx([change.value, change.low, change.high])
    assert (owl["pruner"], owl["target"], owl["protocol"]) == ("Wanda", 70, "invented evaluation text, 24 × 512")
    assert table[table["method"] == "dense"]["against uniform"].isna().all()
    columns = list(table)
    assert columns[0] == "method" and columns[-1] == "model" and columns.index("high") <= 6
    assert json.loads(app.dataframe[0].proto.columns)["method"]["pinned"]
    assert not app.exception


def test_a_broken_setting_says_where_it_broke(bare: Store) -> None:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick"), (OWL, RESEEDED), LAYERS)
    synthetic.save_study(bare.root, spec, LAYERS, broken={OWL: 2, RESEEDED: LAYERS})
    keys = [f"{spec.key}-{index}" for index in range(1, 5)]
    app = part("evaluations", compared=[keys[0], keys[1], keys[3]])
    troubles = [row(bare, spec.key, index).one.trouble for index in range(5)]
    assert list(app.dataframe[0].value["not a number"]) == troubles
    assert [bool(each) for each in troubles] == [False, False, True, False, True] and "layer 2 " in troubles[2]
    assert all(each.partition(", ")[2] in said(app) for each in troubles[2::2])
    assert not app.exception


def test_picked_rows_are_compared_with_the_first(bare: Store) -> None:
    key = study(bare)
    app = part("evaluations")
    for index in (1, 2, 4):
        app.selectbox(key="compared-add").set_value(f"{key}-{index}").run()
    table = app.dataframe[1].value
    assert set(table.columns) == {
        "setting", "allocation", "calibration seed", "threshold M", "λ", "perplexity",
        "against the first, %", "95% low", "95% high",
    }  # fmt: skip
    found = rows.compared(row(bare, key, 2), row(bare, key, 1))
    assert table["against the first, %"][1] == pytest.approx(found.value)
    assert table["95% low"][1] == pytest.approx(found.low)
    assert "against Uniform, 70 % zeros" in said(app)
    assert not app.exception


def test_what_is_compared_stands_under_its_protocol(bare: Store) -> None:
    key, other = study(bare), study(bare, (OWL,), text="another text")
    app = part("evaluations", compared=[f"{key}-0", f"{key}-1", f"{key}-2"])
    spec = bare.by_key(key).spec
    [line] = protocols(app)
    for word in ("invented evaluation text, 24 × 512 tokens", "calibrated on invented calibration text, 16 × 64",
                 "float32", f"text {spec.text.content[:6]}", f"study {key[:6]}"):  # fmt: skip
        assert word in line
    assert all("versions" in each.help for each in app.caption if "**Protocol:**" in each.value)
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2", f"{other}-2"])
    assert len(protocols(app)) == 2 and other[:6] in protocols(app)[1] and other[:6] not in protocols(app)[0]


def test_what_pruning_was_helped_along_with_is_said(bare: Store) -> None:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick"), (OWL,), LAYERS)
    told = {"warnings": ["damping was raised to 0.1 in layer 2"], "broken": None}
    bare.save(spec.evaluated(spec.points[-1]), synthetic.evaluated(spec.points[-1], 24, LAYERS), told)
    key = synthetic.save_study(bare.root, spec, LAYERS)
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2"])
    helped = row(bare, key).one.helped
    assert list(app.dataframe[0].value["while pruning"]) == ["", "", helped] and told["warnings"][0] in helped
    assert [each.value for each in app.warning] == [f"{naming.whole(OWL)}. {helped}"]


@pytest.mark.parametrize(
    ("shown", "compared", "before", "ticked", "after"),
    [
        ("abc", "ac", "", "abc", "acb"),
        ("abc", "acb", "abc", "bc", "cb"),
        ("abc", "dc", "bc", "abc", "dca"),  # one picked in the list, one taken away there
        ("bd", "ac", "", "d", "acd"),  # rows that a narrowed table hides stay
        ("bd", "acd", "d", "", "ac"),
    ],
)
def test_ticked_rows_are_compared_in_the_order_ticked(
    shown: str, compared: str, before: str, ticked: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_ = [*map(shown.index, ticked), 9]
    table = SimpleNamespace(selection=SimpleNamespace(rows=rows_))
    state = {"compared": [*compared], "ticked": [*before], "table": table}
    monkeypatch.setattr(evaluations.st, "session_state", state)
    evaluations.pick([*shown], "table")
    assert "".join(state["compared"]) == after


def test_the_table_is_narrowed_by_what_differs(bare: Store) -> None:
    half = OWL.model_copy(update={"allocation": AllocationRequest(base=Owl(), target=0.5)})
    by_magnitude = OWL.model_copy(update={"pruner": "magnitude"})
    one, two = study(bare, (OWL, half, by_magnitude)), study(bare, (OWL,), seed=1)
    app = part("evaluations")
    drawn = {each.key: each.options for each in app.selectbox if str(each.key).startswith("only_")}
    assert drawn == {
        "only_pruner": ["all", "Wanda", "magnitude"],
        "only_target": ["all", "50 %", "70 %"],
        "only_study": ["all", *(entry.key[:6] for entry in bare.entries("study"))],
    }
    before = app.dataframe[0].proto.id
    app.selectbox(key="only_pruner").set_value("wanda").run()
    assert len(shown(app)) == 6 and "dense" not in {method for _, method, _ in shown(app)}
    assert app.dataframe[0].proto.id != before  # ticks are places in the table and would be of other rows
    app.selectbox(key="only_target").set_value("0.5").run()
    app.text_input(key="only_method").set_value("OWL m=5").run()
    assert shown(app) == [(one, "OWL", 50)]
    assert any(each.value.startswith("1 of 10 evaluations.") for each in app.caption)
    app.text_input(key="only_method").set_value("owl lam=0.08").run()
    assert len(shown(app)) == 1  # words of commands and reports find it too
    kept = url(app)
    assert {"only_pruner", "only_target", "only_method"} <= set(kept) and "only_study" not in kept
    again = opened_at("runs", **kept)
    assert shown(again) != [] and not again.exception
    app.selectbox(key="only_study").set_value(two).run()
    assert [each.value for each in app.info] == [narrowing.NOTHING] and not app.dataframe
    assert not app.exception


def test_a_comparison_is_in_the_link_and_back_takes_it_back(bare: Store) -> None:
    key = study(bare)
    app = part("evaluations")
    assert "compare" not in app.query_params
    for index in (1, 2):
        app.selectbox(key="compared-add").set_value(f"{key}-{index}").run()
    assert url(app)["compare"] == f"{key[:6]}-1,{key[:6]}-2"
    again = opened_at("runs", **url(app))
    assert again.session_state["compared"] == [f"{key}-1", f"{key}-2"] and len(again.dataframe[1].value) == 2
    before = app.dataframe[0].proto.id
    app.query_params["compare"] = f"{key[:6]}-1"  # as the back button does
    app.run()
    assert app.session_state["compared"] == [f"{key}-1"]
    assert app.dataframe[0].proto.id != before  # its ticks would be of what is compared no more
    app.query_params.pop("compare")
    app.run()
    assert app.session_state["compared"] == [] and "compare" not in app.query_params
    assert not app.exception and not app.warning


def test_what_a_link_compares_and_is_not_here_is_said(bare: Store) -> None:
    key = study(bare)
    app = opened_at("runs", show="evaluations", compare=f"{key[:6]}-1,012345-3,nonsense")
    [warned] = [each.value for each in app.warning]
    assert "012345-3, nonsense," in warned and key[:6] not in warned
    assert app.session_state["compared"] == [f"{key}-1"]
    app.run()
    assert url(app)["compare"] == f"{key[:6]}-1" and not app.warning


def test_names_in_links_are_as_long_as_tells_studies_apart() -> None:
    known = ["abcdef01-0", "abcdef02-0", "abcdef02-10"]
    assert evaluations.briefly(known[1:], known) == "abcdef02-0,abcdef02-10"
    assert evaluations.named("abcdef-0,abcdef01-0", known) == (["abcdef01-0"], ["abcdef-0"])


def test_what_is_part_of_a_best_setting_can_be_picked_alone() -> None:
    called = narrowing._pickers({"0123456789": "selection of best abcdef"})["only_study"][1]
    assert called("0123456789") == "012345, selection of best abcdef" and called("9876543210") == "987654"


def test_accuracies_have_a_column_for_each_task(bare: Store) -> None:
    key, other = study(bare, tasks=("boolq", "rte")), study(bare, (OWL,), text="another text")
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2", f"{other}-2"])
    table, compared = (each.value for each in app.dataframe[:2])
    answers = row(bare, key, 2).one.answers("rte")
    owl = table[(table["study"] == key) & (table["method"] == "OWL") & (table["seed"] == 0)].iloc[0]
    assert owl["rte"] == pytest.approx(answers.mean())
    assert owl["rte ±"] == pytest.approx(answers.std(ddof=1) / len(answers) ** 0.5)
    assert table[table["study"] == other][["boolq", "rte", "boolq ±", "rte ±"]].isna().all(axis=None)
    assert compared["rte"][1] == f"{answers.mean():.3f} ± {owl['rte ±']:.3f}" and compared["rte"][2] == ""
    assert " 200 examples of boolq, rte" in protocols(app)[0]
    app.selectbox(key="only_study").set_value(other).run()
    assert not {"boolq", "rte"} & set(app.dataframe[0].value), "no row of the table has them"
    assert not {"boolq", "rte"} & set(part("evaluations", compared=[f"{other}-1", f"{other}-2"]).dataframe[1].value)


def test_answers_to_other_examples_have_a_column_of_their_own(bare: Store) -> None:
    keys = []
    for examples in (200, 50):
        spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick"), (OWL,), LAYERS, tasks=("boolq",))
        [task] = spec.tasks
        spec = spec.model_copy(update={"tasks": (task.model_copy(update={"examples": examples}),)})
        keys.append(synthetic.save_study(bare.root, spec, LAYERS))
    app = part("evaluations", compared=[f"{key}-2" for key in keys])
    for each in app.dataframe[:2]:
        assert {"boolq (200 examples)", "boolq (50 examples)"} <= set(each.value) and "boolq" not in each.value


def test_a_compared_row_stays_when_the_table_is_narrowed_and_is_taken_away_again(bare: Store) -> None:
    key = study(bare)
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2"])
    assert f"{key}-1" not in app.selectbox(key="compared-add").options
    app.text_input(key="only_method").set_value("dense").run()
    assert [method for _, method, _ in shown(app)] == ["dense"]
    assert app.session_state["compared"] == [f"{key}-1", f"{key}-2"] and len(app.dataframe[1].value) == 2
    app.button_group(key="compared-kept").set_value([f"{key}-2"]).run()
    assert app.session_state["compared"] == [f"{key}-2"]
    app = part("evaluations", compared=[f"{key}-2", f"{study(bare, text='another text')}-2"])
    assert len(set(app.button_group(key="compared-kept").options)) == 2  # two alike would be taken for one
    assert not app.exception


def test_other_protocols_are_not_compared_and_it_says_why(bare: Store) -> None:
    first = row(bare, study(bare))
    others = {
        "different texts": row(bare, study(bare, text="another text")),
        "24 windows of 256 tokens": row(bare, study(bare, length=256)),
        "12 windows": row(bare, study(bare, windows=12)),
        "different models": row(bare, study(bare, seed=1)),
    }
    for why, other in others.items():
        assert rows.compared(other, first) is None
        assert why in rows.said(other, first, None)
    assert rows.compared(first, first) is not None


def test_nothing_but_what_differs_is_shown(bare: Store) -> None:
    key = study(bare)
    dense, uniform, owl, _, reseeded = (row(bare, key, index) for index in range(5))
    assert rows.differing([owl, owl]) == {}
    assert set(rows.differing([owl, reseeded])) == {"calibration seed"}
    assert rows.differing([uniform, owl])["allocation"] == ["Uniform", "OWL"]
    assert rows.differing([dense, uniform])["target"] == ["", "70 %"]


def test_a_study_tells_where_it_is_from_and_is_opened_with_a_profile_of_its_model(bare: Store) -> None:
    key = study(bare)
    app = part("evaluations")
    assert any("profile of its model" in each.value for each in app.caption)
    [shown] = app.get("json")
    assert '"spec"' in shown.proto.body and "null" not in shown.proto.body
    profile = synthetic.save_profile(bare.root, synthetic.profile_spec(LAYERS, 8, "quick"), LAYERS)
    asked = links(part("evaluations"))
    assert any({key, profile} <= set(each.values()) for each in asked)


def test_a_deleted_study_is_compared_no_more(bare: Store) -> None:
    kept, gone = study(bare), study(bare, text="another text")
    app = part("evaluations", compared=[f"{kept}-1", f"{gone}-1"])
    app.selectbox(key="picked-study").set_value(gone).run()
    app.button(key=f"delete-{gone}").click().run()
    next(button for button in app.button if button.label == "Delete it").click().run()
    assert [entry.key for entry in bare.entries("study")] == [kept]
    assert app.session_state["compared"] == [f"{kept}-1"]
    assert not app.exception
