"""The command line: one JSON object on stdout, one line on stderr, three exit codes."""

import errno
import re
from tempfile import mkdtemp, mkstemp
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from core.base.formats import digits
from core.cli import main, measurements, output
from core.jobs import context
from core.measure import sweep as sweeps
from core.store import files, profiles
from core.store.cache import Store
from tests import tiny

PERTURB = "gaussian:0.3,residual:wanda:0.7,skip"


@pytest.fixture
def measure(say, tmp_path):
    """`measure` on a tiny model and a small text."""
    text = tiny.text_file(tmp_path)

    def run(*more):
        what = ["--model", tiny.folder("llama"), "--text", text, "--perturb", PERTURB]
        return say("measure", *what, "--sequences", 4, "--length", 12, "--device", "cpu", *more)

    return run


def test_measuring_twice_is_measuring_once(measure, tmp_path, monkeypatch):
    told = measure("--json")
    first = told.json
    assert "Already" not in told.err and first["layers"] == tiny.LAYERS and first["seconds"] >= 0
    assert first["perturbations"] == PERTURB.split(",")
    assert (first["sequences"], first["length"]) == (4, 12)
    monkeypatch.setattr(context, "load", lambda *_: pytest.fail("it was measured again"))
    again = measure("--json")
    assert again.json == first and again.err.startswith("Already in the cache")
    assert Store(tmp_path / "cache").profile(first["key"]).key == first["key"]


def test_the_command_the_library_and_the_store_agree(measure, say, tmp_path):
    key = measure("--json").json["key"]
    store = Store(tmp_path / "cache")
    from core.plan.gains import gains_of

    profile = profiles.load(store, store.profile(key))
    for row in say("show", key, "--json").json["perturbations"]:
        gains = gains_of(profile.seeds(row["name"]))
        np.testing.assert_allclose(row["gains"], gains.value)
        np.testing.assert_allclose(row["interval"], np.stack([gains.low, gains.high], 1))
        assert row["verdict"] == list(gains.verdicts) and row["verdict"][-1] is None
        assert row["gains"][-1] == 1


def test_a_matrix_is_square_and_null_below_the_diagonal(measure, say):
    key = measure("--json").json["key"]
    for name in PERTURB.split(","):
        matrix = say("show", key[:8], "--matrix", name, "--json").json["matrix"]
        assert len(matrix) == tiny.LAYERS
        for injection, row in enumerate(matrix):
            assert len(row) == tiny.LAYERS
            assert [value is None for value in row] == [layer < injection for layer in range(tiny.LAYERS)]
    matrix = say("show", key, "--matrix", "gaussian:0.3", "--json").json["matrix"]
    np.testing.assert_allclose([matrix[layer][layer] for layer in range(tiny.LAYERS)], 0.3, rtol=1e-5)


@pytest.mark.parametrize("width", [60, 240])
def test_a_matrix_fits_the_terminal(width, capsys, monkeypatch):
    monkeypatch.setattr(output, "out", Console(width=width))
    matrix = np.triu(np.full((30, 30), 0.25))
    matrix[np.tril_indices(30, -1)] = np.nan
    measurements.matrix_table("gaussian:0.3", matrix)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width and sum(line.count("0.25") for line in lines) == 30 * 31 / 2


def test_tokens_are_those_that_were_measured(measure, say, tmp_path):
    key = measure("--json").json["key"]
    rows = say("show", key, "--tokens", "--json").json["tokens"]
    assert [len(row) for row in rows] == [12] * 4
    ids = tiny.tokenizer()((tmp_path / "text.txt").read_text(encoding="utf-8"))["input_ids"]
    windows = Store(tmp_path / "cache").profile(key).spec.text.windows
    assert rows == [ids[start : start + 12] for _, start in windows]
    (tmp_path / "text.txt").rename(tmp_path / "moved.txt")
    say("show", key, "--tokens").refused()


def test_people_get_tables(measure, say):
    said = measure()
    assert "GiB of memory" in said.err and "parts" in said.err
    assert said.code == 0 and "profile" in said.out
    key = said.out.split("profile ")[-1].strip()
    shown = say("show", key, "--gains", PERTURB.split(",")[0]).out
    row = say("show", key, "--json").json["perturbations"][0]
    cells = [digits(each, 3) for each in (row["gains"][0], *row["interval"][0])]
    assert re.search(r" +│ +".join(map(re.escape, cells)), shown) and "…" not in shown
    assert "Drift" in say("show", key, "--matrix", "skip").out
    assert key in say("runs").out


def test_show_is_one_short_overview_and_more_only_where_asked(measure, say):
    key = measure("--json").json["key"]
    short = say("show", key).out
    assert all(short.count(f"{name}: gains ") == 1 for name in PERTURB.split(","))
    row = say("show", key, "--json").json["perturbations"][0]
    ends = [digits(pick(row["gains"][:-1])) for pick in (min, max)]
    assert row["finding"] in short and f"{ends[0]} to {ends[1]}" in short
    one = say("show", key, "--gains", "skip").out
    assert "skip" in one and "gaussian" not in one
    said = say("show", key, "--gains", "nonsense")
    assert said.code == 2 and PERTURB.replace(",", ", ") in said.err


def test_a_run_without_a_terminal_says_how_far_it_is(measure, monkeypatch):
    monkeypatch.setattr(output, "EVERY", 0.0)
    lines = measure("--json").err.splitlines()
    shares = [int(found[1]) for line in lines if (found := re.match(r"(\d+) %, ", line))]
    assert len(shares) >= 3 and shares == sorted(shares) and shares[-1] <= 100
    assert any(re.match(r"\d+ %, about .* left · ", line) for line in lines)


def test_runs_lists_profiles_jobs_and_troubles(measure, say, tmp_path):
    assert say("runs", "--json").json == {
        "profiles": [], "studies": [], "exports": [], "best": [], "unfinished": [], "jobs": [],
        "set_aside": [],
    }  # fmt: skip
    key = measure("--json").json["key"]
    found = say("runs", "--json").json
    assert [profile["key"] for profile in found["profiles"]] == [key]
    assert [(job["state"], job["result"]) for job in found["jobs"]] == [("done", key)]
    (tmp_path / "cache" / "profile" / f"{key}.safetensors").write_text("{}")
    found = say("runs", "--json").json
    assert found["profiles"] == [] and len(found["set_aside"]) == 1 and key in found["set_aside"][0]
    assert "set aside" in say("runs").out


def test_models_names_what_is_at_hand(say, monkeypatch):
    from core.models import sources

    known = [
        {"source": "demo", "label": "bundled", "layers": 30, "parameters": 134_515_008, "trouble": None},
        {"source": "a/b", "label": "a/b", "layers": None, "parameters": None, "trouble": "a/b is half there"},
    ]
    monkeypatch.setattr(sources, "local_models", lambda _: known)
    assert say("models", "--json").json == {"models": known}
    assert "30 layers" in say("models").out and "half there" in say("models").out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--model", "nonsense"], "nonsense"), (["--model", "missing.gguf"], "missing.gguf"),
        (["--text", "file:missing.txt"], "missing.txt"), (["--perturb", "gaussian:0.3,"], "perturbation"),
        (["--preset", "slow"], "slow"), (["--sequences", "9999"], "windows"),
        (["--sequences", "many"], "sequences"), (["--length", "65"], "64"), (["--seeds", "a"], "seeds"),
        (["--documents", "7"], "documents"),
        (["--documents", "0-7"], "1 document: 0-7"),
        (["--dtype", "int8"], "dtype"), (["--engine", "jet"], "engine"),
        (["--device", "tpu"], "tpu"), (["--device", "cuda:99"], "cuda:99"),
        (["--nonsense"], "--nonsense"),
    ],
)  # fmt: skip
def test_a_bad_request_is_one_line(arguments, named, measure, tmp_path):
    measure("--json", *arguments).refused(named)
    assert not list((tmp_path / "cache").glob("profile/*"))


@pytest.mark.parametrize(
    "arguments", [["show", "0123456789abcdef"], ["show", "demo"], ["show"], ["nonsense"], ["measure", "--cache"]]
)
def test_other_bad_commands(arguments, say):
    say(*arguments, cache=None if "--cache" in arguments else "cache").refused()


def test_a_matrix_that_was_not_measured_lists_what_was(measure, say):
    key = measure("--json").json["key"]
    say("show", key, "--matrix", "gaussian:0.4", "--json").refused("residual:wanda:0.7")


def test_a_failure_is_exit_code_1_and_no_bad_request(measure, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patch:
        patch.setitem(sweeps.ENGINES, "wavefront", broken)
        try:
            code = measure("--json").code
        except ZeroDivisionError:  # the interpreter turns it into a traceback and exit code 1
            code = 1
    assert code == 1
    assert measure("--json").json["layers"] == tiny.LAYERS  # the run that failed stands in the way


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_too_little_memory_is_one_sentence_and_loses_nothing(error, measure, monkeypatch):
    def broken(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setitem(sweeps.ENGINES, "wavefront", broken)
        said = measure("--json")
    [*_, line] = said.err.strip().splitlines()
    assert (said.code, said.out) == (1, "") and "memory" in line and "Traceback" not in said.err
    assert measure("--json").json["layers"] == tiny.LAYERS


@pytest.mark.parametrize(("number", "word"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "cannot be written")])
@pytest.mark.parametrize("parts", [0, 3])
def test_a_disk_that_takes_no_more_is_one_sentence_and_loses_nothing(
    parts, number, word, measure, tmp_path, monkeypatch
):
    made = []

    def closed(make):
        def one(*_, prefix, dir):
            if len(made) >= parts:
                raise OSError(number, "nothing can be written", f"{dir}/{prefix}")
            if ".safetensors" in prefix:
                made.append(dir)
            return make(prefix=prefix, dir=dir)

        return one

    with monkeypatch.context() as patch:
        patch.setattr(files, "tempfile", SimpleNamespace(mkdtemp=closed(mkdtemp), mkstemp=closed(mkstemp)))
        said = measure("--json")
    [*_, line] = said.err.strip().splitlines()
    assert (said.code, said.out) == (1, "") and word in line and "Traceback" not in said.err
    kept = {path: path.stat().st_ino for path in (tmp_path / "cache").rglob("[!.]*.safetensors")}
    assert bool(kept) == bool(parts)
    assert measure("--json").json["layers"] == tiny.LAYERS
    assert all(path.stat().st_ino == inode for path, inode in kept.items() if path.exists()), "it was measured again"


def test_a_cache_that_is_a_file_is_one_sentence(measure, tmp_path):
    (tmp_path / "cache").touch()
    said = measure("--json")
    assert (said.code, said.out) == (1, "") and f"{tmp_path / 'cache'} is in the way" in said.err
    assert "Traceback" not in said.err


def test_a_refused_request_can_be_asked_again(measure, tmp_path):
    assert measure("--json", "--text", f"file:{tmp_path / 'later.txt'}").code == 2
    (tmp_path / "later.txt").write_text("\n".join(tiny.SENTENCES * 12), encoding="utf-8")
    assert measure("--json", "--text", f"file:{tmp_path / 'later.txt'}").code == 0


def test_an_allocation_is_told_from_its_base_and_from_uniform(capsys):
    assert main(["allocate", "--allocation", "owl strength=0.04:0.7"]) == 0
    said = capsys.readouterr().out
    number = r"[\d,]+ \[[\d,]+, [\d,]+\]"
    assert re.search(f"90 % interval: this allocation {number}, its base {number}, uniform {number}", said)
    assert re.search("layer .* base .* corrected .* limit", said)
