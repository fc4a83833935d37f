"""A pack as a zip: no member leaves its place, no size passes the limits, and damage is refused in one sentence."""

import pickle
import stat
import zipfile

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from core.base.errors import UserError
from core.store import checks
from core.store.cache import Store
from core.store.packs import pack, unpack
from tests.core.packing import first, hashed, members, snapshot, zipped

# --- names and members ---------------------------------------------------------------------------------------------

PLACE = "profile/0123456789abcdef"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json", f"{PLACE}/../../../spec.json", f"/{PLACE}/spec.json", f"C:/{PLACE}/spec.json",
        f"{PLACE}\\spec.json", f"{PLACE}/a/spec.json", f"{PLACE}//spec.json", f"{PLACE}/", PLACE, "spec.json",
        f"{PLACE}/spec.json.pickle", f"{PLACE}/Spec.json", f"{PLACE}/spec.json\n", f"{PLACE}/sp\u00e9c.json",
        "profile/0123456789ABCDEF/spec.json", "jobs/0123456789abcdef/request.json",
        "export/0123456789abcdef/spec.json", "a" * 60_000,
    ],
)  # fmt: skip
def test_a_name_that_is_no_place_is_refused(name, good, rejected):
    said = rejected(zipped(good, (name, good[first(good, "profile", "spec.json")])))
    assert ascii(name)[1:9] in said


def test_a_name_that_goes_on_behind_nul_is_refused(good, rejected):
    """zipfile itself cuts such a name, so it would pass for another."""
    content = zipped(good, (f"{PLACE}/spec.json_/../..", b"{}"))
    rejected(content.replace(b"spec.json_/", b"spec.json\0/"), PLACE)


@tried(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.sampled_from("./\\:profle0a~-\0\n "), min_size=1, max_size=40))
def test_no_other_name_passes(name, no_demo, tmp_path):
    root = tmp_path / "cache"
    assume(not name.startswith("\0"))  # zipfile cannot write such a member
    with pytest.raises(UserError):
        unpack(Store(root), zipped({name: b"{}"}))
    assert not root.exists() and [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_folders_and_devices_are_refused(mode, good, rejected):
    name = first(good, "perturbed", "drift.npy")
    member = zipfile.ZipInfo(name)
    member.create_system = 3
    member.external_attr = (mode | 0o777) << 16
    rest = {other: data for other, data in good.items() if other != name}
    rejected(zipped(rest, (member, b"/etc/passwd")), name[:30], "link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(good, rejected):
    name = first(good, "activation", "spec.json")
    rejected(zipped(good, (name, good[name])), name, "twice")


def test_an_encrypted_member_is_refused(good, rejected):
    content = bytearray(zipped(good))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    rejected(bytes(content), next(iter(good)), "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(method, good, rejected):
    """Their decoders cannot be told to stop at a size."""
    rejected(zipped(good, method=method), next(iter(good)))


# --- size ----------------------------------------------------------------------------------------------------------


def lying(content, size):
    """A zip whose last member claims another size, in both of its headers."""
    changed = bytearray(content)
    entry = content.rindex(b"PK\x01\x02")
    header = int.from_bytes(content[entry + 42 : entry + 46], "little")
    changed[entry + 24 : entry + 28] = changed[header + 22 : header + 26] = size.to_bytes(4, "little")
    return bytes(changed)


@pytest.mark.parametrize("claimed", [None, 10, 2**32 - 2])
def test_what_inflates_beyond_the_limit_is_refused(claimed, good, rejected, monkeypatch):
    monkeypatch.setattr(checks, "LIMIT", 2**20)
    bomb = f"{PLACE}/spec.json"
    content = zipped(good, (bomb, bytes(8 * 2**20)))
    assert len(content) < 2**19
    rejected(content if claimed is None else lying(content, claimed), PLACE)


def test_a_pack_over_the_limit_is_not_read(tmp_path, rejected, monkeypatch):
    monkeypatch.setattr(checks, "LIMIT", 1000)
    file = tmp_path / "large.zip"
    file.write_bytes(bytes(1001))
    rejected(file, "larger")
    rejected(bytes(1001), "larger")


def test_too_many_members_are_refused_before_they_are_listed(good, there, rejected, monkeypatch):
    content = zipped(good)
    monkeypatch.setattr(checks, "MEMBERS", len(good) - 1)
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
        rejected(content, str(len(good) - 1))
    monkeypatch.setattr(checks, "MEMBERS", len(good))
    assert len(unpack(there, content)) == 1


@pytest.mark.parametrize("file", ["spec.json", "provenance.json", "manifest.json"])
def test_large_json_is_not_parsed(file, good, rejected, monkeypatch):
    monkeypatch.setattr(checks, "JSON_LIMIT", 10_000)
    name = first(good, "profile", file)
    rejected(hashed(good) | {name: b"[" * 10_001}, name)


# --- not a whole zip -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"hello", bytes(100_000), pickle.dumps({"a": 1}), b"PK\x05\x06" + bytes(18)]
)
def test_what_is_no_zip_is_refused(content, rejected):
    rejected(content)


@pytest.mark.parametrize("path", ["missing.zip", "."])
def test_a_path_that_is_no_file_is_refused(path, tmp_path, rejected):
    rejected(tmp_path / path, (tmp_path / path).name)  # a long path is cut in the middle


@tried(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_bytes_are_refused_or_change_nothing(data, good, no_demo, tmp_path_factory):
    content = bytearray(zipped(good))
    directory = content.index(b"PK\x01\x02")
    places = st.one_of(st.integers(0, len(content) - 1), st.integers(directory, len(content) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    store = Store(tmp_path_factory.mktemp("cache"))
    try:
        [entry] = unpack(store, bytes(content))
    except UserError:
        assert snapshot(store.root) == {}
    else:
        assert members(pack(store, entry)) == good
