"""Shares carried from one machine to another: they join, they make the same bits, and a stranger's do not count."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.ask.jobs import Part, Unfinished
from core.store import parts, results
from core.store.cache import Store
from core.store.packs import pack, unpack
from tests import synthetic
from tests.core.packing import LAYERS, SEQUENCES, TOLD, first, hashed, members, save, snapshot, zipped

SPEC = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", prunable=True)
HALVES = (0, SEQUENCES // 2)


def half(whole: results.Perturbed, begin: int) -> results.Perturbed:
    """Half of the sequences of a unit."""
    axes = results.axes_of(results.Perturbed)
    take = slice(begin, begin + SEQUENCES // 2)
    return results.Perturbed(
        **{name: getattr(whole, name)[..., take] if "sequence" in axes[name] else getattr(whole, name) for name in axes}
    )


@pytest.fixture
def whole(no_demo: Path, tmp_path: Path) -> Store:
    """Where all of it was measured."""
    store = Store(tmp_path / "whole")
    save(store, "prunable profile")
    return store


def begun(whole: Store, root: Path, begin: int) -> Store:
    """A store with half of every perturbed unit in parts; the first half has the other units too."""
    store = Store(root)
    for unit in SPEC.units:
        if hasattr(unit, "measurement"):
            parts.save(store, unit, begin, half(whole.load(unit), begin), 1.5, ["helped"])
        elif not begin:
            store.save(unit, whole.load(unit), TOLD)
    parts.save_view(store, SPEC, TOLD)
    return store


@pytest.fixture
def two(whole: Store, tmp_path: Path) -> tuple[Store, Store]:
    one, other = (begun(whole, tmp_path / f"from {begin}", begin) for begin in HALVES)
    return one, other


def packed(store: Store) -> bytes:
    [entry] = store.entries("unfinished")
    return pack(store, entry)


def test_shares_join(two: tuple[Store, Store], whole: Store) -> None:
    one, other = two
    [entry] = unpack(one, packed(other), own=True)
    assert entry.spec == Unfinished(whole=SPEC) and not entry.packs
    for unit in SPEC.units:
        if not hasattr(unit, "measurement"):
            continue
        joined = parts.partial(one, unit)
        assert parts.summary(one, unit) == {"seconds": 3, "warnings": ["helped"], "replay_error": None}
        for name, axes in results.axes_of(results.Perturbed).items():
            if "sequence" in axes:
                assert np.array_equal(getattr(joined, name), getattr(whole.load(unit), name), equal_nan=True)


def test_a_pack_of_shares_is_the_same_each_time_and_joins_once(two: tuple[Store, Store]) -> None:
    one, other = two
    content = packed(other)
    assert packed(other) == content
    unpack(one, content, own=True)
    once = snapshot(one.root)
    unpack(one, content, own=True)
    unpack(one, packed(one), own=True)
    assert snapshot(one.root) == once


def test_a_strangers_shares_are_refused(two: tuple[Store, Store], rejected: Callable) -> None:
    rejected(packed(two[0]), "--own")


def test_ones_own_results_are_not_marked_and_take_the_place_of_marked_ones(whole: Store, there: Store) -> None:
    content = pack(whole, whole.by_key(SPEC.key))
    assert unpack(there, content)[0].packs
    [entry] = unpack(there, content, own=True)
    assert not entry.packs and not any(there.measured(unit) is None for unit in SPEC.units)


def test_a_share_that_lies_is_refused(two: tuple[Store, Store], sentence: Callable, tmp_path: Path) -> None:
    one, other = two
    good = members(packed(other))
    spec = json.loads(good[first(good, "part", "spec.json")])
    later = Part.model_validate(spec | {"first": SEQUENCES - 1})
    alien = Part.model_validate(spec | {"unit": spec["unit"] | {"harm_stride": 9}})
    for lie in (later, alien):
        folder = first(good, "part", "spec.json").rpartition("/")[0]
        files = {name.replace(folder, f"part/{lie.key}"): data for name, data in good.items()}
        files[f"part/{lie.key}/spec.json"] = lie.model_dump_json().encode()
        before = snapshot(one.root)
        with pytest.raises(Exception) as error:
            unpack(one, zipped(hashed(files)), own=True)
        sentence(error.value, lie.key)
        assert snapshot(one.root) == before


def test_by_the_command_line(two: tuple[Store, Store], say: Callable, tmp_path: Path) -> None:
    file = tmp_path / "share.zip"
    file.write_bytes(packed(two[1]))
    say("runs", "import", file).refused("--own")
    key = Unfinished(whole=SPEC).key
    assert say("runs", "import", file, "--own", "--json").json == {"keys": [key], "already": []}
    assert say("runs", "export", key, tmp_path / "on.zip", "--json").json["key"] == key
    assert say("runs", "delete", key, "--yes", "--json").json["deleted"]
