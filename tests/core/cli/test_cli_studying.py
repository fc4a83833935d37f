"""`prune`, `evaluate` and `study` on the command line: JSON out, tables for people, one sentence for a bad request."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from core.cli import main, output, studying
from core.evaluation import pruned as walking
from core.jobs import experiment, worker
from core.specs import AllocationRequest, EvaluationRequest, Manual, Setting, StudyRequest, UserError, WindowRequest
from core.store.cache import Store
from tests import tiny
from tests.core.breaking import breaking

MODEL = str(tiny.folder("llama"))
SMALL = ["--sequences", "4", "--length", "12", "--windows", "9"]


@pytest.fixture
def texts(tmp_path: Path, no_demo: Path) -> list[str]:
    """A text for both roles, and a cache of its own."""
    text = tiny.text_file(tmp_path)
    return ["--calibration", text, "--evaluate", text, "--cache", str(tmp_path / "cache"), "--device", "cpu"]


def said(capsys: pytest.CaptureFixture) -> dict:
    return json.loads(capsys.readouterr().out)


def test_prune_says_planned_achieved_and_what_it_cost(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    line = ["prune", "--model", MODEL, "--allocation", "depth_ramp beta=0.05:0.5", *SMALL, *texts, "--json"]
    assert main(line) == 0
    found = said(capsys)
    assert len(found["planned"]) == 4 and len(found["achieved"]) == 4 and len(found["achieved"][0]) == 7
    assert found["evaluation"]["perplexity"] > 1 and found["evaluation"]["windows"] == 9
    assert found["dense"]["kl"] == pytest.approx(0, abs=1e-6)
    low, high = found["against_uniform"]["interval"]
    assert low <= found["against_uniform"]["percent"] <= high
    assert main(line) == 0
    assert said(capsys) == found, "found again, bit for bit"


def test_prune_exports_what_evaluate_then_reads(
    texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert main(["prune", "--model", MODEL, "--allocation", "uniform:0.5", *SMALL, *texts, "--export", str(folder),
                 "--json"]) == 0  # fmt: skip
    pruned = said(capsys)
    assert pruned["export"]["folder"] == str(folder)
    text = texts[1]
    assert main(["evaluate", "--model", str(folder), "--text", text, "--windows", "9", "--length", "12",
                 "--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]) == 0  # fmt: skip
    assert said(capsys)["perplexity"] == pytest.approx(pruned["evaluation"]["perplexity"], rel=1e-5)


def test_a_pattern_brings_its_own_sparsity(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["prune", "--model", MODEL, "--pattern", "1:4", *SMALL, *texts, "--json"]) == 0
    found = said(capsys)
    assert found["setting"] == "uniform pattern=1:4:0.75" and found["planned"] == [0.75] * 4
    assert all(zeros == 0.75 for layer in found["achieved"] for zeros in layer)


def test_both_models_continue_a_prompt(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    line = ["prune", "--model", MODEL, "--allocation", "uniform:0.9", *SMALL, *texts, "--prompt", "The heron stood"]
    assert main([*line, "--json"]) == 0
    found = said(capsys)["writing"]
    assert found["prompt"] == "The heron stood" and found["dense"] and found["pruned"] != found["dense"]


def test_people_get_a_table(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["prune", "--model", MODEL, "--allocation", "uniform:0.5", *SMALL, *texts]) == 0
    out = capsys.readouterr().out
    assert "dense" in out and "uniform" in out and "perplexity" in out


def test_a_study_file_is_run(texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        f'model = "{MODEL}"\ntargets = [0.5]\nsettings = ["depth_ramp beta=0.02"]\n'
        '[calibration]\nsource = "file:text.txt"\nsequences = 4\nlength = 12\n'
        '[evaluation]\nsource = "file:text.txt"\nwindows = 9\nlength = 12\n'
    )
    assert main(["study", str(file), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]) == 0
    found = said(capsys)
    assert [each["name"] for each in found["points"]] == [
        "dense",
        "uniform:0.5",
        "depth_ramp beta=0.02:0.5",
    ]
    assert found["points"][2]["against_uniform"]["windows"] == 9


@pytest.fixture
def studied(texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path) -> dict:
    """A study of two ramps and a pattern, as its command line said it."""
    file = tmp_path / "study.toml"
    file.write_text(
        f'model = "{MODEL}"\ntargets = [0.5]\nsettings = ["depth_ramp beta=0.02", "depth_ramp beta=0.04"]\n'
        'patterns = ["2:4"]\n'
        '[calibration]\nsource = "file:text.txt"\nsequences = 4\nlength = 12\n'
        '[evaluation]\nsource = "file:text.txt"\nwindows = 9\nlength = 12\n'
    )
    assert main(["study", str(file), "--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]) == 0
    return said(capsys)


def test_a_setting_of_a_study_is_exported_with_its_numbers(
    studied: dict, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    line = ["export", studied["key"][:6], "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    for words, point in (("beta=0.04", 3), ("2:4", 4)):
        folder = tmp_path / words.replace(":", "-")
        assert main([*line, "--setting", words, "--to", str(folder), "--json"]) == 0
        made = said(capsys)
        assert made["folder"] == str(folder) and made["setting"] == studied["points"][point]["name"]
        perplexity = studied["points"][point]["perplexity"]
        assert f"{perplexity:.4g}" in (folder / "README.md").read_text()


@pytest.mark.parametrize("words", ["depth_ramp beta=0.04", "2:4"])
def test_the_line_on_the_card_makes_the_export_again(
    words: str, capsys: pytest.CaptureFixture, tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        f'model = "{MODEL}"\ndtype = "bfloat16"\ntargets = [0.5]\nsettings = ["depth_ramp beta=0.04"]\n'
        'patterns = ["2:4"]\nseeds = [1]\n'
        '[calibration]\nsource = "file:text.txt"\nsequences = 4\nlength = 12\n'
        '[evaluation]\nsource = "file:text.txt"\nwindows = 9\nlength = 12\n'
    )
    here = ["--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]
    assert main(["study", str(file), *here]) == 0
    first = tmp_path / "our model"
    assert main(["export", said(capsys)["key"], "--setting", words, "--to", str(first), *here]) == 0
    capsys.readouterr()
    card = (first / "README.md").read_text()
    [line] = [each for each in card.splitlines() if each.startswith("python -m core prune")]
    monkeypatch.chdir(tmp_path)
    assert main([*shlex.split(line)[3:], "--evaluate", texts[3], "--windows", "9", *here]) == 0
    made = Path(said(capsys)["export"]["folder"])
    assert made == tmp_path / "our model-again"
    recipes = [json.loads((each / "recipe.json").read_bytes())["recipe"] for each in (first, made)]
    assert recipes[0]["sparsity"] == recipes[1]["sparsity"]
    assert recipes[0]["calibration"] == recipes[1]["calibration"]
    assert len({(each / "model.safetensors").read_bytes() for each in (first, made)}) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ([], ["--setting", "beta=0.02", "beta=0.04"]),
        (["--setting", "depth_ramp"], ["several", "beta=0.02"]),
        (["--setting", "owl"], ["no setting", "owl", "uniform"]),
    ],
)
def test_a_setting_that_is_not_clear_is_asked_for(
    studied: dict, capsys: pytest.CaptureFixture, tmp_path: Path, options: list[str], named: list[str]
) -> None:
    line = ["export", studied["key"], "--cache", str(tmp_path / "cache"), "--to", str(tmp_path / "out"), *options]
    assert main(line) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.strip().splitlines()) == 1
    assert all(name in told.err for name in named)


def test_settings_that_differ_in_a_bound_are_told_apart(
    texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        f'model = "{MODEL}"\ntargets = [0.5]\n'
        'settings = ["depth_ramp beta=0.2 high=0.9", "depth_ramp beta=0.2 high=0.7"]\n'
        '[calibration]\nsource = "file:text.txt"\nsequences = 4\nlength = 12\n'
        '[evaluation]\nsource = "file:text.txt"\nwindows = 9\nlength = 12\n'
    )
    here = ["--cache", str(tmp_path / "cache"), "--device", "cpu", "--json"]
    assert main(["study", str(file), *here]) == 0
    key = said(capsys)["key"]
    for high, greatest in ((0.9, 0.8), (0.7, 0.7)):
        line = ["export", key, "--setting", f"depth_ramp beta=0.2 high={high}, 50%, wanda", "--to"]
        assert main([*line, str(tmp_path / f"out{high}"), *here]) == 0
        capsys.readouterr()
        recipe = json.loads((tmp_path / f"out{high}" / "recipe.json").read_bytes())["recipe"]
        assert np.max(recipe["sparsity"]) == pytest.approx(greatest)


def test_a_name_of_several_settings_is_refused(texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    by_hand = [Manual(sparsity=row) for row in ((0.4, 0.5, 0.5, 0.6), (0.6, 0.5, 0.5, 0.4))]
    window = WindowRequest(source=texts[1], sequences=4, length=12)
    asked = StudyRequest(
        model=MODEL,
        calibration=window,
        settings=tuple(Setting(allocation=AllocationRequest(base=each, target=0.5)) for each in by_hand),
        evaluation=EvaluationRequest(text=window),
    )
    store = Store(tmp_path / "cache")
    line = ["export", experiment.get(asked, store).key, "--cache", str(store.root), "--to", str(tmp_path / "out")]
    for words in ("manual", "manual:0.5", "manual, 50%, wanda", "set by hand, 50% zeros, Wanda"):
        assert main([*line, "--setting", words]) == 2
        told = capsys.readouterr().err
        assert '2 settings named "manual:0.5"' in told and len(told.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", ["uniform high=0.99:0.97", "1:32", "allocation.json"])
def test_sparsities_beyond_the_usual_bound_are_pruned(
    words: str, texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "allocation.json").write_text(json.dumps({"sparsity": [0.96, 0.97, 0.97, 0.98]}))
    asked = ["--pattern", words] if words == "1:32" else ["--allocation", words.replace("all", f"{tmp_path}/all")]
    assert main(["prune", "--model", MODEL, *asked, *SMALL, *texts, "--json"]) == 0
    found = said(capsys)
    assert np.mean(found["planned"]) == pytest.approx(1 - 1 / 32 if words == "1:32" else 0.97)
    assert found["uniform"]["perplexity"] > 1


def test_an_interruption_says_that_what_is_finished_is_kept(
    texts: list[str], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "run", interrupted)
    assert main(["prune", "--model", MODEL, "--allocation", "uniform:0.5", *SMALL, *texts, "--json"]) == 1
    told = capsys.readouterr()
    assert told.out == "" and told.err.splitlines()[-1].startswith("cancelled: ")


def test_spaces_between_tasks_are_no_part_of_their_names(
    texts: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[StudyRequest] = []

    def read(request: StudyRequest, *_: object) -> None:
        asked.append(request)
        raise UserError("it was read, and that will do")

    monkeypatch.setattr(studying, "run", read)
    tasks = ["--tasks", " arc_easy, boolq,", "--tasks", "rte ", "--tasks-from", str(tmp_path)]
    assert main(["prune", "--model", MODEL, "--allocation", "uniform:0.5", *SMALL, *texts, *tasks]) == 2
    assert asked[0].evaluation.tasks == ("arc_easy", "boolq", "rte")


def test_a_folder_of_tasks_without_a_task_is_refused(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["evaluate", "--model", MODEL, "--text", texts[1], "--tasks", " , ", "--tasks-from", "."]) == 2
    assert "add --tasks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--allocation", "uniform:1.2"], "target"),
        (["--allocation", "owl:0.5"], "profile"),
        (["--allocation", "uniform"], "uniform"),
        (["--allocation", "uniform:0.7", "--pattern", "2:4"], "2:4"),
        (["--allocation", "uniform:0.5", "--pattern", "4:2"], "4:2"),
        (["--pruner", "wandaa"], "pruner"),
        (["--sequences", "4000"], "4000"),
        (["--tasks", "arc_easyy", "--tasks-from", "nowhere"], "nowhere"),
        (["--export", "/nowhere/at/all"], "/nowhere"),
        (["--examples", "-1"], "examples"),
        (["--tasks-from", "."], "--tasks"),
        (["--windows", "0"], "--windows 0"),
        (["--sequences", "0"], "--sequences 0"),
        (["--length", "4"], "--length 4"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_2(
    texts: list[str], capsys: pytest.CaptureFixture, options: list[str], named: str
) -> None:
    line = {"--allocation": "uniform:0.5", "--sequences": "4", "--length": "12", "--windows": "9"}
    line |= dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in line.items() for word in pair]
    assert main(["prune", "--model", MODEL, *words, *texts, "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.strip().splitlines()) == 1 and named in told.err


@pytest.mark.parametrize(
    ("sparsity", "named"),
    [
        ([0.5, 1.5, 0.5, 0.5], ["layer 1", "1.5"]),
        ([0.5, 0.5, 0.5, -0.1], ["layer 3", "-0.1"]),
        ([[0.5, 0.5], 0.5], ["every layer"]),
        ([[[0.5]]], ["layer 0", "not a number"]),
        ([float("nan")] * 4, ["layer 0", "nan"]),
    ],
)
def test_sparsities_that_cannot_be_are_refused_before_anything_runs(
    sparsity: list, named: list[str], texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(worker, "run", lambda *_: pytest.fail("a job was run"))
    file = tmp_path / "allocation.json"
    file.write_text(json.dumps({"sparsity": sparsity}))
    assert main(["prune", "--model", MODEL, "--allocation", str(file), *SMALL, *texts, "--json"]) == 2
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.strip().splitlines()) == 1
    assert all(name in told.err for name in named) and "tuple" not in told.err


def test_an_export_into_the_cache_is_refused_before_anything_runs(
    texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "run", lambda *_: pytest.fail("a job was run"))
    (tmp_path / "cache").mkdir()
    there = ["--export", str(tmp_path / "cache" / "x")]
    assert main(["prune", "--model", MODEL, "--allocation", "uniform:0.5", *SMALL, *texts, *there]) == 2
    assert "inside the cache" in capsys.readouterr().err


@pytest.mark.parametrize("why", ["holds the model that is pruned", "bytes free where the export needs"])
def test_an_export_that_cannot_be_is_refused_before_anything_runs(
    why: str, texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, line = tmp_path / "first", ["prune", "--allocation", "uniform:0.5", "--pruner", "magnitude", *SMALL, *texts]
    assert main([*line, "--model", MODEL, "--export", str(first), "--json"]) == 0
    capsys.readouterr()
    monkeypatch.setattr(worker, "run", lambda *_: pytest.fail("a job was run"))
    there = first
    if "free" in why:
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
        there = tmp_path / "second"
    assert main([*line, "--model", str(first), "--export", str(there), "--overwrite"]) == 2
    assert why in capsys.readouterr().err


def test_a_setting_that_breaks_the_model_is_told_plainly_and_not_exported(
    texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "walk", breaking(walking.walk, lambda plan: np.std(plan.sparsity) > 0))
    line = ["prune", "--model", MODEL, "--allocation", "depth_ramp beta=0.05:0.5", *SMALL, *texts]
    assert main([*line, "--json"]) == 0
    found = said(capsys)
    assert found["evaluation"]["perplexity"] is None and found["evaluation"]["broken_at_layer"] == 1
    assert found["uniform"]["perplexity"] > 1 and found["against_uniform"]["percent"] is None
    assert len(found["warnings"]) == 1 and "not finite" in found["warnings"][0]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "broke the model: layer 1, self_attn.q_proj: " in out
    assert "helped along" not in out and "nan %" not in out
    assert main([*line, "--export", str(tmp_path / "out")]) == 2
    assert "not finite" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.fixture
def corrected(texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path) -> list[str]:
    """The command line of a study of a correction with all its controls, of two bases and three calibration seeds."""
    here = ["--cache", str(tmp_path / "cache"), "--device", "cpu"]
    measure = ["measure", "--model", MODEL, "--text", texts[1], "--sequences", "2", "--length", "12"]
    assert main([*measure, "--perturb", "gaussian:0.3", *here, "--json"]) == 0
    file = tmp_path / "study.toml"
    file.write_text(
        f'model = "{MODEL}"\nprofile = "{said(capsys)["key"]}"\ntargets = [0.5]\nseeds = [0, 1, 2]\n'
        'settings = ["depth_ramp beta=0.02"]\nstrengths = [0, 0.05]\ncontrols = ["none", "shuffled"]\nshuffles = 3\n'
        '[calibration]\nsource = "file:text.txt"\nsequences = 4\nlength = 12\n'
        '[evaluation]\nsource = "file:text.txt"\nwindows = 9\nlength = 12\n'
    )
    return ["study", str(file), *here]


def test_a_study_tells_protocol_base_seeds_and_shuffles(corrected: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main([*corrected, "--json"]) == 0
    points = {each["name"]: each for each in said(capsys)["points"]}
    plain, fixed = (points[f"depth_ramp beta=0.02{more}:0.5"] for more in ("", " strength=0.05 driver=gaussian:0.3"))
    shuffled = [each for name, each in points.items() if "shuffled" in name and "calibration_seed" not in name]
    protocol = fixed["protocol"]
    assert (protocol["windows"], protocol["length"], protocol["dtype"]) == (9, 12, "float32")
    assert protocol["text"] and protocol["calibration"]["text"] and protocol["calibration"]["windows"] == 4
    assert len(protocol["text_hash"]) == 64 and points["dense"]["protocol"]["calibration"] is None
    assert [points[f"uniform calibration_seed={seed}:0.5"]["protocol"]["calibration"]["seed"]
            for seed in (1, 2)] == [1, 2]  # fmt: skip

    ratio = fixed["perplexity"] / plain["perplexity"]
    assert fixed["against_base"]["percent"] == pytest.approx(100 * (ratio - 1))
    assert plain["against_base"] is None and plain["over_shuffles"] is None

    over = plain["over_seeds"]
    seeds = [plain, *(points[f"depth_ramp beta=0.02 calibration_seed={seed}:0.5"] for seed in (1, 2))]
    assert list(over["each"].values()) == pytest.approx([each["against_uniform"]["percent"] for each in seeds])
    assert over["seeds"] == 3 and over["interval"][0] < over["percent"] < over["interval"][1]
    assert points["uniform:0.5"]["over_seeds"] is None

    spread = fixed["over_shuffles"]
    assert spread["shuffles"] == len(shuffled) == 3 and all(each["over_shuffles"] == spread for each in shuffled)
    for name in ("against_uniform", "against_base"):
        values = [each[name]["percent"] for each in shuffled]
        assert spread[name] == pytest.approx([min(values), max(values)])


def test_people_read_base_seeds_and_shuffles(
    corrected: list[str], capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.out, "width", 200)
    assert main(corrected) == 0
    told = capsys.readouterr().out
    assert "against base" in told and "9 x 12 tokens, float32" in told
    assert told.count("text.txt, 4 x 12 tokens") == 1
    [line] = [each for each in told.splitlines() if each.startswith("depth_ramp beta=0.02:0.5: ")]
    assert " over 3 calibration seeds" in line
    assert told.count("gaussian:0.3:0.5, 3 shuffles of it: ") == 1


def test_what_had_to_be_helped_along_is_told_with_an_export(
    studied: dict, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = walking.walk
    monkeypatch.setattr(walking, "walk", lambda *args: args[-1]("layer 2: damping raised") or real(*args))
    line = ["export", studied["key"], "--setting", "2:4", "--cache", str(tmp_path / "cache"), "--device", "cpu"]
    assert main([*line, "--to", str(tmp_path / "out")]) == 0
    assert "along: layer 2: damping raised." in capsys.readouterr().out


def test_an_allocation_for_another_depth_is_refused(
    texts: list[str], capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    file = tmp_path / "allocation.json"
    file.write_text(json.dumps({"sparsity": [0.5, 0.5, 0.5]}))
    assert main(["prune", "--model", MODEL, "--allocation", str(file), *SMALL, *texts, "--json"]) == 2
    assert "3 layers" in capsys.readouterr().err


def test_a_mixture_of_experts_is_refused(texts: list[str], capsys: pytest.CaptureFixture) -> None:
    model = str(tiny.folder("mixtral"))
    assert main(["prune", "--model", model, "--allocation", "uniform:0.5", *SMALL, *texts, "--json"]) == 2
    assert "cannot be pruned" in capsys.readouterr().err
