"""What a killed export left: a folder that stands is recorded, a copy of a model beside it is deleted."""

import os
from unittest.mock import Mock

import pytest

from core.export import export as exports
from core.export import target as journal
from core.jobs import execute, tidy
from core.store import parts, write_file
from tests.builders.requests import export
from tests.core.breaking import no_pruning
from tests.core.store.test_deleting import GONE, by


def test_an_export_that_was_killed_before_its_run_ended_is_not_made_again(empty, text, tmp_path, monkeypatch, refused):
    asked = export(text, tmp_path / "out")
    made = execute.get(asked, empty)  # as a worker does, which then notes that the run is done
    tidy(empty)
    no_pruning(monkeypatch)
    assert execute.get(asked, empty) == made
    assert made.provenance["folder"] == str(tmp_path / "out") and made.provenance["difference"] == 0
    journal.end(empty, tmp_path / "out")
    with refused("earlier export"):
        execute.get(asked, empty)


def test_a_record_whose_folder_never_got_its_name_is_no_export(empty, text, tmp_path, monkeypatch):
    asked = export(text, tmp_path / "out")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(exports, "_put_in_place", Mock(side_effect=KeyboardInterrupt))
        execute.get(asked, empty)
    assert list(empty.entries("export")) and not (tmp_path / "out").exists()
    execute.get(asked, empty)
    assert (tmp_path / "out" / "recipe.json").is_file()


@pytest.mark.parametrize(("pid", "stays"), [(GONE, False), (os.getppid(), True)])
def test_copies_of_models_go_first_and_what_was_replaced_comes_back(pid, stays, empty, tmp_path, monkeypatch):
    """Killed while it put its copy in the place of an earlier export; one that somebody works on is left alone."""
    target = tmp_path / "models" / "out"
    journal.begin(empty, target)
    copy, former = (target.with_name(f"{by(pid, target.name)}{end}") for end in ("x", f"{journal.FORMER}1"))
    for path in (copy, former):
        write_file(path / "model.safetensors", path.name.encode())
    found = []
    monkeypatch.setattr(parts, "sweep", lambda _: found.append((copy.exists(), former.exists(), target.exists())))
    tidy(empty)
    assert found == [(stays, stays, not stays)]
    if not stays:
        assert (target / "model.safetensors").read_bytes() == former.name.encode()
        assert [path.name for path in target.parent.iterdir()] == ["out"]
    assert bool(list((empty.root / "exporting").iterdir())) == stays
