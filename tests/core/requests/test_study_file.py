"""Study files: read with one sentence on what is wrong, and written so that they read back as the same request."""

import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from core.base import UserError
from core.requests import (
    EvaluationRequest,
    Recipe,
    StudyRequest,
    WindowRequest,
    grammar,
    read_study,
    recipe_names,
    write_study,
)
from tests.builders.strategies import settings

# --- read ----------------------------------------------------------------------------------------------------------


def test_a_study_file_is_read(tmp_path):
    file = tmp_path / "study.toml"
    text = '[calibration]\nsource = "file:text.txt"\n[evaluation]\nwindows = 5\nsource = "demo"'
    lists = 'targets = [0.5, 0.6]\nseeds = [0, 1]\nsettings = ["uniform", "depth_ramp beta=0.02"]'
    file.write_text(f'model = "./tiny"\n{lists}\n{text}')
    asked = read_study(file)
    assert len(asked.settings) == 8 and asked.model == "./tiny" and asked.evaluation.text.sequences == 5
    assert asked.calibration.source == f"file:{tmp_path.resolve() / 'text.txt'}"
    assert {each.allocation.target for each in asked.settings} == {0.5, 0.6}


def test_points_join_a_study_or_are_all_of_it(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text('points = ["uniform pattern=2:4 by=sparsegpt:0.5"]\nseeds = [0, 1]')
    [alone] = read_study(file).settings
    assert (alone.pruner, alone.pattern) == ("sparsegpt", "2:4")
    file.write_text(
        'points = ["uniform pattern=1:4:0.75"]\ntargets = [0.6]\nseeds = [0, 1]\nrepairs = ["none", "refit"]'
    )
    *joined, last = read_study(file).settings
    assert [(each.repair, each.calibration_seed) for each in joined] == [*product((None, "refit"), (0, 1))]
    assert last.pattern == "1:4"


def test_an_allocation_in_a_file_joins_with_its_own_budget(tmp_path):
    """Once, whatever the targets, and however often it is named; its path counts from the study's folder."""
    (tmp_path / "numbers.json").write_text('{"sparsity": [0.25, 0.75], "budget": 0.55}')
    file = tmp_path / "study.toml"
    file.write_text('settings = ["uniform", "numbers.json", "numbers.json"]\ntargets = [0.5, 0.6]\nseeds = [0, 1]')
    asked = [each.allocation for each in read_study(file).settings]
    assert [each.target for each in asked] == [0.5, 0.5, 0.6, 0.6, *[0.55] * 4]
    assert [each.base.by_hand for each in asked] == [False] * 4 + [True] * 4
    assert all(each.base is asked[-1].base for each in asked[4:]), "it is read once"
    assert asked[-1] == grammar.from_file(tmp_path / "numbers.json")


def test_an_allocation_in_a_file_is_called_as_the_file_says(tmp_path):
    """Two of unlike names are told apart; a file without a name is what it was, to its key."""
    for name in ("Response (by Wanda)", "Response by ALPS + refit", "größer (2)"):
        (tmp_path / "named.json").write_text(json.dumps({"name": name, "sparsity": [0.25, 0.75]}))
        found = Recipe(allocation=grammar.from_file(tmp_path / "named.json"))
        assert recipe_names.setting(found) == f"{name}, 50 % zeros, Wanda"
        assert found.name == f'manual name="{name}" unclipped=yes:0.5'
        assert Recipe.model_validate_json(found.model_dump_json()) == found
    (tmp_path / "plain.json").write_text("[0.25, 0.75]")
    plain = Recipe(allocation=grammar.from_file(tmp_path / "plain.json"))
    assert set(recipe_names.titles([plain, found]).values()) == {"set by hand", "größer (2)"}
    assert plain.key != found.key and "name" not in plain.allocation.base.model_dump()


@pytest.mark.parametrize("name", ["<b>", "a, b", "_a_", "[a](b)", "%{x}", "=1", " a", "a\n", "a" * 61, 5, "a`b", "$a$"])
def test_a_name_with_signs_that_mean_something_elsewhere_is_refused(tmp_path, name):
    (tmp_path / "named.json").write_text(json.dumps({"name": name, "sparsity": [0.25, 0.75]}))
    with pytest.raises(UserError, match=r"^name: ") as told:
        grammar.from_file(tmp_path / "named.json")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("targets = 0.5", "targets"), ("points = ['uniform pattern=4:2:0.5']", "4:2"), ("colour = 'red'", "colour"),
        ("targets = [1.5]", "target"), ("[evaluation]\nwindow = 3", "window"), ("not toml", "TOML"),
        ("calibration = 3", "calibration"), ("evaluation = 'demo'", "evaluation"), ("model = 5", "model: "),
        ("settings = [1]", "settings"), ("settings = ['owl by=alps']", "twice"), ("seeds = [true]", "seeds"),
        ("[calibration]\nsequences = 0", "calibration.sequences"), ("settings = ['numbers.json']", "numbers.json"),
        ("[evaluation]\ntasks = 'arc_easy'", "evaluation.tasks"), ("[evaluation]\ntasks_from = 'folder'", "tasks"),
        (f"targets = {[0.5] * 1000}\nseeds = {[0] * 1000}\nsettings = {['uniform'] * 200}", "200,000,000 settings"),
    ],
)  # fmt: skip
def test_a_bad_study_file_gets_one_sentence(tmp_path, content, named, refused):
    file = tmp_path / "study.toml"
    file.write_text(content)
    with refused(named):
        read_study(file)


# --- written -------------------------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda typed: f"someone/{typed}")
windows = st.builds(
    WindowRequest,
    source=text | st.sampled_from(["demo", "demo:evaluation"]),
    documents=st.none() | st.tuples(st.integers(0, 9), st.integers(9, 10**6)),
    sequences=st.integers(1, 10**4),
    length=st.integers(8, 10**4),
    seed=st.integers(0, 9),
    packing=st.sampled_from([None, "joined", "document"]),
    bos=st.sampled_from(["protocol", "every"]),
)
tasks = st.builds(
    dict,
    tasks=st.lists(text, min_size=1, max_size=3, unique=True).map(tuple),
    tasks_from=st.sampled_from([None, str(Path("/of tasks").resolve())]),
) | st.just({})
requests = st.builds(
    StudyRequest,
    model=text | st.just("demo"),
    revision=st.none() | text,
    dtype=st.sampled_from(["float32", "bfloat16"]),
    profile=st.none() | text,
    calibration=windows,
    settings=st.lists(settings, min_size=1, max_size=3, unique=True).map(tuple),
    evaluation=st.builds(
        lambda asked, **more: EvaluationRequest(**asked, **more),
        tasks,
        text=windows,
        examples=st.none() | st.integers(1, 500),
        seed=st.integers(0, 9),
    ),
)


@tried(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=requests)
def test_what_is_written_reads_back_as_the_same_request(request, tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(write_study(request), encoding="utf-8", newline="")
    assert read_study(file) == request


@pytest.mark.parametrize("content", ['{{"sparsity": [0.5], "budget": 1{}}}', "[1{}]"])
def test_an_allocation_file_that_no_number_holds(content, tmp_path, refused):
    (tmp_path / "file.json").write_text(content.format("0" * 400), encoding="utf-8")
    with refused("file.json", "budget"):
        grammar.from_file(tmp_path / "file.json")
