"""What leaves this machine in reports, exports and allocations tells no folder and no user of it."""

import hashlib

import pytest

from core.show import words
from core.store import Store, profiles
from tests import tiny

TELLTALE = b"tell-tale"
SMALL = ["--sequences", "4", "--length", "12", "--device", "cpu"]


@pytest.fixture
def home(tmp_path):
    """A user's folder with a model in it and a text, whose names may be told."""
    home = tmp_path / "home" / "tell-tale"
    tiny.save_tiny(home / "secret-tell-tale" / "my-model", "llama")
    (home / "secret-tell-tale" / "notes.txt").write_text(" ".join(tiny.SENTENCES * 20), encoding="utf-8")
    return home / "secret-tell-tale"


def test_what_leaves_the_machine_names_files_and_hashes(say, home, tmp_path):
    model, text = home / "my-model", f"file:{home / 'notes.txt'}"
    profile = say("measure", "--model", model, "--text", text, "--perturb", "gaussian:0.3", *SMALL, "--json").json
    asked = ["--calibration", text, "--evaluate", text, "--windows", "9", "--profile", profile["key"]]
    study = say("prune", "--model", model, "--allocation", "uniform:0.5", *asked, *SMALL, "--json").json
    where = home / "out"
    assert say("export", study["key"], "--setting", "uniform", "--to", where, "--device", "cpu", "--json").json
    store = Store(tmp_path / "cache")
    left = {path.name: path.read_bytes() for path in where.rglob("*") if path.suffix != ".safetensors"}
    for key in (profile["key"], study["key"]):
        assert say("report", key, "--out", tmp_path / f"{key}.html", "--json").json
        left[f"{key}.html"] = (tmp_path / f"{key}.html").read_bytes()
    loaded = profiles.load(store, store.profile(profile["key"]))
    left["allocation"] = say("allocate", "--profile", profile["key"], "--json").out.encode()
    left["words"] = words.named(loaded).encode()
    assert {"README.md", "recipe.json", "config.json", "allocation"} <= left.keys()
    assert [name for name, data in left.items() if TELLTALE in data or str(tmp_path).encode() in data] == []
    weights = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest().encode()
    told = [name for name, data in left.items() if weights in data]
    assert {f"{study['key']}.html"} <= set(told)
    assert b"my-model" in left["README.md"] and b"notes.txt" in left[f"{study['key']}.html"]
