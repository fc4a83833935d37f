"""Packs: a sound one with anything changed in it, and bytes that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.cache import Store
from core.store.packs import unpack
from tests.core.packing import Members, first, hashed, members, save, zipped
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Members:
    from core.store.packs import pack

    store = Store(tmp_path_factory.mktemp("sound"))
    return members(pack(store, store.by_key(save(store, "study"))))


@fuzz
@given(st.data())
def test_a_pack_that_says_something_odd(
    sound: Members, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Another value somewhere in what a folder says of itself, its hashes made to fit."""
    store = Store(Path(tmp_path_factory.getbasetemp()) / "fuzzed")
    kind = data.draw(st.sampled_from(["study", "evaluated", "zeroshot"]))
    name = first(sound, kind, data.draw(st.sampled_from(["spec.json", "provenance.json"])))
    told = data.draw(changed(json.loads(sound[name])))
    content = zipped(hashed(sound | {name: json.dumps(told).encode()}))
    for entry in answered(lambda: unpack(store, content)) or ():
        assert list(store.entries(entry.path.parent.name))
