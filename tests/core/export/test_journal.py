"""What a killed export left: a folder that stands is recorded, a copy of a model beside it is deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.ask.requests import ExportSpec
from core.evaluate import resolving as walking
from core.export import journal
from core.jobs import experiment
from core.jobs.queue import tidy
from core.store import deleting
from core.store.cache import Store
from core.store.files import write_file
from tests.core.evaluate.test_study import exporting
from tests.core.store.test_deleting import GONE, by


@pytest.mark.parametrize("start", ["the same command", "any start"])
def test_an_export_that_was_killed_before_it_was_recorded_is_done(
    start: str, empty: Store, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, save = exporting(text, tmp_path / "out"), Store.save

    def killed(store: Store, spec: object, *rest: object) -> Path:
        if isinstance(spec, ExportSpec):
            raise KeyboardInterrupt
        return save(store, spec, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Store, "save", killed)
        experiment.get(asked, empty)
    assert (tmp_path / "out" / "recipe.json").is_file() and not list(empty.entries("export"))
    monkeypatch.setattr(walking, "prune_layers", lambda *_: pytest.fail("the model was pruned again"))
    if start == "any start":
        tidy(empty)
    else:
        experiment.get(asked, empty)
    [entry] = empty.entries("export")
    assert entry.provenance["folder"] == str(tmp_path / "out") and entry.provenance["difference"] == 0


@pytest.mark.parametrize(("pid", "stays"), [(GONE, False), (os.getppid(), True)])
def test_copies_of_models_go_first_and_what_was_replaced_comes_back(
    pid: int, stays: bool, empty: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it put its copy in the place of an earlier export; one that somebody works on is left alone."""
    target = tmp_path / "models" / "out"
    journal.begin(empty, target)
    copy, former = (target.with_name(f"{by(pid, target.name)}{end}") for end in ("x", f"{journal.FORMER}1"))
    for folder in (copy, former):
        write_file(folder / "model.safetensors", folder.name.encode())
    found = []
    monkeypatch.setattr(deleting, "sweep", lambda _: found.append((copy.exists(), former.exists(), target.exists())))
    tidy(empty)
    assert found == [(stays, stays, not stays)]
    if not stays:
        assert (target / "model.safetensors").read_bytes() == former.name.encode()
        assert [path.name for path in target.parent.iterdir()] == ["out"]
    assert bool(list((empty.root / "exporting").iterdir())) == stays
