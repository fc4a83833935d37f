"""A Hub that fails: a login page in its place, a dropped line, answers and files that are cut or malformed."""

import json
import time
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import load, locate, read_shape, windows
from core.store import Store
from tests import tiny
from tests.fuzz.hub import Answer, Hub, believed
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed

PAGE = Answer(200, {"Content-Type": "text/html"}, b"<html><form>Log in to this network</form></html>")
STATUS = st.sampled_from([204, 301, 304, 307, 400, 401, 403, 404, 407, 416, 429, 500, 502, 503, 504])
ERRORS = st.sampled_from(["GatedRepo", "RepoNotFound", "RevisionNotFound", "EntryNotFound", "DisabledRepo", "", "x"])
ROWS = {"rows.jsonl": b'{"text": "Rain."}\n{"text": "Sun."}\n'}
number = count()


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """A Hub that this process takes for the one; what it gives is kept in a folder of its own."""
    sleep = time.sleep
    kept = tmp_path_factory.mktemp("kept")
    with Hub(tiny.folder("llama"), ROWS) as server, believed(server, kept) as patch:
        patch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))  # between two tries
        yield server


@st.composite
def twists(draw):
    """What goes wrong, with every answer or with those to some paths."""
    where = draw(
        st.sampled_from(["", "/api/", "/tree/", "/resolve/", "config.json", "tokenizer.json", ".safetensors", ".jsonl"])
    )
    way = draw(st.sampled_from(["page", "dropped", "status", "head", "cut", "json", "bytes", "header"]))
    status, code = draw(STATUS), draw(ERRORS)
    share, wrong, seed = draw(st.floats(0, 1)), draw(st.binary(max_size=40)), draw(st.integers(0, 2**32))
    lost = draw(st.sampled_from(["X-Repo-Commit", "ETag", "Content-Type"]))
    put = draw(st.none() | st.sampled_from(["", "../../x", '"', "0" * 40]))
    change = draw(changed({"value": 0}))  # drawn here: a server has no data to draw from

    def twist(path, sound):
        if where not in path:
            return sound
        cut = sound.body[: int(share * len(sound.body))]
        match way:
            case "page":
                return PAGE
            case "dropped":
                return None
            case "status":
                return Answer(status, {"X-Error-Code": code, "Location": "/login"}, wrong)
            case "head":
                kept = {name: value for name, value in sound.headers.items() if name != lost}
                return Answer(sound.status, kept | ({} if put is None else {lost: put}), sound.body)
            case "cut":
                return Answer(sound.status, sound.headers, cut, len(sound.body))
            case "json" if sound.headers.get("Content-Type") == "application/json" or path.endswith(".json"):
                return Answer(sound.status, sound.headers, _changed(sound.body, change, seed))
            case "header" if path.endswith(".safetensors"):
                return Answer(sound.status, sound.headers, wrong[:8].ljust(8, b"\0") + sound.body[8:])
            case _:
                return Answer(sound.status, sound.headers, cut + wrong)

    return twist


def _changed(body, change, seed):
    """JSON with one of its values replaced."""
    value = json.loads(body or b"null")
    if isinstance(value, list) and value:
        value[seed % len(value)] = change
    elif isinstance(value, dict) and value:
        value[sorted(value)[seed % len(value)]] = change
    return json.dumps(value).encode()


def test_a_sound_hub_gives_both(failing, tmp_path):
    assert read_shape(locate("org/sound", Store(tmp_path)), Store(tmp_path)).layers == 4
    assert windows.read("org/sound").documents == ("Rain.", "Sun.")


@fuzz
@given(twist=twists())
def test_a_model_of_a_failing_hub(failing, tmp_path_factory, twist):
    store, name = Store(Path(tmp_path_factory.getbasetemp()) / "cache"), f"org/model{next(number)}"
    failing.twist = twist
    source = answered(lambda: locate(name, store))
    if source and answered(lambda: read_shape(source, store)):
        answered(lambda: load(source, "float32", store))
    failing.twist = lambda _, __: PAGE
    if source:
        assert answered(lambda: locate(name, store)) == source, "it is here, and needs no Hub"


@fuzz
@given(twist=twists())
def test_a_dataset_of_a_failing_hub(failing, twist):
    failing.twist = twist
    found = answered(lambda: windows.read(f"org/data{next(number)}"))
    assert found is None or all(isinstance(each, str) for each in found.documents)
