"""What leaves the prune page: the command, the study file, and the exported model."""

import json
import shlex
from pathlib import Path

import pytest

from core.export import file_sizes, target
from core.export.card import RECIPE
from core.jobs import cost, queue
from core.jobs.records import Status
from core.methods.budget_unit import GGUF
from core.models.sources import Source
from core.plan.sizes import Counts
from core.requests.export_and_search import ExportRequest, ExportSpec
from core.requests.inputs import WindowRequest
from core.requests.recipes import Recipe, uniform
from core.requests.studies import StudyRequest
from core.requests.workload import ModelShape
from core.store.profiles import load
from pages.ui import url_state
from pages.ui.prune import export
from pages.ui.prune.pruning import Pruning
from tests import synthetic
from tests.bench import llama_cpp
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
        monkeypatch.setattr(module, "outlined", lambda *_: shape)


def test_a_study_whose_request_is_known_is_matched_by_it(store, monkeypatch):
    monkeypatch.setattr(url_state, "url", dict)
    profile, keys = load(store, store.profile(PROFILE.key)), {}
    for documents in ((0, 9), (10, 19)):
        window = WindowRequest(source="allenai/c4", documents=documents, sequences=16, length=synthetic.LENGTH)
        request = StudyRequest(profile=PROFILE.key, settings=(Recipe(allocation=OWL),), calibration=window)
        keys[save(store, request.settings, text=f"text {documents}", request=request)] = request
    for key, request in keys.items():
        assert export.measuring(profile, Pruning(request, "cpu")) == key
        reseeded = request.model_copy(update={"settings": (Recipe(allocation=OWL, calibration_seed=1),)})
        assert export.measuring(profile, Pruning(reseeded, "cpu")) is None


def test_the_bytes_of_every_form_are_shown_and_a_format_is_chosen(store, located, outside, monkeypatch):
    monkeypatch.setattr(file_sizes, "locate", lambda *_, **__: SOURCE)
    monkeypatch.setattr(target, "check_format", lambda *_: None)
    monkeypatch.setattr(file_sizes, "count_numbers", lambda *_: Counts(8_000_000, 1_000_000, 0))
    key = save(store, family(), request=StudyRequest(profile=PROFILE.key, settings=family()), length=512)
    app = opened(part="export")
    shown = app.table[0].value
    assert list(shown["MB"]) == ["18.0", "7.8", "10.5", "6.5"] and list(shown["perplexity"])[2:] == ["not known"] * 2
    assert list(shown) == ["MB", "of float16", "perplexity"]
    row = dict.fromkeys(("build_commit", "build_number", "cpu_info", "n_threads", "n_gen"))
    llama_cpp.keep({"float16": 12.34, "Q4_0": 45.67}, row, SOURCE, store)
    timed = opened(part="export").table[0].value["tokens a second (llama.cpp)"]
    assert list(timed) == ["12.3", "not known", "not known", "45.7"]
    monkeypatch.setattr(file_sizes, "HOST", "another")
    assert "tokens a second (llama.cpp)" not in opened(part="export").table[0].value
    assert key and any(each.value.startswith("A dense Q4_0 file takes 16.7 %") for each in app.caption)
    app.selectbox(key="export-format").select("gguf:Q4_0").run()
    put(app, "export-folder", str(outside / "pruned"))
    assert submitted(app, store, "export").format == "gguf:Q4_0"


def test_a_study_of_gguf_types_on_the_same_windows_says_what_their_bytes_cost(store, located, monkeypatch):
    monkeypatch.setattr(file_sizes, "locate", lambda *_, **__: SOURCE)
    monkeypatch.setattr(file_sizes, "count_numbers", lambda *_: Counts(8_000_000, 1_000_000, 0))
    save(store, family(), request=StudyRequest(profile=PROFILE.key, settings=family()), length=512)
    named = (uniform(GGUF.read(name), "gguf") for name in ("Q8_0", "Q4_0"))
    types = [Recipe(allocation=each, pruner="gguf") for each in named]
    save(store, (types[0],), length=512)
    save(store, (types[1],), length=512, text="another text")
    shown = opened(part="export").table[0].value
    assert shown["perplexity"]["Q8_0"] != "not known" and shown["perplexity"]["Q4_0"] == "not known"
    save(store, (types[1],), length=512)
    app = opened(part="export")
    assert "not known" not in list(app.table[0].value["perplexity"])
    assert any("and its perplexity is" in each.value for each in app.caption)


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


def test_a_finished_export_tells_its_bytes(store, tmp_path):
    setting = Recipe(allocation=OWL)
    request = ExportRequest(setting=setting, folder=str(tmp_path / "pruned"))
    job = queue.submit(store, request)
    pruned = synthetic.study_spec(PROFILE, [setting], LAYERS).points[-1].pruned
    told = {"folder": request.folder, "size": "The weight files have 9 bytes."}
    spec = ExportSpec(model=PROFILE.model, pruned=pruned, folder=request.folder)
    store.save(spec, None, told | {"setting": setting.name})
    job.write(Status(state="done", result=spec.key, started=1.0, updated=61.0))
    app = opened(job=job.key, part="export")
    assert "The weight files have 9 bytes." in [each.value for each in app.caption]
    shown = {each.language: each.value for each in app.code}
    assert f"from_pretrained({request.folder!r})" in shown["python"]
    assert shlex.split(shown["bash"]) == ["vllm", "serve", request.folder]
