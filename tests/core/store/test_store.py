"""The cache: found whole or not at all, and never data that is not what it says."""

import errno
import os
import re
import shutil
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import create_model
from safetensors.numpy import load

from core.base import shortage
from core.requests import MeasureRequest, ProfileSpec, measurements, perturbation
from core.store import Perturbed, Store, axes_of, cache, discard, parts, profiles, results, write_entry
from tests import synthetic
from tests.builders import entries

LAYERS, SEQUENCES = 3, 8
PROJECT = Path(cache.__file__).resolve().parent.parent.parent


def perturbed(seed=0, sequences=SEQUENCES):
    """Random readings with a NaN, in float32 as they are stored."""
    rng, sizes = np.random.default_rng(seed), {"injection": LAYERS, "read": LAYERS, "sequence": sequences}
    shapes = {name: [sizes[axis] for axis in axes] for name, axes in axes_of(Perturbed).items()}
    values = {name: rng.standard_normal(shape).astype("f4").astype("f8") for name, shape in shapes.items()}
    values["drift"][1, 0] = np.nan
    return Perturbed(**values)


@pytest.fixture
def spec():
    return synthetic.profile_spec(LAYERS, SEQUENCES, "quick")


@pytest.fixture
def unit(spec):
    return spec.unit(spec.measurements[0])


def same(one, other):
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True) for f in fields(one))


# --- files ---------------------------------------------------------------------------------------------------------


def test_an_entry_is_a_file_that_the_library_reads(empty, unit):
    path = empty.save(unit, perturbed(), {"seconds": 2.5})
    written = path.read_bytes()
    assert {name: array.dtype for name, array in load(written).items()} == dict.fromkeys(axes_of(Perturbed), np.float32)
    assert all(np.array_equal(array, getattr(perturbed(), name), True) for name, array in load(written).items())
    assert empty.get(unit).provenance == {"seconds": 2.5} and same(empty.load(unit), perturbed())
    assert empty.save(unit, perturbed(), {"seconds": 2.5}).read_bytes() == written


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_change_of_any_byte_is_noticed(empty, spec, unit, data):
    for each, result in ((unit, perturbed(sequences=2)), (spec, None)):
        path = empty.save(each, result, {"model": "x"})
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] ^= data.draw(st.integers(1, 255))
            path.write_bytes(content)
        else:
            path.write_bytes(content[:at])
        assert empty.get(each) is None and empty.path(each) is None


@settings(max_examples=25)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_parts_of_any_cut_merge_to_the_whole(lengths):
    each = [perturbed(seed, sequences=1) for seed in range(sum(lengths))]
    whole, cuts, first = results.merged(each), [], 0
    for length in lengths:
        cuts.append(results.merged(each[first : first + length]))
        first += length
    again = results.merged(cuts)
    for field in fields(Perturbed):
        np.testing.assert_allclose(getattr(again, field.name), getattr(whole, field.name), rtol=1e-12, atol=1e-12)


# --- finding -------------------------------------------------------------------------------------------------------


def damage(path):
    path.write_bytes(path.read_bytes()[:-1])


def test_a_damaged_unit_or_part_is_set_aside_and_reported(empty, unit):
    """Also a part that another covers: its provenance would count for the whole."""
    for first, sequences in ((0, 4), (0, 2), (4, 4)):
        parts.save(empty, unit, first, perturbed(sequences=sequences), seconds=1)
    for name in ("0000-0001", "0004-0007"):
        damage(parts.folder(empty, unit) / f"{name}.safetensors")
    assert list(parts.finished(empty, unit)) == [0] and len(empty.troubles()) == 2
    assert parts.summary(empty, unit)["seconds"] == 1
    damage(empty.save(unit, perturbed(), {}))
    assert empty.load(unit) is None and empty.path(unit) is None
    trouble = empty.troubles()[-1]
    assert unit.key in trouble and "\n" not in trouble
    empty.save(unit, perturbed(), {})
    assert same(empty.load(unit), perturbed())


def test_two_caches_merge_as_plain_folders(empty, tmp_path):
    """Copied over each other, also where they share units."""
    other = Store(tmp_path / "other")
    specs = {preset: synthetic.profile_spec(LAYERS, 8, preset) for preset in ("quick", "standard")}
    keys = {synthetic.save_profile(to.root, specs[each]) for to, each in ((empty, "quick"), (other, "standard"))}
    entries.save_study(other)
    shutil.copytree(other.root, empty.root, dirs_exist_ok=True)
    assert {each.key for each in empty.entries()} == keys and len(list(empty.entries("study"))) == 1
    for each in empty.entries():
        assert profiles.load(empty, each).layers == LAYERS
    assert empty.troubles() == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_result_that_cannot_be_read_for_a_while_stays_where_it_is(number, empty, unit, monkeypatch):
    hindered = [empty.save(unit, perturbed(), {})]
    parts.save(empty, unit, 0, perturbed(sequences=4))
    hindered.append(parts.folder(empty, unit) / "0000-0003.safetensors")
    times, read = [], Path.read_bytes

    def hinder(path):
        if path in hindered and times and times.pop():
            raise OSError(number, os.strerror(number), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", hinder)
    for look in (lambda: empty.load(unit), lambda: parts.finished(empty, unit)[0]):
        times[:] = [True] * 1000
        with pytest.raises(OSError) as error:
            look()
        said = shortage(error.value)
        assert ".safetensors cannot be read" in said and "\n" not in said and not said.endswith(".")
        times[:] = [True]
        assert same(look(), perturbed(sequences=look().sequences))
    assert empty.troubles() == []


def test_a_part_of_another_unit_is_set_aside(empty, unit):
    other = unit.replace(harm_stride=unit.harm_stride + 1)
    parts.save(empty, other, 0, perturbed(sequences=4))
    parts.folder(empty, other).rename(parts.folder(empty, unit))
    assert parts.finished(empty, unit) == {}
    assert len(empty.troubles()) == 1


def test_an_entry_of_another_version_is_passed_over_not_called_corrupt(empty, spec):
    """Its files are what was written and its name is their hash; this version merely cannot read the spec."""
    tomorrow = create_model("Tomorrow", __base__=ProfileSpec, field_of_tomorrow=(int, 1))
    tomorrow.identity = "ProfileSpec"
    later = tomorrow.model_validate(spec.model_dump())
    path = empty.root / "profile" / f"{later.key}.safetensors"
    write_entry(path, later, None, {})
    assert list(empty.entries()) == []
    assert path.is_file() and empty.troubles() == []


def test_writers_of_one_key_leave_one_whole_result(empty, unit, tmp_path):
    other = get_context("spawn").Process(target=write_often, args=(empty.root, unit, tmp_path / "done"))
    other.start()
    reads = 0
    while other.is_alive() or not reads:
        write_often(empty.root, unit, tmp_path / "here", 1)
        reads += 1
        assert same(empty.load(unit), perturbed())
    other.join()
    assert (tmp_path / "done").exists(), "a writer failed"
    assert os.listdir(empty.path(unit).parent) == [f"{unit.key}.safetensors"], "a temporary file was left behind"
    assert list(parts.finished(empty, unit)) == [0] and empty.troubles() == []


def write_often(root, unit, done, times=20):
    """Write a result and a part of it time and again, and then a file that says so."""
    for _ in range(times):
        Store(root).save(unit, perturbed(), {})
        parts.save(Store(root), unit, 0, perturbed(sequences=4))
    done.touch()


@pytest.mark.skipif(os.name == "nt", reason="Windows tells no names of open files")
def test_what_is_written_is_on_the_disk_before_it_has_its_name(empty, unit, monkeypatch):
    """What a power cut would leave: the content that was synced, by inode, before and after the renaming."""
    synced = {}
    before = []

    def sync(handle):
        status = os.fstat(handle)
        folder = stat.S_ISDIR(status.st_mode)
        synced[status.st_ino] = set(os.listdir(handle)) if folder else os.pread(handle, status.st_size, 0)

    def renaming(rename):
        return lambda *paths: (before.append(set(synced)), rename(*paths))[1]

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", renaming(os.replace))
    path = empty.save(unit, perturbed(), {})
    assert synced[path.stat().st_ino] == path.read_bytes() and path.stat().st_ino in before[-1]
    assert path.name in synced[path.parent.stat().st_ino]


def test_readers_beside_writers_see_nothing_or_all(empty, unit):
    """Pages look at parts while a worker writes them, assembles the unit and drops them."""
    stop = threading.Event()

    def look():
        while not stop.is_set():
            part = parts.partial(empty, unit)
            assert part is None or part.sequences in (4, 8)
            list(empty.entries("perturbed"))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(look) for _ in range(2)]
        try:
            for _ in range(15):
                parts.save(empty, unit, 0, perturbed(sequences=4))
                parts.save(empty, unit, 4, perturbed(sequences=4))
                path = empty.save(unit, perturbed(), {})
                parts.drop(empty, unit)
                discard(path)
        finally:
            stop.set()
    assert [each.result() for each in readers] == [None, None] and empty.troubles() == []


# --- profiles, keys, deletion --------------------------------------------------------------------------------------


def test_a_profile_is_found_by_the_beginning_of_its_key(empty, refused):
    by_digit = {}
    for seed in range(17):  # of seventeen keys two begin with the same digit
        key = synthetic.save_profile(empty.root, synthetic.profile_spec(LAYERS, 8, "quick", seed))
        if by_digit.setdefault(key[0], key) != key:
            break
    assert empty.profile(key[:6]).key == key and profiles.load(empty, empty.profile(key)).sequences == 8
    with refused(key, by_digit[key[0]]):
        empty.profile(key[0])
    for wrong in ("", "zz", "demo", "demo "):
        with refused():
            empty.profile(wrong)
    with refused(key, "study or best"):
        empty.by_key(key, ("study", "best"))


def test_a_page_sees_the_cache_as_it_is_at_one_moment(empty):
    """And the next one as it is then."""
    first = synthetic.save_profile(empty.root, synthetic.profile_spec(2, 8, "quick"))
    with cache.listed_once():
        assert [each.key for each in empty.entries()] == [first]
        second = synthetic.save_profile(empty.root, synthetic.profile_spec(3, 8, "quick"))
        assert [each.key for each in Store(empty.root).entries()] == [first] and empty.profile(first[:9]).key == first
        assert not list(empty.entries(begins=second)) and not list(empty.entries("study"))
    assert {each.key for each in empty.entries()} == {first, second}


# --- requests resolved before --------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path):
    file = tmp_path / "weights.bin"
    file.write_bytes(b"one")
    measured = measurements.measurements([perturbation("gaussian:0.3")])
    return MeasureRequest(measurements=measured), file


CHANGES = {"new": lambda file: file.write_text("more"), "gone": Path.unlink, "old": lambda file: os.utime(file, (1, 1))}


@pytest.mark.parametrize("how", CHANGES.values(), ids=CHANGES)
def test_a_resolved_request_is_found_until_a_file_changes(how, empty, spec, asked):
    request, file = asked
    assert empty.resolved(request) is None and empty.find(request) is None
    key = synthetic.save_profile(empty.root, spec)
    empty.remember(request, spec, [file])
    assert empty.resolved(request) == spec
    assert empty.find(request).key == key
    how(file)
    assert empty.resolved(request) is None and empty.find(request) is None


# --- what may not be in the source ---------------------------------------------------------------------------------


def test_nothing_is_pickled():
    forbidden = re.compile(
        r"\b(pickle|cPickle|dill|joblib|shelve|marshal)\b|torch\.(save|load)\b|to_pickle"
        r"|\bnp\.(load|save|savez)\b(?!\(.+, allow_pickle=False\))"
    )
    paths = [path for folder in ("core", "pages") for path in (PROJECT / folder).rglob("*.py")]
    found = {path.name: set(forbidden.findall(path.read_text(encoding="utf-8"))) for path in paths}
    assert {name for name, words in found.items() if words} == {"sources.py"}  # where a sentence refuses a .bin file
    assert "import pickle" not in (PROJECT / "core/models/sources.py").read_text(encoding="utf-8")


def test_parts_are_in_order_however_many_there_are(empty, unit):
    for first in (10_008, 0, 1_000, 10_000):
        parts.save(empty, unit, first, perturbed())
    assert list(parts.finished(empty, unit)) == [0, 1_000, 10_000, 10_008]
