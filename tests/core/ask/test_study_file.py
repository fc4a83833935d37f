"""Study files: read with one sentence on what is wrong, and written so that they read back as the same request."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from core.ask import grammar, naming
from core.ask.allocations import AllocationRequest, Correction
from core.ask.inputs import WindowRequest
from core.ask.settings import Setting, uniform
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.study_file import read_study, write_study
from core.base.errors import UserError

# --- read ----------------------------------------------------------------------------------------------------------


def test_a_study_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        """
        model = "./tiny"
        targets = [0.5, 0.6]
        seeds = [0, 1]
        settings = ["uniform", "depth_ramp beta=0.02"]
        [calibration]
        source = "file:text.txt"
        sequences = 4
        length = 12
        [evaluation]
        source = "file:text.txt"
        windows = 5
        length = 12
        """
    )
    asked = read_study(file)
    assert len(asked.settings) == 8 and asked.model == "./tiny"
    assert asked.calibration.source == f"file:{tmp_path.resolve() / 'text.txt'}"
    assert asked.evaluation.text.sequences == 5
    assert {each.allocation.target for each in asked.settings} == {0.5, 0.6}


def test_patterns_join_a_study_or_are_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text('patterns = ["2:4", "4:8"]\npruners = ["wanda", "sparsegpt"]')
    alone = read_study(file).settings
    assert {(each.pruner, each.pattern) for each in alone} == {
        (pruner, kept) for pruner in ("wanda", "sparsegpt") for kept in ("2:4", "4:8")
    }
    file.write_text('patterns = ["1:4"]\ntargets = [0.75]\nseeds = [0, 1]')
    joined = read_study(file).settings
    assert [(each.pattern, each.allocation.target) for each in joined] == [(None, 0.75)] * 2 + [("1:4", 0.75)] * 2


def test_strengths_and_controls_are_combined_with_every_setting(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        'settings = ["uniform", "owl m=5 driver=skip"]\ntargets = [0.6]\nstrengths = [0, 0.02, 0.04]\n'
        'controls = ["none", "reversed", "shuffled", "ramp"]\nshuffles = 3'
    )
    asked = read_study(file).settings
    assert len(set(asked)) == len(asked) == 2 * (1 + 2 * (1 + 1 + 3 + 1))
    assert [each.allocation for each in asked[:2]] == [
        grammar.method(words, 0.6) for words in ("uniform", "uniform strength=0.02")
    ]
    corrections = [each.allocation.correction for each in asked if each.allocation.base.kind == "owl"]
    assert {each.driver for each in corrections} == {"skip"}
    assert [each.seed for each in corrections if each.control == "shuffled"] == [0, 1, 2] * 2
    file.write_text('strengths = [0.04]\ncontrols = ["shuffled"]')
    assert [each.allocation.correction.seed for each in read_study(file).settings] == [0, 1, 2, 3, 4]
    file.write_text('patterns = ["2:4"]\nstrengths = [0.04]')
    assert [each.pattern for each in read_study(file).settings] == [None, "2:4"]


def test_an_allocation_in_a_file_joins_with_its_own_budget(tmp_path: Path) -> None:
    """Once, whatever the targets; its path counts from the study's folder."""
    (tmp_path / "numbers.json").write_text('{"sparsity": [0.25, 0.75], "budget": 0.55}')
    file = tmp_path / "study.toml"
    file.write_text('settings = ["uniform", "numbers.json"]\ntargets = [0.5, 0.6]\nseeds = [0, 1]')
    asked = [each.allocation for each in read_study(file).settings]
    assert [each.target for each in asked] == [0.5, 0.5, 0.6, 0.6, 0.55, 0.55]
    assert [each.base.by_hand for each in asked] == [False] * 4 + [True] * 2
    assert asked[-1] == grammar.from_file(tmp_path / "numbers.json")


def test_an_allocation_in_a_file_is_called_as_the_file_says(tmp_path: Path) -> None:
    """Two of unlike names are told apart; a file without a name is what it was, to its key."""
    for name in ("Response (by Wanda)", "Response by ALPS + refit", "größer (2)"):
        (tmp_path / "named.json").write_text(json.dumps({"name": name, "sparsity": [0.25, 0.75]}))
        found = Setting(allocation=grammar.from_file(tmp_path / "named.json"))
        assert naming.setting(found) == f"{name}, 50 % zeros, Wanda"
        assert found.name == f'manual name="{name}" unclipped=yes:0.5'
        assert Setting.model_validate_json(found.model_dump_json()) == found
    (tmp_path / "plain.json").write_text("[0.25, 0.75]")
    plain = Setting(allocation=grammar.from_file(tmp_path / "plain.json"))
    assert set(naming.titles([plain, found]).values()) == {"set by hand", "größer (2)"}
    assert plain.key != found.key and "name" not in plain.allocation.base.model_dump()


@pytest.mark.parametrize("name", ["<b>", "a, b", "_a_", "[a](b)", "%{x}", "=1", " a", "a\n", "a" * 61, 5, "a`b", "$a$"])
def test_a_name_with_signs_that_mean_something_elsewhere_is_refused(tmp_path: Path, name: object) -> None:
    (tmp_path / "named.json").write_text(json.dumps({"name": name, "sparsity": [0.25, 0.75]}))
    with pytest.raises(UserError, match=r"^name: ") as told:
        grammar.from_file(tmp_path / "named.json")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("targets = 0.5", "targets"), ("patterns = ['4:2']", "4:2"), ("colour = 'red'", "colour"),
        ("targets = [1.5]", "target"), ("settings = ['owl m=3.3']", "m"), ("settings = ['owll']", "owll"),
        ("settings = ['owl lam']", "lam"), ("settings = ['owl colour=3']", "colour"),
        ("[evaluation]\nwindow = 3", "window"), ("not toml", "TOML"), ("calibration = 3", "[calibration]"),
        ("evaluation = 'demo'", "[evaluation]"), ("model = 5", "model: "), ("profile = 5", "profile: "),
        ("settings = [1]", "settings = ['uniform']"), ("patterns = [2]", "patterns = ['2:4']"),
        ("targets = ['0.5']", "targets = [0.7]"), ("seeds = [true]", "seeds = [0]"),
        ("[calibration]\nsource = 3", "[calibration] source"),
        ("[calibration]\nsequences = 0", "[calibration] sequences"),
        ("[evaluation]\nwindows = 0", "[evaluation] sequences"),
        ("[evaluation]\nexamples = 'all'", "[evaluation] examples"),
        ("[evaluation]\ntasks = 'arc_easy'", "[evaluation] tasks"),
        ("[evaluation]\ntasks = ['arc_easy']\ntasks_from = 3", "[evaluation] tasks_from"),
        ("[evaluation]\ntasks_from = 'folder'", "tasks"), ("controls = ['reversed']", "strengths"),
        ("strengths = 0.04", "strengths"), ("strengths = [0.04]\nshuffles = 0", "shuffles"),
        ("strengths = [0.04]\ncontrols = ['backwards']", "backwards"),
        ("strengths = [0.04]\nsettings = ['owl control=reversed']", "control"),
        ("settings = ['numbers.json']", "numbers.json"),
        ("strengths = [0.04]\nsettings = ['numbers.json']", "a file, which no correction is put on"),
    ],
)  # fmt: skip
def test_a_bad_study_file_gets_one_sentence(tmp_path: Path, content: str, named: str, refused) -> None:
    file = tmp_path / "study.toml"
    file.write_text(content)
    with refused(named):
        read_study(file)


# --- written -------------------------------------------------------------------------------------------------------

WORDS = (
    "uniform", "uniform high=0.99", "owl m=5 lam=0.08", "owl m=3.5 lam=0.1 strength=0.04 driver=skip control=reversed",
    "alphapruning epsilon=0.2 estimator=hill", "dlp alpha=0.1 statistic=median high=0.9", "depth_ramp beta=-1e-07",
    "response objective=drift granularity=linear", "uniform strength=0.01 control=shuffled seed=3 clip=2.0",
)  # fmt: skip
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda typed: f"someone/{typed}")


def some(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, min_size=1, max_size=3, unique=True)


@st.composite
def families(draw: st.DrawFn) -> tuple[Setting, ...]:
    """Every combination of a few pruners, seeds, and either patterns or methods with targets."""
    if draw(st.booleans()):
        patterns = draw(some(st.sampled_from([("2:4", 0.5), ("1:4", 0.75)])))
        kept = [(uniform(sparsity), name) for name, sparsity in patterns]
    else:
        targets = draw(some(st.floats(0, 0.9) | st.sampled_from([0, 0.7])))
        kept = [(grammar.method(words, each), None) for words in draw(some(st.sampled_from(WORDS))) for each in targets]
    pruners = draw(some(st.sampled_from(["wanda", "magnitude", "sparsegpt"])))
    repairs = draw(some(st.sampled_from([None, "refit"])))
    seeds = draw(some(st.integers(0, 10**6)))
    sequential = draw(st.booleans())
    return tuple(
        Setting(
            pruner=pruner,
            repair=repair,
            allocation=asked,
            pattern=pattern,
            true_sequential=sequential,
            calibration_seed=seed,
        )
        for pruner, repair, (asked, pattern), seed in product(pruners, repairs, kept, seeds)
    )


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
    dict, tasks=some(text).map(tuple), tasks_from=st.sampled_from([None, str(Path("/of tasks").resolve())])
) | st.just({})
requests = st.builds(
    StudyRequest,
    model=text | st.just("demo"),
    revision=st.none() | text,
    dtype=st.sampled_from(["float32", "bfloat16"]),
    profile=st.none() | text,
    calibration=windows,
    settings=families(),
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
def test_what_is_written_reads_back_as_the_same_request(request: StudyRequest, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(write_study(request), encoding="utf-8", newline="")
    again = read_study(file)
    assert set(again.settings) == set(request.settings)
    assert again.model_copy(update={"settings": request.settings}) == request


@pytest.mark.parametrize("odd", [{"correction": Correction(driver="skip")}, {"unclipped": True}])
def test_what_no_list_names_is_said_with_the_setting(odd: dict, tmp_path: Path) -> None:
    asked = Setting(allocation=AllocationRequest(**odd))
    file = tmp_path / "study.toml"
    file.write_text(write_study(StudyRequest(settings=(asked,))))
    assert read_study(file).settings == (asked,)


OWL = Setting(allocation=grammar.method("owl", 0.7))
HALF = Setting(allocation=uniform(0.5))


@pytest.mark.parametrize(
    "asked",
    [
        (),
        (OWL, Setting(allocation=grammar.method("dlp", 0.6))),
        (HALF, HALF.model_copy(update={"pattern": "2:4"})),
        (HALF, HALF.model_copy(update={"true_sequential": True})),
    ],
)
def test_a_list_that_a_study_file_cannot_say_is_refused(asked: tuple[Setting, ...], refused) -> None:
    with refused("not every allocation"):
        write_study(StudyRequest(settings=asked))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[" * 100_000, "JSON"),
        (f'{{"sparsity": [0.5], "budget": 1{"0" * 400}}}', "budget"),
        (f"[1{'0' * 400}]", "numbers"),
    ],
    ids=("deep", "budget", "sparsity"),
)
def test_an_allocation_file_that_no_number_holds(content: str, named: str, tmp_path: Path, refused) -> None:
    (tmp_path / "file.json").write_text(content, encoding="utf-8")
    with refused("file.json" if named != "budget" else "budget", named):
        grammar.from_file(tmp_path / "file.json")
