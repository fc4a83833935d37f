"""`measure`, `show`, `runs` and `models`: one JSON object on stdout, one line on stderr, three exit codes."""

import errno
import re
from tempfile import mkdtemp, mkstemp
from types import SimpleNamespace

import numpy as np
import pytest

from core.base import digits
from core.cli import main
from core.jobs import context
from core.measure import sweep as sweeps
from core.plan import gains_of
from core.store import Store, files, profiles
from tests import tiny

PERTURB = "gaussian:0.3,residual:wanda:0.7,skip"


def words(folder):
    """`measure` on a tiny model and a small text in a folder."""
    what = ["--model", tiny.folder("llama"), "--text", tiny.text_file(folder), "--perturb", PERTURB]
    return ["measure", *what, "--sequences", 4, "--length", 12, "--device", "cpu"]


@pytest.fixture
def measure(say, tmp_path):
    """Measure into a cache of its own."""
    line = words(tmp_path)
    return lambda *more: say(*line, *more)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """One that was measured into a cache of its own, for tests that only read it."""
    folder = tmp_path_factory.mktemp("measured")
    assert main([*map(str, words(folder)), "--cache", str(folder / "cache")]) == 0
    store = Store(folder / "cache")
    return profiles.load(store, next(store.entries("profile")))


@pytest.fixture
def show(say, profile):
    """`show` of that profile."""
    return lambda *more: say("show", profile.key, *more, cache=profile.entry.path.parents[1])


def test_measuring_twice_is_measuring_once(measure, say, tmp_path, monkeypatch):
    assert [len(each) for each in say("runs", "--json").json.values()] == [0] * 7
    told = measure("--json")
    first = told.json
    assert "Already" not in told.err and first["layers"] == tiny.LAYERS and first["seconds"] >= 0
    assert first["perturbations"] == PERTURB.split(",")
    assert (first["sequences"], first["length"]) == (4, 12)
    monkeypatch.setattr(context, "load", lambda *_: pytest.fail("it was measured again"))
    again = measure("--json")
    assert again.json == first and again.err.startswith("Already in the cache")
    found = say("runs", "--json").json
    assert [each["key"] for each in found["profiles"]] == [first["key"]]
    assert [(job["state"], job["result"]) for job in found["jobs"]] == [("done", first["key"])]


def test_the_command_the_library_and_the_store_agree(show, profile):
    for row in show("--json").json["perturbations"]:
        gains = gains_of(profile.seeds(row["name"]))
        np.testing.assert_allclose(row["gains"], gains.value)
        np.testing.assert_allclose(row["interval"], np.stack([gains.low, gains.high], 1))
        assert row["verdict"] == list(gains.verdicts) and row["verdict"][-1] is None
        assert row["gains"][-1] == 1


def test_a_matrix_is_square_and_null_below_the_diagonal(show):
    for name in PERTURB.split(","):
        matrix = show("--matrix", name, "--json").json["matrix"]
        nulls = [[value is None for value in row] for row in matrix]
        np.testing.assert_array_equal(nulls, np.tri(tiny.LAYERS, k=-1))
        if name.startswith("gaussian"):
            np.testing.assert_allclose(np.diag(np.array(matrix, float)), 0.3, rtol=1e-5)
    assert "Drift" in show("--matrix", "skip").out
    show("--matrix", "gaussian:0.4", "--json").refused("residual:wanda:0.7")


def test_tokens_are_those_that_were_measured(show, profile):
    text = profile.entry.path.parents[2] / "text.txt"
    ids = tiny.tokenizer()(text.read_text(encoding="utf-8"))["input_ids"]
    windows = profile.spec.text.windows
    assert show("--tokens", "--json").json["tokens"] == [ids[start : start + 12] for _, start in windows]
    moved = text.rename(text.with_name("moved.txt"))
    show("--tokens").refused()
    moved.rename(text)


def test_people_get_a_short_overview_and_more_only_where_they_ask(measure, show):
    said = measure()
    assert said.code == 0 and "profile" in said.out
    short, [row, *_] = show().out, show("--json").json["perturbations"]
    assert all(short.count(f"{name}: gains ") == 1 for name in PERTURB.split(","))
    ends = [digits(pick(row["gains"][:-1])) for pick in (min, max)]
    assert row["finding"] in short and f"{ends[0]} to {ends[1]}" in short
    shown = show("--gains", row["name"]).out
    cells = [digits(each, 3) for each in (row["gains"][0], *row["interval"][0])]
    assert re.search(r" +│ +".join(map(re.escape, cells)), shown) and "…" not in shown and "skip" not in shown
    assert "Gain per layer under" in shown
    said = show("--gains", "nonsense")
    assert said.code == 2 and PERTURB.replace(",", ", ") in said.err


def test_what_is_damaged_is_listed_as_set_aside(measure, say, tmp_path):
    key = measure("--json").json["key"]
    (tmp_path / "cache" / "profile" / f"{key}.safetensors").write_text("{}")
    found = say("runs", "--json").json
    assert found["profiles"] == [] and len(found["set_aside"]) == 1 and key in found["set_aside"][0]
    assert "set aside" in say("runs").out


def test_models_names_what_is_at_hand(say, monkeypatch):
    from core.models import sources

    half = {"source": "a/b", "label": "a/b", "layers": None, "parameters": None, "trouble": "a/b is half there"}
    known = [half | {"source": "demo", "layers": 30, "parameters": 134_515_008, "trouble": None}, half]
    monkeypatch.setattr(sources, "local_models", lambda _: known)
    assert say("models", "--json").json == {"models": known}
    assert "30 layers, 135 M parameters" in say("models").out and "half there" in say("models").out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--model", "nonsense"], "nonsense"), (["--text", "file:missing.txt"], "missing.txt"),
        (["--perturb", "gaussian:0.3,"], "perturbation"), (["--preset", "slow"], "slow"), (["--length", "65"], "64"),
        (["--sequences", "9999"], "windows"), (["--sequences", "many"], "sequences"), (["--seeds", "a"], "seeds"),
        (["--documents", "0-7"], "1 document: 0-7"), (["--dtype", "int8"], "dtype"), (["--engine", "jet"], "engine"),
        (["--device", "tpu"], "tpu"), (["--device", "cuda:99"], "cuda:99"), (["--nonsense"], "--nonsense"),
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


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), MemoryError(), RuntimeError("can't allocate memory")])
def test_a_failure_is_exit_code_1_and_stands_in_no_way(error, measure, monkeypatch):
    """Too little memory in one sentence, a bug as the interpreter's own traceback."""

    def broken(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setitem(sweeps.ENGINES, "wavefront", broken)
        if isinstance(error, ZeroDivisionError):
            with pytest.raises(ZeroDivisionError):
                measure("--json")
        else:
            said = measure("--json")
            assert (said.code, said.out) == (1, "") and "memory" in said.err.splitlines()[-1]
            assert "Traceback" not in said.err
    assert measure("--json").json["layers"] == tiny.LAYERS


@pytest.mark.parametrize(
    ("parts", "number", "word"), [(0, errno.EROFS, "cannot be written"), (3, errno.ENOSPC, "the disk is full")]
)
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


def test_an_allocation_is_told_from_its_base_and_from_uniform(capsys):
    assert main(["allocate", "--allocation", "owl strength=0.04:0.7"]) == 0
    said = capsys.readouterr().out
    number = r"[\d,]+ \[[\d,]+, [\d,]+\]"
    assert re.search(f"90 % interval: this allocation {number}, its base {number}, uniform {number}", said)
    assert re.search("layer .* base .* corrected .* limit", said)
