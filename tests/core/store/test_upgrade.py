"""Entries as they were before `.npy`: read with the same numbers, and rewritten where the folder can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.ask.measurements import ActivationSpec
from core.store.cache import HOME, Store
from core.store.files import verified, write_folder
from core.store.results import encode

KEY = "3ea0cac6b8904189"
OLD = Path(__file__).with_name("old") / f"activation-{KEY}"  # as it was committed
NOW = HOME / "demo" / "activation" / KEY  # as it is
SPEC = ActivationSpec.model_validate_json((NOW / "spec.json").read_bytes())


@pytest.fixture
def old(empty: Store) -> Path:
    return Path(shutil.copytree(OLD, empty.root / "activation" / KEY))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_old_entry_has_the_same_numbers_and_is_rewritten_in_place(empty: Store, old: Path) -> None:
    written = (old / "manifest.json").stat().st_mtime_ns
    found = empty.load(SPEC)
    assert contents(old) == contents(NOW) and encode(found).items() <= contents(NOW).items()
    assert encode(empty.load(SPEC)) == encode(found) and empty.troubles() == []
    assert (old / "manifest.json").stat().st_mtime_ns == written


@pytest.mark.parametrize("hindrance", ["read-only server", "read-only folder"])
def test_an_old_entry_that_cannot_be_rewritten_is_read(
    hindrance: str, empty: Store, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise OSError("Read-only file system")

    if hindrance == "read-only server":
        monkeypatch.setenv("ABSORPTION_READ_ONLY", "1")
    else:
        monkeypatch.setattr("core.store.upgrade.write_file", closed)
    assert encode(empty.load(SPEC)).items() <= contents(NOW).items()
    assert contents(old) == contents(OLD)


@pytest.mark.parametrize("cut", [10, 300, -20])
def test_a_truncated_table_with_a_fitting_manifest_is_set_aside(cut: int, old: Path, empty: Store) -> None:
    files = verified(old)
    shutil.rmtree(old)
    write_folder(old, files | {"layer-sequence.parquet": files["layer-sequence.parquet"][:cut]})
    assert empty.load(SPEC) is None and len(empty.troubles()) == 1
