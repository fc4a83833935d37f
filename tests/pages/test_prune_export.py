"""What leaves the prune page: the command, the study file, and the exported model."""

import json
from pathlib import Path

import pytest

from core.export import RECIPE, target
from core.jobs import cost
from core.models import Source
from core.requests import ExportRequest, ModelShape, Recipe, StudyRequest, WindowRequest
from pages.ui.compress import export
from tests import synthetic
from tests.pages.opening import put, words
from tests.pages.prune_page import LAYERS, OWL, PROFILE, family, opened, save, submitted

# --- exporting -----------------------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path_factory):
    """A folder that is not in the cache."""
    return tmp_path_factory.mktemp("outside").resolve()


def test_export_refuses_before_it_runs(store, outside):
    app = opened(part="export")
    assert export.HONEST in {each.value for each in app.markdown} and app.button(key="export").disabled
    (outside / "notes.txt").write_text("mine")
    put(app, "export-folder", str(outside))
    assert "notes.txt" in app.error[0].value
    assert app.button(key="export").disabled


def test_an_earlier_export_is_no_error_and_the_box_replaces_it(store, outside, located):
    """The folder that has just been exported to stays in the form."""
    for name, content in {"config.json": "{}", RECIPE: json.dumps({"files": ["config.json", RECIPE]})}.items():
        (outside / name).write_text(content)
    app = opened(part="export")
    put(app, "export-folder", str(outside))
    assert "holds an earlier export" in words(app.caption)
    assert not app.error and app.button(key="export").disabled
    app.checkbox(key="export-overwrite").check().run()
    assert not app.error and not app.button(key="export").disabled


SOURCE = Source("a model", Path("nowhere"), None, "a model", None)


@pytest.fixture
def located(monkeypatch):
    """A model whose shape is known though none is here."""
    shape = ModelShape(layers=LAYERS, width=64, vocabulary=1000, layer_parameters=50_000, parameters=400_000)
    for module in (cost, target):
        monkeypatch.setattr(module, "locate", lambda *_, **__: SOURCE)
        monkeypatch.setattr(module, "read_shape", lambda *_: shape)


def test_export_submits_the_setting_with_its_study(store, located, outside):
    window = WindowRequest(sequences=16, length=synthetic.LENGTH)
    asked = StudyRequest(profile=PROFILE.key, settings=family(), calibration=window)
    key = save(store, family(), request=asked)
    app = opened(part="export", calibration_length=str(synthetic.LENGTH))
    put(app, "export-folder", str(outside / "pruned"))
    assert submitted(app, store, "export") == ExportRequest(
        profile=PROFILE.key,
        calibration=window,
        setting=Recipe(allocation=OWL),
        folder=str(outside / "pruned"),
        study=key,
    )
