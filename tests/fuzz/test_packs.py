"""Packs: a sound one with anything changed in it, and bytes that are none."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.cache import Store
from core.store.packs import unpack
from tests.core.packing import Members, first, hashed, members, save, zipped
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed, odd


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Members:
    from core.store.packs import pack

    store = Store(tmp_path_factory.mktemp("sound"))
    return members(pack(store, store.by_key(save(store, "study"))))


@fuzz
@given(st.data())
def test_a_pack(sound: Members, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    store = Store(Path(tmp_path_factory.getbasetemp()) / "fuzzed")
    content = data.draw(st.sampled_from([_json, _bytes, _cut, _renamed, _noise]))(sound, data)
    for entry in answered(lambda: unpack(store, content)) or ():
        assert list(store.entries(entry.path.parent.name))


def _json(sound: Members, data: st.DataObject) -> bytes:
    """Another value somewhere in what a folder says of itself, its hashes made to fit."""
    kind = data.draw(st.sampled_from(["study", "evaluated", "zeroshot"]))
    name = first(sound, kind, data.draw(st.sampled_from(["spec.json", "provenance.json"])))
    told = data.draw(changed(json.loads(sound[name])))
    return zipped(hashed(sound | {name: json.dumps(told).encode()}))


def _bytes(sound: Members, data: st.DataObject) -> bytes:
    """Another byte somewhere in a file, its hash made to fit."""
    name = data.draw(st.sampled_from(sorted(sound)))
    content = bytearray(sound[name])
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    return zipped(hashed(sound | {name: bytes(content)}))


def _cut(sound: Members, data: st.DataObject) -> bytes:
    whole = bytearray(zipped(sound))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(0, 255))
    return bytes(whole[: data.draw(st.integers(0, len(whole)))])


def _renamed(sound: Members, data: st.DataObject) -> bytes:
    name = data.draw(st.sampled_from(sorted(sound)))
    other = data.draw(odd.filter(lambda each: isinstance(each, str) and each.isprintable())) or "x"
    files = {(other if each == name else each): content for each, content in sound.items()}
    return zipped(files)


def _noise(_: Members, data: st.DataObject) -> bytes:
    return b"PK\x03\x04" + zlib.compress(data.draw(st.binary(max_size=200)))
