"""Cache folders of a stranger: each file of every kind is a special one, or says something odd."""

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import UserError, shortage
from core.cli import main
from core.jobs import queue
from core.requests import PRESETS, MeasureRequest
from core.store import Store, entries, profiles, sweep
from tests.builders.entries import save
from tests.fuzz.judging import SECONDS, bounded, fuzz, judge
from tests.fuzz.test_hostile_files import soon  # noqa: F401 (what waits for a pipe is woken)
from tests.fuzz.values import SPECIAL, changed

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are those of Unix")
ASKED = MeasureRequest(measurements=PRESETS["quick"].measurements)
FILES = (
    "profile/*.safetensors", "activation/*.safetensors", "jobs/*/request.json", "jobs/*/progress.json",
    "jobs/*/log.txt", "resolved/*.json", "set_aside/*.txt",
)  # fmt: skip
SAYING = [file for file in FILES if file.endswith((".json", ".safetensors"))]
FOLDERS = ("profile", "activation", "jobs", "jobs/*", "locks", "resolved", "set_aside")
NOBODY = 65534
IN_PLACE = {
    "circle": lambda path: path.symlink_to(path),
    "file": Path.touch,
    "pipe": SPECIAL["pipe"],
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A cache with a profile, a damaged study, a run, a request that was resolved, and nothing behind it."""
    home, here = (tmp_path_factory.mktemp(name) for name in ("home", "here"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "HOME", home)
        yield filled(Store(here))


def filled(here):
    entry = here.by_key(save(here, "profile"))
    here.remember(ASKED, entry.spec, [])
    (here.root / "study" / f"{save(here, 'study')}.safetensors").write_bytes(b"")
    assert not list(here.entries("study"))
    queue.submit(here, ASKED).note("begun")
    assert all(list(here.root.glob(place)) for place in (*FILES, *FOLDERS))
    return here.root


def looked_at(root):
    """Everything that reads or writes a cache without a model: a result or one sentence each."""
    store = Store(root)
    acts = (
        lambda: main(["runs", "--json", "--cache", str(root)]),
        lambda: [(each.log, queue.displayed_status(store, each).words) for each in queue.jobs(store)],
        lambda: store.find(ASKED),
        lambda: [profiles.load(store, entry) for entry in store.entries()],
        lambda: queue.submit(store, ASKED),
        lambda: save(store, "profile"),
        lambda: sweep(store),
    )
    for act in acts:
        with bounded():
            try:
                act()
            except UserError as error:
                judge(str(error))
            except OSError as error:
                judge(shortage(error) or pytest.fail(f"{type(error).__name__}: {error}"))


@pytest.mark.parametrize(
    ("place", "way"),
    [*((place, way) for place in FILES for way in SPECIAL), *((place, way) for place in FOLDERS for way in IN_PLACE)],
)
def test_a_cache_with_a_special_file(place, way, sound, tmp_path):
    root = Path(shutil.copytree(sound, tmp_path / "cache"))
    for path in list(root.glob(place)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        (SPECIAL if place in FILES else IN_PLACE)[way](path)
    looked_at(root)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become nobody")
@pytest.mark.parametrize("place", [*FILES, *FOLDERS])
def test_a_cache_whose_files_may_not_be_read(place, sound):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(sound, Path(folder) / "cache"))
        looked_at(shutil.copytree(sound, Path(folder) / "before"))  # what is imported may lie where nobody reads
        for path in (Path(folder), root, *root.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        for path in root.glob(place):
            path.chmod(0)
        os.seteuid(NOBODY)
        try:
            looked_at(root)
        finally:
            os.seteuid(0)


@fuzz
@given(st.data())
def test_a_cache_that_says_something_odd(sound, tmp_path_factory, data):
    signal.alarm(3 * SECONDS)  # `soon`, anew for each example
    root = Path(shutil.copytree(sound, tmp_path_factory.mktemp("odd") / "cache"))
    for path in list(root.glob(data.draw(st.sampled_from(SAYING)))):
        content = path.read_bytes()
        start = 8 if path.suffix == ".safetensors" else 0  # behind the length of the header
        end = start + int.from_bytes(content[:start], "little") if start else len(content)
        said = json.dumps(data.draw(changed(json.loads(content[start:end]), 3))).encode()
        path.write_bytes((len(said).to_bytes(8, "little") if start else b"") + said + content[end:])
    looked_at(root)
    shutil.rmtree(root)
