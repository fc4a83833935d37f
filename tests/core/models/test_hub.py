"""A Hub on this machine: what it gives is used, what it refuses is said in one sentence, and its silence ends."""

import json
import threading

import pytest

from core.models import hub, loading, locate, read_shape, sources, windows
from tests import tiny
from tests.fuzz.hub import COMMIT, Answer, Hub, believed

ROWS = 30
TOKENIZER = "tokenizer.json"
NEVER = threading.Event()


@pytest.fixture
def here(tmp_path):
    rows = "".join(json.dumps({"text": f"Row {number}."}) + "\n" for number in range(ROWS))
    with Hub(tiny.folder("llama"), {"rows.jsonl": rows.encode()}) as server, believed(server, tmp_path):
        yield server


def silent(*_):
    NEVER.wait()


def coded(status, code):
    return lambda *_: Answer(status, {"X-Error-Code": code})


def test_a_model_is_fetched_with_the_token_of_the_environment(here, empty, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_invented")
    found = locate("org/name", empty)
    assert (found.label, found.content) == ("org/name", f"org/name@{COMMIT}")
    assert read_shape(found, empty).layers == tiny.LAYERS
    assert "Bearer hf_invented" in here.tokens
    assert locate("org/name", empty, COMMIT).label == f"org/name@{COMMIT}"


def test_models_at_hand_tell_shape_or_trouble(here, empty, monkeypatch, refused):
    """One whole model, one whose weights are not there, and none that is bundled."""
    monkeypatch.setattr(sources, "BUNDLED", "not-there.gguf")
    whole = locate("org/name", empty)
    del here.files["models"]["model.safetensors"]
    with refused("org/half", "safetensors"):
        locate("org/half", empty)
    told = {each["source"]: (each["layers"], each["trouble"]) for each in sources.local_models(empty)}
    assert list(told) == ["demo", "org/half", "org/name"] and told["org/name"] == (tiny.LAYERS, None)
    assert "install" in told["demo"][1] and told["org/half"][0] is None and "safetensors" in told["org/half"][1]
    assert loading.load(whole).spec.content == whole.content


@pytest.mark.parametrize(
    ("status", "code", "named"),
    [
        (403, "GatedRepo", ("gated", "hf auth login", "HF_TOKEN")),
        (404, "RepoNotFound", ("no model", "spelling", "HF_TOKEN")),
        (401, "", ("does not accept your token", "HF_TOKEN")),
        (404, "RevisionNotFound", ("no revision 'v9'",)),
        (500, "", ("cannot be reached",)),
    ],
)
def test_what_the_hub_refuses_is_said(status, code, named, here, empty, refused):
    here.twist = coded(status, code)
    with refused("org/name", *named, error=hub.NotHere):
        locate("org/name", empty, "v9")


@pytest.mark.parametrize("revision", ["/dev/null", "../../../point", "main/../../x", "..", "a\nb"])
def test_a_revision_leads_to_no_file_of_this_machine(revision, here, tmp_path, empty, refused):
    """The Hub's library reads a file of its cache that is called so, and takes what it says for a folder."""
    locate("org/name", empty)
    (tmp_path / "point").write_text(str(tiny.save_tiny(tmp_path / "private", "llama")), encoding="utf-8")
    for typed in (revision, revision.replace("../../..", str(tmp_path))):
        with refused("there can be no revision"):
            locate("org/name", empty, typed, fetch=False)


def test_a_model_that_lacks_a_file_is_refused_whenever_it_is_asked_for(here, empty, refused):
    """Without its ETag a file gets no place in the local cache, and the library says nothing of it."""
    here.twist = lambda path, sound: (
        Answer(200, sound.headers | {"ETag": ""}, sound.body) if TOKENIZER in path else sound
    )
    with refused("only a part of org/name", "ask again", error=hub.NotHere):
        locate("org/name", empty)
    here.twist = coded(500, "")
    with refused("org/name", "local Hub cache", "go online", error=hub.NotHere):
        locate("org/name", empty)


@pytest.mark.parametrize("trouble", [silent, coded(403, "GatedRepo"), coded(500, ""), lambda *_: None])
def test_what_was_fetched_before_is_used_whatever_the_hub_says(trouble, here, empty, monkeypatch):
    found = locate("org/name", empty)
    here.twist = trouble
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    assert locate("org/name", empty) == found


def test_a_hub_that_never_answers_ends_in_a_sentence(here, empty, refused, monkeypatch):
    here.twist = silent
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    with refused("org/name", "cannot be reached", "go online"):
        locate("org/name", empty)
    with refused("org/data", "go online"):
        windows.read("org/data")


# --- datasets ------------------------------------------------------------------------------------------------------


def test_no_more_of_a_dataset_is_read_than_is_asked_for(here, monkeypatch):
    monkeypatch.setattr(hub, "DOCUMENTS", 10)
    some, all_of_them = windows.read("org/data"), windows.read("org/data", (0, ROWS - 1))
    assert some.documents == all_of_them.documents[:10] and len(all_of_them.documents) == ROWS
    assert some.label == "org/data (train, first 10 documents)"
    assert windows.read("org/data", (3, 5)).documents == ("Row 3.", "Row 4.", "Row 5.")
