"""Packs: what goes out comes back the same, and nothing else comes in."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from core import inspection, profiles, results, settings, specs, studies, tables
from core import pack as packs
from core.allocation.requests import AllocationRequest
from core.errors import UserError
from core.files import pretty
from core.pack import pack, unpack
from core.store import Store, units
from tests import synthetic

LAYERS, SEQUENCES = 3, 8
TOLD = {"model": "invented model", "text": "invented text", "device": "none", "seconds": 1.5}
Members = dict[str, bytes]


def study_spec() -> settings.StudySpec:
    """Dense and uniform at 50 %, judged on a text and two tasks."""
    profile = synthetic.profile_spec(LAYERS, SEQUENCES)
    half = settings.PrunedSpec(pruner="magnitude", sparsity=(0.5,) * LAYERS, calibration=None)
    asked = settings.Setting(pruner="magnitude", allocation=AllocationRequest(target=0.5))
    tasks = (settings.TaskSpec(name=name, content="invented", examples=9, seed=0) for name in ("one", "two"))
    points = (settings.Point(setting=None, pruned=None), settings.Point(setting=asked, pruned=half))
    return settings.StudySpec(model=profile.model, text=profile.text, tasks=tuple(tasks), points=points)


def save_study(store: Store) -> str:
    spec, rng = study_spec(), np.random.default_rng(0)
    for point in spec.points:
        nll, kl, agreement = rng.random((3, SEQUENCES))
        evaluated = results.Evaluated(nll=nll, kl=kl, agreement=agreement, zeros=np.full((LAYERS, 7), 0.5))
        store.save(spec.evaluated(point), evaluated, TOLD)
        for unit in spec.zero_shot(point):
            correct = rng.integers(0, 2, 9).astype(float)
            answers = results.ZeroShot(document=np.arange(9.0), acc=correct, acc_norm=np.full(9, np.nan))
            store.save(unit, answers, TOLD)
    store.save(spec, None, TOLD)
    return spec.key


def save(store: Store, what: str) -> str:
    """A whole entry; its key."""
    if what == "study":
        return save_study(store)
    spec = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", prunable=what == "prunable profile")
    return synthetic.save_profile(store.root, spec, LAYERS)


@pytest.fixture
def here(no_demo: Path, tmp_path: Path) -> Store:
    """Where packs are made."""
    return Store(tmp_path / "here")


@pytest.fixture
def there(no_demo: Path, tmp_path: Path) -> Store:
    """Where they are unpacked; it holds another profile already."""
    store = Store(tmp_path / "there")
    synthetic.save_profile(store.root, synthetic.profile_spec(2, SEQUENCES, "quick", seed=9), 2)
    return store


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """The members of a sound pack of a quick profile; do not change them."""
    store = Store(tmp_path_factory.mktemp("good"))
    return members(pack(store, store.by_key(save(store, "prunable profile"))))


def snapshot(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def members(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Members, *more: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in [*files.items(), *more]:
            archive.writestr(name, data)
    return content.getvalue()


def hashed(files: Members) -> Members:
    """The same members with manifests that fit."""
    folders = {name.rpartition("/")[0] for name in files}
    found = {name: data for name, data in files.items() if not name.endswith("/manifest.json")}
    for folder in folders:
        inside = {name.split("/")[-1]: data for name, data in found.items() if name.startswith(f"{folder}/")}
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in inside.items()}
        found[f"{folder}/manifest.json"] = pretty(sums)
    return found


def first(files: Members, kind: str, file: str) -> str:
    return next(name for name in files if name.startswith(f"{kind}/") and name.endswith(f"/{file}"))


def refused(store: Store, content: bytes | Path, sentence: Callable, *names: str) -> str:
    """Check that a pack is refused in one sentence and that the store is as it was."""
    before = snapshot(store.root)
    with pytest.raises(UserError) as error:
        unpack(store, content)
    assert snapshot(store.root) == before
    return sentence(error.value, *names)


# --- there and back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["profile", "prunable profile", "study"])
@pytest.mark.parametrize("as_file", [False, True])
def test_what_goes_out_comes_back_byte_by_byte(
    what: str, as_file: bool, here: Store, empty: Store, tmp_path: Path
) -> None:
    key = save(here, what)
    content = pack(here, here.by_key(key))
    (tmp_path / "a.zip").write_bytes(content)
    [entry] = unpack(empty, tmp_path / "a.zip" if as_file else content)
    assert entry.key == key and entry.path.is_relative_to(empty.root) and entry.provenance["model"] == "invented model"
    assert snapshot(empty.root) == snapshot(here.root)
    assert pack(empty, entry) == content
    if what == "study":
        assert studies.load(empty, entry).complete
    else:
        assert profiles.load(empty, entry).layers == LAYERS


@tried(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layers=st.integers(1, 4),
    sequences=st.integers(1, 5),
    seeds=st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
)
def test_any_profiles_travel_one_by_one(
    layers: int, sequences: int, seeds: list[int], no_demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    one, other = (Store(tmp_path_factory.mktemp("cache")) for _ in range(2))
    for seed in seeds:
        synthetic.save_profile(one.root, synthetic.profile_spec(layers, sequences, "quick", seed), layers)
    for entry in one.entries():
        unpack(other, pack(one, entry))
    assert snapshot(other.root) == snapshot(one.root)


def test_only_what_an_entry_needs_goes_out(here: Store, empty: Store) -> None:
    keys = [save(here, "profile"), save(here, "study")]
    (here.path(study_spec()) / "notes.txt").write_text("not part of the entry")
    unpack(empty, pack(here, here.by_key(keys[1])))
    assert [entry.key for entry in empty.entries("study")] == keys[1:]
    assert not list(empty.entries("profile")) and not list(empty.root.rglob("notes.txt"))


def test_a_gap_or_damage_is_not_packed(here: Store, sentence: Callable) -> None:
    entry = here.by_key(save(here, "profile"))
    unit = units(entry.spec)[2]
    table = here.path(unit) / "injection.parquet"
    (here.path(unit) / "spec.json").write_text("{}")
    with pytest.raises(UserError) as error:
        pack(here, entry)
    sentence(error.value, unit.key)
    (table.parent / "manifest.json").unlink()
    with pytest.raises(UserError) as error:
        pack(here, entry)
    sentence(error.value, unit.key)


def test_the_profile_that_a_study_names_goes_along(here: Store, empty: Store) -> None:
    profile = save(here, "profile")
    spec = study_spec()
    here.save(spec, None, TOLD | {"profile": profile[:8]})
    save_study(here)
    content = pack(here, here.by_key(spec.key))
    assert {entry.key for entry in unpack(empty, content)} == {spec.key, profile}
    assert profiles.load(empty, empty.profile(profile)).layers == LAYERS
    assert snapshot(empty.root) == snapshot(here.root)
    assert pack(empty, empty.by_key(spec.key)) == content


@pytest.mark.parametrize("lacking", ["there is none", "a unit", "its model"])
def test_a_study_travels_without_a_profile_that_is_not_whole_or_not_its_own(
    here: Store, empty: Store, lacking: str
) -> None:
    seed = 1 if lacking == "its model" else 0
    profile = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", seed)
    if lacking != "there is none":
        synthetic.save_profile(here.root, profile, LAYERS)
    if lacking == "a unit":
        here.path(units(profile)[2]).rename(here.root / "gone")
    spec = study_spec()
    here.save(spec, None, TOLD | {"profile": profile.key})
    save_study(here)
    assert [entry.key for entry in unpack(empty, pack(here, here.by_key(spec.key)))] == [spec.key]
    assert not list(empty.entries("profile"))


def test_the_committed_profile_stays_where_it_is(here: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    save(here, "profile")
    monkeypatch.setattr("core.store.HOME", here.root.parent / "home")
    demo = here.root.parent / "home" / "demo"
    key = synthetic.save_profile(demo, synthetic.profile_spec(LAYERS, SEQUENCES, "quick"), LAYERS)
    store = Store(here.root.parent / "other")
    spec = study_spec()
    store.save(spec, None, TOLD | {"profile": "demo"})
    save_study(store)
    assert store.profile("demo").key == key
    assert not any(name.startswith("profile/") for name in members(pack(store, store.by_key(spec.key))))


def test_an_export_does_not_travel(here: Store, sentence: Callable) -> None:
    point = study_spec().points[1]
    spec = settings.ExportSpec(model=study_spec().model, pruned=point.pruned, folder="/somewhere/model")
    here.save(spec, None, TOLD)
    with pytest.raises(UserError) as error:
        pack(here, here.by_key(spec.key))
    sentence(error.value, "/somewhere/model")


def test_what_is_there_already_stays_as_it_is(here: Store, there: Store) -> None:
    key = save(here, "profile")
    content = pack(here, here.by_key(key))
    spec = here.by_key(key).spec
    unit = spec.unit(spec.measurements[0])
    own = synthetic.perturbed(LAYERS, SEQUENCES, spec.measurements[1])
    there.save(unit, own, {"device": "another"})
    before = snapshot(there.root)
    assert [entry.key for entry in unpack(there, content)] == [key]
    after = snapshot(there.root)
    assert before.items() <= after.items() and len(after) > len(before)
    assert unpack(there, content)[0].key == key and snapshot(there.root) == after


def test_a_damaged_result_is_replaced_by_a_packs_sound_one(here: Store, empty: Store) -> None:
    key = save(here, "profile")
    content = pack(here, here.by_key(key))
    [entry] = unpack(empty, content)
    (empty.path(units(entry.spec)[2]) / "injection-read.parquet").write_bytes(b"rot")
    unpack(empty, content)
    assert len(empty.troubles()) == 1
    assert profiles.load(empty, empty.by_key(key)).layers == LAYERS


def test_units_may_be_in_the_store_instead_of_the_pack(here: Store, there: Store, sentence: Callable) -> None:
    key = save(here, "profile")
    everything = members(pack(here, here.by_key(key)))
    spec = here.by_key(key).spec
    unit = spec.unit(spec.measurements[0])
    less = {name: data for name, data in everything.items() if unit.key not in name}
    refused(there, zipped(less), sentence, key, unit.key)
    there.save(unit, synthetic.perturbed(LAYERS, SEQUENCES, unit.measurement), TOLD)
    assert [entry.key for entry in unpack(there, zipped(less))] == [key]


# --- names and members ---------------------------------------------------------------------------------------------

PLACE = "profile/0123456789abcdef"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        f"../{PLACE}/spec.json",
        f"{PLACE}/../spec.json",
        f"{PLACE}/../../../spec.json",
        "profile/../spec.json",
        f"/{PLACE}/spec.json",
        f"//server/{PLACE}/spec.json",
        f"C:/{PLACE}/spec.json",
        "C:\\profile\\0123456789abcdef\\spec.json",
        f"{PLACE}\\spec.json",
        f"{PLACE}/..\\spec.json",
        f"{PLACE}/a/spec.json",
        f"./{PLACE}/spec.json",
        f"{PLACE}//spec.json",
        f"{PLACE}/",
        f"{PLACE}/spec.json/",
        PLACE,
        "spec.json",
        f"{PLACE}/spec.pkl",
        f"{PLACE}/spec.json.pickle",
        f"{PLACE}/.json",
        f"{PLACE}/Spec.json",
        f"{PLACE}/spec.json\n",
        f"{PLACE}/spec.json:stream",
        f"{PLACE}/sp\u00e9c.json",
        "profile/0123456789ABCDEF/spec.json",
        "profile/0123456789abcde/spec.json",
        "jobs/0123456789abcdef/request.json",
        "parts/0123456789abcdef/spec.json",
        "export/0123456789abcdef/spec.json",
        "set/0123456789abcdef/spec.json",
        "..",
        "a" * 60_000,
    ],
)
def test_a_name_that_is_no_place_is_refused(name: str, good: Members, there: Store, sentence: Callable) -> None:
    said = refused(there, zipped(good, (name, good[first(good, "profile", "spec.json")])), sentence)
    assert ascii(name)[1:9] in said


def test_a_name_that_goes_on_behind_nul_is_refused(good: Members, there: Store, sentence: Callable) -> None:
    """zipfile itself cuts such a name, so it would pass for another."""
    content = zipped(good, (f"{PLACE}/spec.json_/../..", b"{}"))
    refused(there, content.replace(b"spec.json_/", b"spec.json\0/"), sentence, PLACE)


@tried(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("./\\:profle0a~-\0\n "), min_size=1, max_size=40))
def test_no_other_name_passes(name: str, no_demo: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    assume(not name.startswith("\0"))  # zipfile cannot write such a member
    with pytest.raises(UserError):
        unpack(Store(root), zipped({name: b"{}"}))
    assert not root.exists() and [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_folders_and_devices_are_refused(mode: int, good: Members, there: Store, sentence: Callable) -> None:
    name = first(good, "perturbed", "injection-read.parquet")
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (mode | 0o777) << 16
    rest = {other: data for other, data in good.items() if other != name}
    refused(there, zipped(rest, (member, b"/etc/passwd")), sentence, name[:30], "plain files")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(good: Members, there: Store, sentence: Callable) -> None:
    name = first(good, "activation", "spec.json")
    refused(there, zipped(good, (name, good[name])), sentence, name, "twice")


def test_an_encrypted_member_is_refused(good: Members, there: Store, sentence: Callable) -> None:
    content = bytearray(zipped(good))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    refused(there, bytes(content), sentence, next(iter(good)), "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method: int, good: Members, there: Store, sentence: Callable) -> None:
    """Their decoders cannot be told to stop at a size."""
    refused(there, zipped(good, method=method), sentence, next(iter(good)))


def test_a_stored_zip_is_as_good(good: Members, there: Store) -> None:
    assert len(unpack(there, zipped(good, method=zipfile.ZIP_STORED))) == 1


# --- size ----------------------------------------------------------------------------------------------------------


def lying(content: bytes, size: int) -> bytes:
    """A zip whose last member claims another size, in both of its headers."""
    changed = bytearray(content)
    entry = content.rindex(b"PK\x01\x02")
    header = int.from_bytes(content[entry + 42 : entry + 46], "little")
    changed[entry + 24 : entry + 28] = changed[header + 22 : header + 26] = size.to_bytes(4, "little")
    return bytes(changed)


@pytest.mark.parametrize("claimed", [None, 10, 2**32 - 2])
def test_what_inflates_beyond_the_limit_is_refused(
    claimed: int | None, good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "LIMIT", 2**20)
    bomb = f"{PLACE}/spec.json"
    content = zipped(good, (bomb, bytes(8 * 2**20)))
    assert len(content) < 2**19
    refused(there, content if claimed is None else lying(content, claimed), sentence, PLACE)


def test_the_limit_is_on_all_members_together(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = sum(map(len, good.values()))
    monkeypatch.setattr(packs, "LIMIT", total - 1)
    refused(there, zipped(good), sentence, "unpacked")
    monkeypatch.setattr(packs, "LIMIT", total)
    assert len(unpack(there, zipped(good))) == 1


def test_a_pack_larger_than_the_limit_is_not_read(
    there: Store, tmp_path: Path, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "LIMIT", 1000)
    file = tmp_path / "large.zip"
    file.write_bytes(bytes(1001))
    refused(there, file, sentence, "larger")
    refused(there, bytes(1001), sentence, "larger")


def test_too_many_members_are_refused_before_they_are_listed(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zipped(good)
    monkeypatch.setattr(packs, "MEMBERS", len(good) - 1)
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
        refused(there, content, sentence, str(len(good) - 1))
    monkeypatch.setattr(packs, "MEMBERS", len(good))
    assert len(unpack(there, content)) == 1


@pytest.mark.parametrize("file", ["spec.json", "provenance.json", "manifest.json"])
def test_a_large_json_file_is_not_parsed(
    file: str, good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "JSON_LIMIT", 10_000)
    name = first(good, "profile", file)
    refused(there, zipped(hashed(good) | {name: b"[" * 10_001}), sentence, name)


# --- not a whole zip -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"hello", bytes(100_000), pickle.dumps({"a": 1}), b"PK\x05\x06" + bytes(18)]
)
def test_what_is_no_zip_is_refused(content: bytes, there: Store, sentence: Callable) -> None:
    refused(there, content, sentence)


@pytest.mark.parametrize("path", ["missing.zip", "."])
def test_a_path_that_is_no_file_is_refused(path: str, there: Store, tmp_path: Path, sentence: Callable) -> None:
    refused(there, tmp_path / path, sentence, str(tmp_path / path))


@tried(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_truncated_zip_is_refused(data: st.DataObject, good: Members, no_demo: Path, tmp_path: Path) -> None:
    content = zipped(good)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(UserError):
        unpack(Store(tmp_path / "cache"), content[:cut])
    assert not (tmp_path / "cache").exists()


@tried(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_are_refused_or_change_nothing(
    data: st.DataObject, good: Members, no_demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(zipped(good))
    directory = content.index(b"PK\x01\x02")
    places = st.one_of(st.integers(0, len(content) - 1), st.integers(directory, len(content) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    store = Store(tmp_path_factory.mktemp("cache"))
    try:
        unpack(store, bytes(content))
    except UserError:
        assert snapshot(store.root) == {}
    else:
        assert snapshot(store.root) == good


# --- folders that are not what they claim --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["profile", "perturbed", "weights"])
def test_a_wrong_hash_is_refused(kind: str, good: Members, there: Store, sentence: Callable) -> None:
    name = first(good, kind, "provenance.json")
    refused(there, zipped(good | {name: good[name] + b" "}), sentence, name, "hash")


@pytest.mark.parametrize("file", ["extra.json", "extra.parquet", "layer.parquet"])
def test_a_file_outside_the_manifest_or_the_form_is_refused(
    file: str, good: Members, there: Store, sentence: Callable
) -> None:
    name = first(good, "activation", "spec.json").replace("spec.json", file)
    refused(there, zipped(good | {name: b"{}"}), sentence, name, "manifest")
    refused(there, zipped(hashed(good | {name: b"{}"})), sentence, name)


@pytest.mark.parametrize("file", ["manifest.json", "spec.json", "provenance.json", "sequence.parquet"])
def test_a_missing_file_is_refused(file: str, good: Members, there: Store, sentence: Callable) -> None:
    name = first(good, "activation", file)
    less = {other: data for other, data in good.items() if other != name}
    refused(there, zipped(less), sentence, name)
    if file != "manifest.json":
        refused(there, zipped(hashed(less)), sentence, name, "missing")


@pytest.mark.parametrize("file", ["manifest.json", "spec.json", "provenance.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"3", b"null", b"\xff\xfe", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'{"a": 1e999}'],
)
def test_json_that_is_none_is_refused(
    file: str, content: bytes, good: Members, there: Store, sentence: Callable
) -> None:
    name = first(good, "floor", file)
    if file == "provenance.json" and content == b'{"a": 1e999}':
        content = b'{"seconds": "many"}'
    changed = hashed(good | {name: content}) | ({name: content} if file == "manifest.json" else {})
    refused(there, zipped(changed), sentence, name.rpartition("/")[0])


@pytest.mark.parametrize(
    "told",
    [
        {"model": 3},
        {"model": "red \x1b[31m"},
        {"text": "two\nlines"},
        {"seconds": "long"},
        {"seconds": {"sweep": []}},
        {"created": {"year": 2026}},
        {"linears": "q_proj"},
        {"deep": json.loads("[" * 500 + "]" * 500)},
    ],
)
def test_provenance_that_pages_could_not_show_is_refused(
    told: dict, good: Members, there: Store, sentence: Callable
) -> None:
    name = first(good, "profile", "provenance.json")
    refused(there, zipped(hashed(good | {name: json.dumps(told).encode()})), sentence, name)


def moved(files: Members, kind: str, key: str) -> Members:
    """The only folder of a kind under another key."""
    old = first(files, kind, "spec.json").split("/")[1]
    return {name.replace(f"{kind}/{old}/", f"{kind}/{key}/"): data for name, data in files.items()}


@pytest.mark.parametrize("kind", ["profile", "activation"])
def test_a_wrong_key_is_refused(kind: str, good: Members, there: Store, sentence: Callable) -> None:
    name = f"{kind}/0123456789abcdef/spec.json"
    refused(there, zipped(moved(good, kind, "0123456789abcdef")), sentence, name, "hash")


def test_a_unit_under_another_kind_is_refused(good: Members, there: Store, sentence: Callable) -> None:
    """An activation and a floor have the same fields; the class is part of the key."""
    key = first(good, "activation", "spec.json").split("/")[1]
    changed = {name.replace(f"activation/{key}", f"floor/{key}"): data for name, data in good.items()}
    refused(there, zipped(changed), sentence, f"floor/{key}/spec.json")


@pytest.mark.parametrize("kind", ["profile", "perturbed"])
def test_another_version_of_the_program_is_named_as_the_reason(
    kind: str, good: Members, there: Store, sentence: Callable
) -> None:
    name = first(good, kind, "spec.json")
    content = json.loads(good[name]) | {"field_of_tomorrow": 1}
    form = {"profile": specs.ProfileSpec, "perturbed": specs.PerturbedSpec}[kind]
    key = specs.key_of(form, content)
    old = name.split("/")[1]
    changed = {other.replace(old, key): data for other, data in good.items()}
    changed[f"{kind}/{key}/spec.json"] = json.dumps(content).encode()
    refused(there, zipped(hashed(changed)), sentence, f"{kind}/{key}/spec.json", "version")


def test_units_alone_and_units_of_nothing_are_refused(here: Store, good: Members, there: Store, sentence) -> None:
    alone = {name: data for name, data in good.items() if not name.startswith("profile/")}
    refused(there, zipped(alone), sentence, "profile")
    refused(there, zipped({}), sentence)
    study = members(pack(here, here.by_key(save(here, "study"))))
    stray = {name: data for name, data in study.items() if name.startswith("zeroshot/")}
    refused(there, zipped(good | stray), sentence, "zeroshot/")


# --- tables --------------------------------------------------------------------------------------------------------

FLOOR = "injection-read.parquet"
FORM = results.Floor


def table(columns: dict[str, pa.Array], shape: object) -> bytes:
    sink = pa.BufferOutputStream()
    told = {} if shape is None else {"shape": shape if isinstance(shape, bytes) else json.dumps(shape)}
    parquet.write_table(pa.table(columns).replace_schema_metadata(told), sink)
    return sink.getvalue().to_pybytes()


def drift(layers: int = LAYERS, **other: pa.Array) -> dict[str, pa.Array]:
    index = [pa.array(each.ravel().astype(np.int16)) for each in np.indices((layers, layers))]
    whole = {"injection": index[0], "read": index[1], "drift": pa.array(np.ones(layers**2, np.float32))}
    return whole | other


BAD_TABLES = {
    "a huge shape": table(drift(), [1_000_000, 1_000_000]),
    "a shape beyond any memory": table(drift(), [10**18, 10**18]),
    "a shape of endless digits": table(drift(), b"[" + b"9" * 5000 + b", 3]"),
    "a negative shape": table(drift(), [-3, -3]),
    "a shape of fractions": table(drift(), [3.0, 3.0]),
    "a shape of truths": table(drift(), [True, True]),
    "a shape that is a number": table(drift(), 9),
    "a shape of one axis": table(drift(), [9]),
    "a shape nested without end": table(drift(), b"[" * 100_000),
    "a shape that the table beside it contradicts": table(drift(4), [4, 4]),
    "no shape": table(drift(), None),
    "a shape smaller than its rows": table(drift(), [3, 2]),
    "an index beyond the shape": table(drift(read=pa.array(np.full(9, 7, np.int16))), [3, 3]),
    "missing indices": table(drift(read=pa.array([None] * 9, pa.int16())), [3, 3]),
    "text for numbers": table(drift(drift=pa.array(["a"] * 9)), [3, 3]),
    "lists for numbers": table(drift(drift=pa.array([[1.0]] * 9)), [3, 3]),
    "wide indices": table(drift(read=pa.array(np.zeros(9, np.int64))), [3, 3]),
    "a column more": table(drift(more=pa.array(np.zeros(9, np.float32))), [3, 3]),
    "a column less": table({name: column for name, column in drift().items() if name != "read"}, [3, 3]),
    "no table": b"",
    "a pickle": pickle.dumps([1, 2, 3]),
    "a table cut short": table(drift(), [3, 3])[:-10],
    "a table with its middle gone": table(drift(), [3, 3])[:40] + table(drift(), [3, 3])[90:],
}


@pytest.mark.parametrize("which", BAD_TABLES)
def test_a_table_that_is_not_of_its_kind_is_refused(
    which: str, good: Members, there: Store, sentence: Callable
) -> None:
    name = first(good, "floor", FLOOR)
    refused(there, zipped(hashed(good | {name: BAD_TABLES[which]})), sentence, name.rpartition("/")[0])


def test_the_same_table_as_it_should_be_is_taken(good: Members, there: Store) -> None:
    """So that the tables above are refused for what is wrong with them."""
    name = first(good, "floor", FLOOR)
    assert len(unpack(there, zipped(hashed(good | {name: table(drift(), [3, 3])})))) == 1


def test_no_absurd_shape_reaches_numpy(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, sizes = np.full, []
    monkeypatch.setattr(tables.np, "full", lambda shape, value: sizes.append(np.prod(shape)) or full(shape, value))
    name = first(good, "floor", FLOOR)
    for shape in ([inspection.NUMBERS, 2], [2, inspection.NUMBERS], [30_000, 30_000]):
        refused(there, zipped(hashed(good | {name: table(drift(), shape)})), sentence, name)
    assert not sizes or max(sizes) < 1000


def test_the_limit_counts_every_number_of_a_result(
    here: Store, good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = LAYERS**2 * SEQUENCES + 4 * LAYERS**2 + 8 * LAYERS * SEQUENCES  # of a perturbed unit, the largest
    monkeypatch.setattr(inspection, "NUMBERS", numbers - 1)
    refused(there, zipped(good), sentence, "perturbed/")
    monkeypatch.setattr(inspection, "NUMBERS", numbers)
    assert len(unpack(there, zipped(good))) == 1


@tried(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_tables_are_read_or_refused_in_a_sentence(
    data: st.DataObject, good: Members, no_demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With hashes that fit, so that only the tables themselves are in question."""
    name = first(good, "floor", FLOOR)
    content = bytearray(good[name])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    store = Store(tmp_path_factory.mktemp("cache"))
    try:
        [entry] = unpack(store, zipped(hashed(good | {name: bytes(content)})))
    except UserError:
        assert snapshot(store.root) == {}
    else:
        assert profiles.load(store, entry).floor.drift.shape == (LAYERS, LAYERS)


@tried(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 5000),
    page=st.sampled_from([64, 1000, 2**20]),
    group=st.integers(100, 5000),
    compression=st.sampled_from(["zstd", "none", "snappy"]),
    version=st.sampled_from(["1.0", "2.0"]),
    dictionary=st.booleans(),
)
def test_page_headers_say_what_an_honest_footer_says(
    rows: int, page: int, group: int, compression: str, version: str, dictionary: bool
) -> None:
    """The footer's sizes count the page headers too, packed and unpacked alike."""
    sink = pa.BufferOutputStream()
    numbers = np.arange(rows, dtype=np.float32) % 97
    parquet.write_table(
        pa.table({"read": numbers.astype(np.int16), "drift": numbers}), sink, data_page_size=page, row_group_size=group,
        compression=compression, data_page_version=version, use_dictionary=dictionary, write_statistics=dictionary,
    )  # fmt: skip
    content = sink.getvalue().to_pybytes()
    footer = parquet.ParquetFile(pa.BufferReader(content)).metadata
    columns = [footer.row_group(g).column(c) for g in range(footer.num_row_groups) for c in range(2)]
    found, pages = inspection.sizes(content)
    headers = sum(each.total_uncompressed_size for each in columns) - pages
    assert found == rows
    assert 0 < headers < sum(each.total_compressed_size for each in columns)


def test_a_page_that_claims_more_than_the_footer_is_refused(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = pa.BufferOutputStream()
    whole = pa.table(drift(10)).replace_schema_metadata({"shape": "[10, 10]"})
    parquet.write_table(whole, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    content = bytearray(sink.getvalue().to_pybytes())
    footer = parquet.ParquetFile(pa.BufferReader(bytes(content))).metadata
    at = footer.row_group(0).column(2).data_page_offset
    assert content[at : at + 3] == bytes([0x15, 0, 0x15]), "not the beginning of a page header"
    content[at + 3 : at + 5] = bytes([0xFE, 0x7F])  # 8191 bytes, in the same two bytes of varint
    name = first(good, "floor", FLOOR)
    monkeypatch.setattr(inspection, "PAGES", 5000)
    said = refused(there, zipped(hashed(good | {name: bytes(content)})), sentence, name)
    assert "unpacks to" in said and inspection.sizes(bytes(content))[1] > 8191


def test_a_table_that_unpacks_beyond_the_limit_is_refused(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "PAGES", 60)
    refused(there, zipped(good), sentence, "unpacks to")


def footed(footer: bytes) -> bytes:
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize(
    "footer",
    [
        b"",
        b"\x00",
        b"\x1c" * 200,  # structures in structures
        b"\x19" * 100_000,  # lists in lists
        b"\x19\xf7" + b"\xff" * 8 + b"\x7f",  # a list of endless numbers that take no place
        b"\x19\xf3" + b"\xff" * 8 + b"\x7f",
        b"\x16" + b"\xff" * 100,
        b"\x06\x84\x80\x08\x00\x00",  # a field that is another one in 16 bits
        bytes(2**20 + 1),
    ],
    ids=range(9),
)
def test_a_strange_footer_is_refused(footer: bytes, good: Members, there: Store, sentence: Callable) -> None:
    name = first(good, "floor", FLOOR)
    refused(there, zipped(hashed(good | {name: footed(footer)})), sentence, name)


def test_no_changed_byte_of_a_footer_ends_the_process(good: Members, sentence: Callable) -> None:
    """pyarrow's own view of a footer does where a column's level histogram has another size than its levels."""
    name = first(good, "floor", FLOOR)
    content = bytearray(good[name])
    outcomes = set()
    for place in range(len(content) - 400, len(content)):
        for value in (0, 1, 0x29, 255):
            changed = content[:place] + bytes([value]) + content[place + 1 :]
            try:
                inspection.check_tables(
                    "floor/key",
                    {FLOOR: bytes(changed), "read.parquet": good[name.replace(FLOOR, "read.parquet")]},
                    FORM,
                )
                outcomes.add("taken")
            except UserError as error:
                sentence(error)
                outcomes.add("refused")
    assert outcomes == {"taken", "refused"}


def test_two_views_in_one_pack_come_in_together(here: Store, empty: Store) -> None:
    keys = {save(here, "profile"), save(here, "study")}
    both = members(pack(here, here.by_key(min(keys)))) | members(pack(here, here.by_key(max(keys))))
    assert {entry.key for entry in unpack(empty, zipped(both))} == keys
    assert snapshot(empty.root) == both


def test_numbers_and_gaps_are_the_same_elsewhere(here: Store, empty: Store) -> None:
    key = save(here, "profile")
    unpack(empty, pack(here, here.by_key(key)))
    one, other = (profiles.load(store, store.by_key(key)) for store in (here, empty))
    for measurement, found in one.perturbed.items():
        again = other.perturbed[measurement].log_drift
        np.testing.assert_array_equal(again, found.log_drift)
        assert np.isnan(again[-1, 0]).all()
