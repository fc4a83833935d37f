"""`prune`, `evaluate` and `study` on the command line: JSON out, tables for people, one sentence for a bad request."""

import json

import numpy as np
import pytest
from gguf import GGUFReader

from core.cli import terminal
from core.jobs import execute, worker
from core.methods import Manual
from core.prune import pruned_model
from core.requests import AllocationRequest, Recipe
from core.results import Prediction, stored_forecasts
from core.store import Store
from tests import tiny
from tests.builders import requests
from tests.core.breaking import breaking

MODEL = str(tiny.folder("llama"))
SMALL = ["--sequences", "4", "--length", "12", "--windows", "9"]


@pytest.fixture
def texts(tmp_path):
    """A text for both roles."""
    text = tiny.text_file(tmp_path)
    return ["--calibration", text, "--evaluate", text]


@pytest.fixture
def run(say):
    """Run one command on the CPU."""
    return lambda *words: say(*words, "--device", "cpu")


@pytest.fixture
def measure(run, texts):
    """Measure the tiny model, or another, on a small text."""
    few = ["--sequences", 4, "--length", 12, "--json"]
    return lambda *names, model=MODEL: run(
        "measure", "--model", model, "--text", texts[1], "--perturb", ",".join(names), *few
    )


@pytest.fixture
def prune(run, texts):
    """Prune a tiny model on a small text."""
    return lambda *words, by="uniform:0.5", model=MODEL: run(
        "prune", "--model", model, *(["--allocation", by] if by else []), *SMALL, *texts, *words
    )


@pytest.fixture
def study(run, texts, tmp_path):
    """Run a study file of the tiny model that says this besides."""

    def asked(text, *words):
        read = "[calibration]\nsequences = 4\n{0}[evaluation]\nwindows = 9\n{0}".format(
            'source = "file:text.txt"\nlength = 12\n'
        )
        (tmp_path / "study.toml").write_text(f'model = "{MODEL}"\ntargets = [0.5]\n{text}\n{read}')
        return run("study", tmp_path / "study.toml", *words)

    return asked


def test_study_and_prune_say_how_far_off_a_prediction_was(prune, study, monkeypatch):
    made = Prediction(perplexity=50.0, low=40.0, high=60.0, loss_increase=0.1, off=0.03)
    monkeypatch.setattr(
        stored_forecasts, "check_settings", lambda _, found: {each.setting: made for each in found.settings}
    )
    dense, *rows = study('settings = ["depth_ramp beta=0.05"]', "--json").json["points"]
    assert len(rows) == 2 and "predicted" not in dense
    assert [row["predicted"] for row in rows] == [made._asdict()] * 2
    assert prune("--json").json["predicted"] == made._asdict()
    assert "uniform:0.5: predicted 50.0 [40.0, 60.0] from other settings, measured" in " ".join(prune().out.split())


def test_an_export_has_the_bytes_that_are_told_and_evaluates_as_measured(prune, run, texts, tmp_path):
    told = prune("--json", "--export", tmp_path / "out", "--format", "gguf:Q4_0").json
    sizes = {row["form"]: row["bytes"] for row in told["forms"]}
    dense, masked, eight, four = told["forms"]
    assert dense["perplexity"] == told["dense"]["perplexity"] and dense["share"] == 1
    assert masked["perplexity"] == told["evaluation"]["perplexity"]
    assert eight["perplexity"] is four["perplexity"] is None
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    assert 0 < told["export"]["bytes"] - sizes["Q4_0"] < 40_000, "more than settings and vocabulary besides"
    assert told["verdict"].startswith("A dense Q4_0 file takes")
    assert {row["tokens_per_second"] for row in told["forms"]} == {None}
    assert (tmp_path / "out" / "model.gguf").stat().st_size == told["export"]["bytes"]
    assert prune("--json", "--export", tmp_path / "dense").json["export"]["folder"] == str(tmp_path / "dense")
    read = ["--text", texts[1], "--windows", 9, "--length", 12, "--json"]
    again = run("evaluate", "--model", tmp_path / "dense", *read).json
    assert again["perplexity"] == pytest.approx(told["evaluation"]["perplexity"], rel=1e-5)


def test_a_trained_model_has_anchors_by_the_budget_named(measure, run, texts):
    key = measure("residual:wanda:0.5", "residual:wanda:0.95").json["key"]
    asked = ["anchors", "--profile", key, "--repair", "distill", *SMALL, *texts]
    run(*asked).refused("recover_minutes or recover_tokens")
    told = run(*asked, "--recover-tokens", 2048, "--pruner-windows", 2, "--json").json
    settings = [each["setting"] for each in told["points"] if "setting" in each]
    trained = {(each["repair"], each["recover_tokens"], each["pruner_windows"]) for each in settings}
    assert len(settings) == 4 and trained == {("distill", 2048, 2)}


def test_a_budget_in_bytes_is_what_the_export_writes_and_allocate_says_it_too(say, measure, prune, tmp_path):
    """In GGUF types, whose file tells the bytes of every weight."""
    words = "--at-most", "44kB", "--export", tmp_path / "out", "--format", "gguf", "--json"
    found = prune(*words, by="uniform currency=gguf").json
    written = sum(tensor.n_bytes for tensor in GGUFReader(next((tmp_path / "out").glob("*.gguf"))).tensors)
    assert written <= found["forms"][1]["bytes"] <= 44_000
    key = measure("skip").json["key"]
    asked = "allocate", "--profile", key, "--allocation", "uniform currency=gguf", "--at-most", "44kB", "--json"
    told = say(*asked).json
    assert told["file_bytes"] == pytest.approx(written, abs=2) and told["sparsity"] == found["planned"]
    say(*asked, "--max-loss", "10%").refused("--max-loss and --at-most", "give one of the two")
    prune("--at-most", "1kB", by="uniform").refused("cannot be met")


def test_prune_says_planned_achieved_and_what_it_and_a_repair_cost(prune):
    found = prune("--json", by="depth_ramp beta=0.05:0.6").json
    assert np.shape(found["planned"]) == (4,) and np.shape(found["achieved"]) == (4, 7)
    assert found["evaluation"]["perplexity"] > 1 and found["evaluation"]["windows"] == 9
    assert found["dense"]["kl"] == pytest.approx(0, abs=1e-6)
    low, high = found["against_uniform"]["interval"]
    assert low <= found["against_uniform"]["percent"] <= high
    assert prune("--json", by="depth_ramp beta=0.05:0.6").json == found, "found again, bit for bit"
    repaired = prune("--repair", "refit", "--json", by="depth_ramp beta=0.05:0.6").json
    assert repaired["setting"] == "depth_ramp beta=0.05 repair=refit:0.6"
    assert repaired["achieved"] == found["achieved"]
    assert repaired["evaluation"]["seconds_pruning"] >= 0 and repaired["dense"]["seconds_pruning"] is None
    assert all(repaired[each]["kl"] < found[each]["kl"] for each in ("evaluation", "uniform"))


def test_what_the_model_cannot_have_is_refused_before_anything_is_evaluated(prune, tmp_path):
    assert "layer 0, self_attn.q_proj: 3:5 does not fit its" in prune("--pattern", "3:5", by=None).err
    prune("--export", tmp_path / "out", "--format", "gguf:Q9").refused("gguf:Q9", "gguf:Q4_0")
    prune("--windows", 0).refused("--windows")
    (tmp_path / "cache").mkdir(exist_ok=True)
    prune("--export", tmp_path / "cache" / "x").refused("inside the cache")
    assert not list((tmp_path / "cache").glob("evaluated*/*"))


def test_a_mixture_of_experts_is_refused_with_the_reason(prune, measure):
    """If it is to be pruned, or only to be hurt by pruning."""
    model = tiny.folder("mixtral")
    why = ("MixtralDecoderLayer", "mlp.experts", "whose inputs cannot be watched", "drift can be measured")
    prune("--json", model=model).refused(*why)
    measure("residual:wanda:0.5", model=model).refused(*why)


@pytest.fixture
def studied(study):
    """A study of two ramps and a pattern, as its command line said it."""
    return study(
        'settings = ["depth_ramp beta=0.02", "depth_ramp beta=0.04"]\npoints = ["uniform pattern=2:4:0.5"]', "--json"
    ).json


def test_a_setting_of_a_study_is_exported_with_its_numbers(studied, run, tmp_path):
    for words, point in (("beta=0.04", 3), ("2:4", 4)):
        folder = tmp_path / words.replace(":", "-")
        made = run("export", studied["key"][:6], "--setting", words, "--to", folder, "--json").json
        assert made["folder"] == str(folder) and made["setting"] == studied["points"][point]["name"]
        perplexity = studied["points"][point]["perplexity"]
        assert f"{perplexity:.4g}" in (folder / "README.md").read_text()
    for options, *named in (
        ([], "--setting", "beta=0.02", "beta=0.04"),
        (["--setting", "depth_ramp"], "several", "beta=0.02"),
        (["--setting", "owl"], "no setting", "owl", "uniform"),
    ):
        run("export", studied["key"], "--to", tmp_path / "out", *options).refused(*named)


def test_the_recipe_of_an_export_makes_it_again(study, prune, run, tmp_path):
    key = study('dtype = "bfloat16"\nsettings = ["depth_ramp beta=0.04"]\nseeds = [1]', "--json").json["key"]
    first, again = tmp_path / "our model", tmp_path / "again"
    assert run("export", key, "--setting", "depth_ramp", "--to", first, "--json").json
    same = ("--dtype", "bfloat16", "--seed", 1, "--export", again)
    assert prune(*same, "--json", by=first / "recipe.json").json["export"]["folder"] == str(again)
    recipes = [json.loads((each / "recipe.json").read_bytes())["recipe"] for each in (first, again)]
    assert recipes[0]["sparsity"] == recipes[1]["sparsity"]
    assert recipes[0]["calibration"] == recipes[1]["calibration"]
    assert len({(each / "model.safetensors").read_bytes() for each in (first, again)}) == 1


def test_a_name_of_several_settings_is_refused(run, texts, tmp_path):
    by_hand = [Manual(sparsity=row) for row in ((0.4, 0.5, 0.5, 0.6), (0.6, 0.5, 0.5, 0.4))]
    recipes = [Recipe(allocation=AllocationRequest(base=each, target=0.5)) for each in by_hand]
    key = execute.get(requests.study(texts[1], *recipes), Store(tmp_path / "cache")).key
    for words in ("manual", "manual:0.5"):
        run("export", key, "--to", tmp_path / "out", "--setting", words).refused("several settings", "tells them apart")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", ["1:32", "allocation.json"])
def test_sparsities_beyond_the_usual_bound_are_pruned(words, prune, tmp_path):
    (tmp_path / "allocation.json").write_text(json.dumps({"sparsity": [0.96, 0.97, 0.97, 0.98]}))
    pattern = words == "1:32"
    found = prune(*(["--pattern", words] if pattern else ["--allocation", tmp_path / words]), "--json", by="").json
    share = 1 - 1 / 32 if pattern else 0.97
    assert np.mean(found["planned"]) == pytest.approx(share) and found["uniform"]["perplexity"] > 1
    if pattern:
        assert found["setting"] == "uniform high=0.96875 pattern=1:32:0.96875"
        assert {*np.ravel(found["achieved"])} == {share}


def test_an_interruption_says_that_what_is_finished_is_kept(prune, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(worker, "run", interrupted)
    told = prune("--json")
    assert told.code == 1 and told.out == "" and told.err.splitlines()[-1].startswith("cancelled: ")


@pytest.mark.parametrize(
    ("sparsity", "named"),
    [
        ([0.5, 1.5, 0.5, 0.5], ["layer 1", "1.5"]), ([[0.5, 0.5], 0.5], ["every layer"]),
        ([[[0.5]]], ["layer 0", "not a number"]), ([float("nan")] * 4, ["layer 0", "nan"]),
    ],
)  # fmt: skip
def test_sparsities_that_cannot_be_are_refused_before_anything_runs(sparsity, named, prune, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "run", lambda *_: pytest.fail("a job was run"))
    (tmp_path / "allocation.json").write_text(json.dumps({"sparsity": sparsity}))
    told = prune("--json", by=tmp_path / "allocation.json")
    told.refused(*named)
    assert "tuple" not in told.err


def test_what_breaks_is_told_and_not_exported(prune, tmp_path, monkeypatch):
    broken = breaking(pruned_model.prune_layers, lambda plan: np.std(plan.sparsity) > 0)
    monkeypatch.setattr(pruned_model, "prune_layers", broken)
    ramp = "depth_ramp beta=0.05:0.5"
    found = prune("--json", by=ramp).json
    assert found["evaluation"]["perplexity"] is None and found["evaluation"]["broken_at_layer"] == 1
    assert found["uniform"]["perplexity"] > 1 and found["against_uniform"]["percent"] is None
    assert len(found["warnings"]) == 1 and "not finite" in found["warnings"][0]
    out = prune(by=ramp).out
    assert found["warnings"][0] in out
    assert "helped along" not in out and "nan %" not in out
    told = prune("--export", tmp_path / "out", by=ramp)
    assert told.code == 2 and "not finite" in told.err and not (tmp_path / "out").exists()


def test_a_study_tells_protocol_base_seeds_and_shuffles(measure, study, monkeypatch):
    """Of a correction with its shuffles, of two bases and three calibration seeds."""
    key = measure("gaussian:0.3").json["key"]
    ramp = "depth_ramp beta=0.02"
    fixed = [f"{ramp} strength=0.05{more}" for more in ("", *(f" control=shuffled seed={seed}" for seed in range(3)))]
    asked = f'profile = "{key}"\nseeds = [0, 1, 2]\nsettings = {json.dumps([ramp, *fixed])}'
    assert_told({each["name"]: each for each in study(asked, "--json").json["points"]})

    monkeypatch.setattr(terminal.out, "width", 200)
    told = study(asked).out
    assert "against its base" in told and "9 × 12 tokens" in told and told.count("text.txt, 4 × 12") == 1
    parts = ("depth_ramp beta=0.02:0.5", " over 3 calibration seeds", "3 shuffles against the correction")
    assert all(part in told for part in parts)


def assert_told(points):
    """What the JSON says of each point of that study, by name."""
    plain, fixed = (points[f"depth_ramp beta=0.02{more}:0.5"] for more in ("", " strength=0.05 driver=gaussian:0.3"))
    shuffled = [each for name, each in points.items() if "shuffled" in name and "calibration_seed" not in name]
    protocol = fixed["protocol"]
    assert (protocol["windows"], protocol["length"], protocol["dtype"]) == (9, 12, "float32")
    assert protocol["text"] and protocol["calibration"]["text"] and protocol["calibration"]["windows"] == 4
    assert len(protocol["text_hash"]) == 64 and points["dense"]["protocol"]["calibration"] is None
    seeds = [plain, *(points[f"depth_ramp beta=0.02 calibration_seed={seed}:0.5"] for seed in (1, 2))]
    assert [each["protocol"]["calibration"]["seed"] for each in seeds] == [0, 1, 2]

    assert fixed["against_base"] and plain["against_base"] is plain["over_shuffles"] is None
    over = plain["over_seeds"]
    assert list(over["each"].values()) == pytest.approx([each["against_uniform"]["percent"] for each in seeds])
    assert over["seeds"] == 3 and over["interval"][0] < over["percent"] < over["interval"][1]

    spread = fixed["over_shuffles"]
    assert spread["shuffles"] == len(shuffled) == 3 and all(each["over_shuffles"] == spread for each in shuffled)
    for name in ("against_uniform", "against_base"):
        values = [each[name]["percent"] for each in shuffled]
        assert spread[name] == pytest.approx([min(values), max(values)])
