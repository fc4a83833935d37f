"""Runs: what is in the cache, and what can be done with it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from core.allocation.owl import Owl
from core.analysis import rows
from core.analysis.evaluations import load as load_study
from core.jobs import processes, queue
from core.jobs.records import Status
from core.specs import AllocationRequest, ExportRequest, ExportSpec, ModelSpec, Setting, StudyRequest, naming
from core.store.cache import Store
from core.store.packs import pack
from pages.ui import called
from pages.ui.runs import evaluations, narrowing
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.test_shell import shell


@pytest.fixture
def store(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(queue, "ensure_worker", lambda *_: None)
    return Store(empty_cache)


def opened() -> AppTest:
    return shell().run().switch_page("runs.py").run()


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


@pytest.mark.parametrize("shows", ["profiles", "evaluations", "overlay", "exports"])
def test_an_empty_cache_says_what_to_do(store: Store, shows: str) -> None:
    app = part(shows)
    assert app.info and not app.dataframe and not app.get("plotly_chart") and not app.exception


def test_the_table_holds_every_profile(filled_cache: dict[str, str]) -> None:
    app = opened()
    table = app.dataframe[0].value
    assert set(table["key"]) == {key[:6] for key in filled_cache.values()}
    assert set(table["tokens"]) == {"16 × 64", "8 × 64"}
    assert set(table["took"]) == {1.5 / 60}, "minutes"


def test_open_leads_to_the_picked_profile(filled_cache: dict[str, str]) -> None:
    app = opened()
    app.selectbox(key="picked").set_value(filled_cache["shallow"]).run()
    assert any(filled_cache["shallow"] in link.proto.query_string for link in app.get("page_link"))


def test_delete_asks_first(store: Store) -> None:
    synthetic.save_profile(store.root, synthetic.profile_spec(4, 8, "quick"), 4)
    app = opened()
    next(button for button in app.button if button.label == "Delete").click().run()
    assert list(store.entries())
    next(button for button in app.button if button.label == "Delete it").click().run()
    assert not list(store.entries())
    assert not app.exception


def test_the_committed_demo_cannot_be_deleted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = store.root / "home" / "demo"
    synthetic.save_profile(demo, synthetic.profile_spec(4, 8, "quick"), 4)
    app = opened()
    assert next(button for button in app.button if button.label == "Delete").disabled
    assert app.dataframe[0].value["key"][0].endswith("(demo)")


def test_a_corrupt_entry_is_reported(store: Store) -> None:
    key = synthetic.save_profile(store.root, synthetic.profile_spec(4, 8, "quick"), 4)
    (store.root / "profile" / key / "provenance.json").write_text("{}")
    app = opened()
    assert key in app.warning[0].value
    assert not app.exception


def test_jobs_show_their_state_and_what_can_be_done(store: Store) -> None:
    states = [
        Status(),
        Status(state="running"),
        Status(state="failed", error="ValueError: the sky fell"),
        Status(state="failed", error="the text is too short", bad_request=True),
    ]
    for seed, status in enumerate(states):
        queue.submit(store, fake.request(seed=seed)).write(status)
    app = opened()
    said = " ".join(each.value for each in app.markdown)
    assert all(f"badge[{state}]" in said for state in ("queued", "interrupted", "failed"))
    assert [buttons(app).count(label) for label in ("Cancel", "Resume", "Forget")] == [1, 2, 3]
    assert {each.value for each in app.caption} >= {"The text is too short", "ValueError: the sky fell"}


def test_a_running_job_says_how_far_it_is_and_how_long_it_takes(store: Store) -> None:
    job = queue.submit(store, fake.request())
    job.write(Status(state="running", line="layer 3", done=1, total=4, seconds_left=95))
    with processes.take(job.lock):
        app = opened()
    assert [each.proto.text for each in app.get("progress")] == ["25 %, about 95 s left"]
    assert any(each.value.startswith("layer 3 · ") for each in app.caption)


def test_studies_of_one_model_are_told_apart_in_the_sidebar() -> None:
    one, two = (StudyRequest(settings=asked) for asked in ((OWL,), (OWL, RESEEDED)))
    assert called.brief(one).startswith("evaluation · OWL · ")
    assert called.brief(two).startswith("evaluation · 2 settings · ")


def test_resume_and_forget(store: Store) -> None:
    job = queue.submit(store, fake.request())
    job.write(Status(state="running"))
    app = opened()
    app.button(key=f"resume-{job.key}").click().run()
    assert queue.job(store, job.key).state == "queued"
    app.button(key=f"cancel-{job.key}").click().run()
    app.button(key=f"forget-{job.key}").click().run()
    assert queue.jobs(store) == []
    assert not app.exception


# --- evaluations ---------------------------------------------------------------------------------------------------

LAYERS = 6
OWL = Setting(allocation=AllocationRequest(base=Owl()))
RESEEDED = OWL.model_copy(update={"calibration_seed": 1})


def part(name: str, **state: object) -> AppTest:
    app = shell()
    app.query_params["show"] = name
    for key, value in state.items():
        app.session_state[key] = value
    return app.run().switch_page("runs.py").run()


def study(store: Store, asked: tuple[Setting, ...] = (OWL, RESEEDED), seed: int = 0, **how: object) -> str:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick", seed), asked, LAYERS, **how)
    return synthetic.save_study(store.root, spec, LAYERS)


def row(store: Store, key: str, index: int = -1) -> rows.Row:
    entry = store.by_key(key)
    return rows.rows_of(load_study(store, entry))[index]


def said(app: AppTest) -> str:
    return " ".join(each.value for each in app.markdown).replace("\\", "")


def test_every_point_of_every_study_is_a_row(store: Store) -> None:
    keys = [study(store), study(store, (OWL,), text="another text")]
    app = part("evaluations")
    table = app.dataframe[0].value
    assert set(table["study"]) == set(keys) and len(table) == 5 + 3
    owl = table[(table["method"] == "OWL") & (table["study"] == keys[0]) & (table["seed"] == 0)].iloc[0]
    measured = row(store, keys[0], 2)
    change = measured.one.against_uniform.windows
    assert owl["perplexity"] == pytest.approx(measured.one.perplexity)
    assert [owl["against uniform"], owl["low"], owl["high"]] == pytest.approx([change.value, change.low, change.high])
    assert (owl["pruner"], owl["target"], owl["protocol"]) == ("Wanda", 70, "invented evaluation text, 24 × 512")
    assert table[table["method"] == "dense"]["against uniform"].isna().all()
    columns = list(table)
    assert columns[0] == "method" and columns[-1] == "model" and columns.index("high") <= 6
    assert json.loads(app.dataframe[0].proto.columns)["method"]["pinned"]
    assert not app.exception


def test_a_broken_setting_says_where_it_broke(store: Store) -> None:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick"), (OWL, RESEEDED), LAYERS)
    synthetic.save_study(store.root, spec, LAYERS, broken={OWL: 2, RESEEDED: LAYERS})
    keys = [f"{spec.key}-{index}" for index in range(1, 5)]
    app = part("evaluations", compared=[keys[0], keys[1], keys[3]])
    troubles = [row(store, spec.key, index).one.trouble for index in range(5)]
    assert list(app.dataframe[0].value["not a number"]) == troubles
    assert [bool(each) for each in troubles] == [False, False, True, False, True] and "layer 2 " in troubles[2]
    assert all(each.partition(", ")[2] in said(app) for each in troubles[2::2])
    assert not app.exception


def test_picked_rows_are_compared_with_the_first(store: Store) -> None:
    key = study(store)
    app = part("evaluations")
    for index in (1, 2, 4):
        app.selectbox(key="compared-add").set_value(f"{key}-{index}").run()
    table = app.dataframe[1].value
    assert set(table.columns) == {
        "setting", "allocation", "calibration seed", "threshold M", "λ", "perplexity",
        "against the first, %", "95% low", "95% high",
    }  # fmt: skip
    found = rows.compared(row(store, key, 2), row(store, key, 1))
    assert table["against the first, %"][1] == pytest.approx(found.value)
    assert table["95% low"][1] == pytest.approx(found.low)
    assert "against Uniform, 70 % zeros" in said(app)
    assert not app.exception


def protocols(app: AppTest) -> list[str]:
    return [each.value for each in app.caption if "**Protocol:**" in each.value]


def test_what_is_compared_stands_under_its_protocol(store: Store) -> None:
    key, other = study(store), study(store, (OWL,), text="another text")
    app = part("evaluations", compared=[f"{key}-0", f"{key}-1", f"{key}-2"])
    spec = store.by_key(key).spec
    [line] = protocols(app)
    for word in ("invented evaluation text, 24 × 512 tokens", "calibrated on invented calibration text, 16 × 64",
                 "float32", f"text {spec.text.content[:6]}", f"study {key[:6]}"):  # fmt: skip
        assert word in line
    assert all("versions" in each.help for each in app.caption if "**Protocol:**" in each.value)
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2", f"{other}-2"])
    assert len(protocols(app)) == 2 and other[:6] in protocols(app)[1] and other[:6] not in protocols(app)[0]


def test_what_pruning_was_helped_along_with_is_said(store: Store) -> None:
    spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick"), (OWL,), LAYERS)
    told = {"warnings": ["damping was raised to 0.1 in layer 2"], "broken": None}
    store.save(spec.evaluated(spec.points[-1]), synthetic.evaluated(spec.points[-1], 24, LAYERS), told)
    key = synthetic.save_study(store.root, spec, LAYERS)
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2"])
    helped = row(store, key).one.helped
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


def shown(app: AppTest) -> list[tuple]:
    table = app.dataframe[0].value
    return list(zip(table["study"], table["method"], table["target"], strict=True))


def test_the_table_is_narrowed_by_what_differs(store: Store) -> None:
    half = OWL.model_copy(update={"allocation": AllocationRequest(base=Owl(), target=0.5)})
    by_magnitude = OWL.model_copy(update={"pruner": "magnitude"})
    one, two = study(store, (OWL, half, by_magnitude)), study(store, (OWL,), seed=1)
    app = part("evaluations")
    drawn = {each.key: each.options for each in app.selectbox if str(each.key).startswith("only_")}
    assert drawn == {
        "only_pruner": ["all", "Wanda", "magnitude"],
        "only_target": ["all", "50 %", "70 %"],
        "only_study": ["all", *(entry.key[:6] for entry in store.entries("study"))],
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
    kept = {key: app.query_params[key] for key in app.query_params}
    assert {"only_pruner", "only_target", "only_method"} <= set(kept) and "only_study" not in kept
    again = shell()
    for key, value in kept.items():
        again.query_params[key] = value
    assert shown(again.run().switch_page("runs.py").run()) != [] and not again.exception
    app.selectbox(key="only_study").set_value(two).run()
    assert [each.value for each in app.info] == [narrowing.NOTHING] and not app.dataframe
    assert not app.exception


def test_picks_stay_when_the_table_is_narrowed_to_others(store: Store) -> None:
    key = study(store)
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2"])
    app.text_input(key="only_method").set_value("dense").run()
    assert [method for _, method, _ in shown(app)] == ["dense"]
    assert app.session_state["compared"] == [f"{key}-1", f"{key}-2"]
    assert len(app.dataframe[1].value) == 2


def linked(app: AppTest) -> str:
    found = app.query_params.get("compare", "")
    return found if isinstance(found, str) else found[0]


def test_a_comparison_is_in_the_link_and_back_takes_it_back(store: Store) -> None:
    key = study(store)
    app = part("evaluations")
    assert "compare" not in app.query_params
    for index in (1, 2):
        app.selectbox(key="compared-add").set_value(f"{key}-{index}").run()
    assert linked(app) == f"{key[:6]}-1,{key[:6]}-2"
    again = shell()
    again.query_params["show"], again.query_params["compare"] = "evaluations", linked(app)
    again.run().switch_page("runs.py").run()
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


def test_what_a_link_compares_and_is_not_here_is_said(store: Store) -> None:
    key = study(store)
    app = shell()
    app.query_params["show"], app.query_params["compare"] = "evaluations", f"{key[:6]}-1,012345-3,nonsense"
    app.run().switch_page("runs.py").run()
    [warned] = [each.value for each in app.warning]
    assert "012345-3, nonsense," in warned and key[:6] not in warned
    assert app.session_state["compared"] == [f"{key}-1"]
    app.run()
    assert linked(app) == f"{key[:6]}-1" and not app.warning


def test_names_in_links_are_as_long_as_tells_studies_apart() -> None:
    known = ["abcdef01-0", "abcdef02-0", "abcdef02-10"]
    assert evaluations.briefly(known[1:], known) == "abcdef02-0,abcdef02-10"
    assert evaluations.named("abcdef-0,abcdef01-0", known) == (["abcdef01-0"], ["abcdef-0"])


def test_what_is_part_of_a_best_setting_can_be_picked_alone() -> None:
    called = narrowing._pickers({"0123456789": "selection of best abcdef"})["only_study"][1]
    assert called("0123456789") == "012345, selection of best abcdef" and called("9876543210") == "987654"


def test_accuracies_have_a_column_for_each_task(store: Store) -> None:
    key, other = study(store, tasks=("boolq", "rte")), study(store, (OWL,), text="another text")
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2", f"{other}-2"])
    table, compared = (each.value for each in app.dataframe[:2])
    answers = row(store, key, 2).one.answers("rte")
    owl = table[(table["study"] == key) & (table["method"] == "OWL") & (table["seed"] == 0)].iloc[0]
    assert owl["rte"] == pytest.approx(answers.mean())
    assert owl["rte ±"] == pytest.approx(answers.std(ddof=1) / len(answers) ** 0.5)
    assert table[table["study"] == other][["boolq", "rte", "boolq ±", "rte ±"]].isna().all(axis=None)
    assert compared["rte"][1] == f"{answers.mean():.3f} ± {owl['rte ±']:.3f}" and compared["rte"][2] == ""
    assert " 200 examples of boolq, rte" in protocols(app)[0]
    app.selectbox(key="only_study").set_value(other).run()
    assert not {"boolq", "rte"} & set(app.dataframe[0].value), "no row of the table has them"
    assert not {"boolq", "rte"} & set(part("evaluations", compared=[f"{other}-1", f"{other}-2"]).dataframe[1].value)


def test_answers_to_other_examples_have_a_column_of_their_own(store: Store) -> None:
    keys = []
    for examples in (200, 50):
        spec = synthetic.study_spec(synthetic.profile_spec(LAYERS, 8, "quick"), (OWL,), LAYERS, tasks=("boolq",))
        [task] = spec.tasks
        spec = spec.model_copy(update={"tasks": (task.model_copy(update={"examples": examples}),)})
        keys.append(synthetic.save_study(store.root, spec, LAYERS))
    app = part("evaluations", compared=[f"{key}-2" for key in keys])
    for each in app.dataframe[:2]:
        assert {"boolq (200 examples)", "boolq (50 examples)"} <= set(each.value) and "boolq" not in each.value


def test_a_compared_row_is_taken_away_again(store: Store) -> None:
    key = study(store)
    app = part("evaluations", compared=[f"{key}-1", f"{key}-2"])
    assert f"{key}-1" not in app.selectbox(key="compared-add").options
    app.button_group(key="compared-kept").set_value([f"{key}-2"]).run()
    assert app.session_state["compared"] == [f"{key}-2"]
    app = part("evaluations", compared=[f"{key}-2", f"{study(store, text='another text')}-2"])
    assert len(set(app.button_group(key="compared-kept").options)) == 2  # two alike would be taken for one
    assert not app.exception


def test_other_protocols_are_not_compared_and_it_says_why(store: Store) -> None:
    first = row(store, study(store))
    others = {
        "different texts": row(store, study(store, text="another text")),
        "24 windows of 256 tokens": row(store, study(store, length=256)),
        "12 windows": row(store, study(store, windows=12)),
        "different models": row(store, study(store, seed=1)),
    }
    for why, other in others.items():
        assert rows.compared(other, first) is None
        assert why in rows.said(other, first, None)
    assert rows.compared(first, first) is not None


def test_nothing_but_what_differs_is_shown(store: Store) -> None:
    key = study(store)
    dense, uniform, owl, _, reseeded = (row(store, key, index) for index in range(5))
    assert rows.differing([owl, owl]) == {}
    assert set(rows.differing([owl, reseeded])) == {"calibration seed"}
    assert rows.differing([uniform, owl])["allocation"] == ["uniform", "owl"]
    assert rows.differing([dense, uniform])["target"] == ["", "0.7"]


def test_provenance_leaves_out_what_is_none(store: Store) -> None:
    study(store)
    [shown] = part("evaluations").get("json")
    assert '"spec"' in shown.proto.body and "null" not in shown.proto.body


def test_a_study_is_opened_with_a_profile_of_its_model(store: Store) -> None:
    key = study(store)
    app = part("evaluations")
    assert any("profile of its model" in each.value for each in app.caption)
    profile = synthetic.save_profile(store.root, synthetic.profile_spec(LAYERS, 8, "quick"), LAYERS)
    app = part("evaluations")
    links = [link.proto.query_string for link in app.get("page_link")]
    assert any(key in link and profile in link for link in links)


def test_a_deleted_study_is_compared_no_more(store: Store) -> None:
    kept, gone = study(store), study(store, text="another text")
    app = part("evaluations", compared=[f"{kept}-1", f"{gone}-1"])
    app.selectbox(key="picked-study").set_value(gone).run()
    app.button(key=f"delete-{gone}").click().run()
    next(button for button in app.button if button.label == "Delete it").click().run()
    assert [entry.key for entry in store.entries("study")] == [kept]
    assert app.session_state["compared"] == [f"{kept}-1"]
    assert not app.exception


# --- curves over each other ----------------------------------------------------------------------------------------


def test_two_depths_are_overlaid_on_relative_depth(filled_cache: dict[str, str]) -> None:
    app = part("overlay", overlaid=[filled_cache["deep"], filled_cache["shallow"]])
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert "relative depth" in figure["layout"]["xaxis"]["title"]["text"]
    assert {"deep model", "shallow model"} <= {each.get("name") for each in figure["data"]}
    options = app.selectbox(key="overlay").options
    assert "Layer left out" in options and len(options) == 3
    assert not app.exception


@pytest.mark.parametrize("alike", [True, False])
def test_at_first_only_profiles_of_one_text_are_overlaid(store: Store, alike: bool) -> None:
    spec = synthetic.profile_spec(4, 8, "quick")
    other = synthetic.profile_spec(4, 8 if alike else 16, "quick", seed=1)
    one, two = (synthetic.save_profile(store.root, each, 4, f"model {each.model.content}") for each in (spec, other))
    app = part("overlay", profile=one)
    assert app.session_state["overlaid"] == ([one, two] if alike else [one]) and not app.warning
    assert (len([each for each in app.get("download_button") if "comparison" in each.proto.label]) == 1) == alike
    assert len(part("overlay", overlaid=[one, two]).warning) == (not alike), "unlike texts are said"


@pytest.mark.parametrize("profiles", [1, 2])
def test_what_has_nothing_to_be_laid_over_says_what_to_do(store: Store, profiles: int) -> None:
    quick = synthetic.profile_spec(4, 8, "quick", seed=9)
    alone = ((name, quick.measurements[at : at + 1]) for at, name in enumerate("ab"[:profiles]))
    changed = ({"measurements": measured, "model": ModelSpec(content=name)} for name, measured in alone)
    keys = [synthetic.save_profile(store.root, quick.model_copy(update=each), 4) for each in changed]
    app = part("overlay", overlaid=keys)
    assert ("share no perturbation" in app.info[0].value) == (profiles == 2)
    assert not app.get("plotly_chart") and not app.exception


def test_curves_of_one_model_are_called_by_what_tells_them_apart(store: Store) -> None:
    spec = synthetic.profile_spec(4, 8, "quick", seed=9)
    shorter = spec.model_copy(update={"text": spec.text.model_copy(update={"length": spec.text.length // 2})})
    keys = [synthetic.save_profile(store.root, each, 4) for each in (spec, shorter)]
    figure = json.loads(part("overlay", overlaid=keys).get("plotly_chart")[0].proto.spec)
    names = {f"{each.text.sequences} × {each.text.length}" for each in (spec, shorter)}
    assert names <= {each.get("name") for each in figure["data"]}


# --- packs, exports, other runs ------------------------------------------------------------------------------------


def test_a_pack_is_imported_and_linked(store: Store, tmp_path_factory: pytest.TempPathFactory) -> None:
    there = Store(tmp_path_factory.mktemp("there"))
    profile = synthetic.save_profile(there.root, synthetic.profile_spec(LAYERS, 8, "quick"), LAYERS)
    app = part("import")
    app.file_uploader(key="pack").set_value(("a.zip", pack(there, there.profile(profile)), "application/zip")).run()
    assert store.profile(profile).key == profile
    assert any(profile in link.proto.query_string for link in app.get("page_link"))
    app.file_uploader(key="pack").set_value(("b.zip", pack(there, there.by_key(study(there))), "application/zip")).run()
    assert len(list(store.entries("study"))) == 1
    assert "study" in said(app) and not app.exception


def test_a_pack_that_is_none_is_refused(store: Store) -> None:
    app = part("import")
    app.file_uploader(key="pack").set_value(("a.zip", b"no zip at all", "application/zip")).run()
    assert len(app.error) == 1 and not app.exception and not list(store.entries())


def test_exports_are_listed_with_their_folder(store: Store) -> None:
    assert "Nothing has been exported" in part("exports").info[0].value
    found = store.by_key(study(store)).spec
    spec = ExportSpec(model=found.model, pruned=found.points[-1].pruned, folder="/some/where")
    store.save(spec, None, {"model": "m", "setting": "owl", "folder": "/some/where", "bytes": 5, "dense_bytes": 9})
    app = part("exports")
    assert list(app.dataframe[0].value["folder"]) == ["/some/where"]
    job = queue.submit(store, ExportRequest(setting=OWL, folder="/some/where"))
    job.write(Status(state="done", result=spec.key))
    assert "/some/where" in said(part("profiles"))


def test_a_study_is_watched_and_opened_on_the_prune_page(store: Store) -> None:
    job = queue.submit(store, StudyRequest(settings=(OWL,)))
    for done, asked in ((False, f"job={job.key}"), (True, f"study={study(store)}")):
        if done:
            job.write(Status(state="done", result=asked.removeprefix("study=")))
        links = [link.proto for link in opened().get("page_link")]
        assert any(asked in link.query_string and link.page == "prune" for link in links)
