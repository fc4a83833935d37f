"""The best-setting part of the prune page: exactly the request chosen, the answer from its data, links that hold."""

from pathlib import Path

import pytest

from core.base import access
from core.requests import BestRequest, BestSpec, ExactRecipe, ExportSpec, Recipe, StudyRequest, WindowRequest, grammar
from core.results import best, candidates, study_results
from core.store import profiles
from pages.ui.compress import goal, search
from pages.ui.model import measure
from tests import synthetic, tiny
from tests.pages.opening import badges, put, url, words
from tests.pages.prune_page import LAYERS, PROFILE, opened, submitted

METHODS = ("uniform", "owl", "dlp", "depth_ramp", "uniform strength=0.04", "uniform strength=0.04 control=reversed")
ANSWERED = BestRequest(
    target=0.7,
    selection=WindowRequest(source="demo:evaluation", documents=(0, 4), sequences=12, length=256),
    final=WindowRequest(source="demo:evaluation", documents=(5, 9), sequences=12, length=256),
)


def save(store, request=ANSWERED, methods=METHODS, **told):
    """An answer of the profile's model: its selection, its final comparison, and the view over both."""
    target = request.target or 0.7
    tried = [Recipe(pruner=request.pruner, allocation=grammar.read_allocation(f"{each}:{target}")) for each in methods]
    selection = _study(store, tried, f"selects {request.key}", request)
    winner = candidates.choose(selection)
    seeded = [winner.replace(calibration_seed=seed) for seed in request.seeds]
    final = _study(store, seeded, f"judges {request.key}", request)
    spec = BestSpec(
        model=PROFILE.model, profile=PROFILE, max_loss=request.max_loss, selection=selection.spec, final=final.spec,
        winner=winner,
    )  # fmt: skip
    about = {"model": "invented model", "request": request.model_dump(mode="json"), "profile": PROFILE.key}
    return store.entry(store.save(spec, None, about | told))


def _study(store, settings, text, request):
    spec = synthetic.study_spec(PROFILE, settings, 12, 256, text)
    if store.path(PROFILE):
        spec = synthetic.as_allocated(spec, profiles.load(store, store.profile(PROFILE.key)))
    asked = request.to(StudyRequest, profile=PROFILE.key, settings=tuple(settings))
    synthetic.save_study(store.root, spec, PROFILE.key, text=text, request=asked)
    return study_results.read(store, spec)


def part(**view):
    return opened(part="best", **view)


# --- asking --------------------------------------------------------------------------------------------------------


CHOSEN = {
    "best_for": "target", "best_target": "0.55", "best_by": "any", "best_text": "allenai/c4", "best_seeds": "3,1",
    "best_sequences": "5", "best_windows": "9", "best_length": "64", "best_looks": "True",
    "best_repair": "refit", "best_trains": "True", "best_minutes": "5", "best_bfloat16": "True",
}  # fmt: skip


def without_folder(request):
    return request.replace(folder=None)


def test_run_queues_what_was_chosen_and_the_url_restores_it(store):
    app = part(**CHOSEN)
    assert {key: str(app.session_state[key]) for key in CHOSEN} == CHOSEN
    kept = url(app)
    assert kept.items() >= CHOSEN.items()
    window = WindowRequest(source="allenai/c4", sequences=9, length=64)
    expected = BestRequest(
        target=0.55,
        pruner="any",
        repair="refit",
        recover_minutes=5,
        recover_dtype="bfloat16",
        calibration=window.replace(sequences=5),
        selection=window,
        final=window,
        profile=PROFILE.key,
        seeds=(3, 1),
    )
    assert without_folder(submitted(opened(**kept), store, "best-run")) == expected


def test_a_greatest_loss_takes_the_place_of_the_target(store):
    app = part(best_for="loss")
    assert not [each for each in app.text_input if each.key == "best_target"]
    put(app, "best_loss", "12.5%")
    assert without_folder(submitted(app, store, "best-run")) == BestRequest(max_loss=0.125)


def test_a_size_is_the_first_thing_asked_for_and_is_made_in_a_new_folder(store):
    app = part(best_size="120", best_type="gptq_symmetric")
    asked = submitted(app, store, "best-run")
    assert (asked.at_most, asked.pruner, asked.repair) == (120e6, "gptq_symmetric", "none")
    assert asked.folder.endswith("-120MB") and not Path(asked.folder).exists()


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize(("size", "why"), [("20", "cannot be met: even at Q4_0"), ("500", "is more than")])
def test_a_size_that_cannot_be_had_is_said_once_beside_the_nearest(size, why):
    app = part(best_size=size)
    [error] = app.error
    assert why in error.value and not app.warning and "from the dense model" in words(app.markdown)


def test_a_model_that_was_never_measured_is_made_too_and_one_that_was_comes_into_view(store, monkeypatch):
    folder = str(tiny.folder("llama"))
    monkeypatch.setattr(measure, "in_cache", lambda _: [folder])
    app = part()
    put(app, "best_model", folder)
    [note] = [each.value for each in app.info]
    assert note.endswith(goal.UNMEASURED) and "as float16" in note and "as Q4_0" in note
    asked = submitted(app, store, "best-run")
    assert (asked.model, asked.profile) == (folder, None)
    measured = synthetic.save_small(store.root, model_source=folder)
    app = part()
    put(app, "best_model", folder)
    assert app.session_state["profile"] == measured and not app.session_state["best_model"]
    title = "Open what was measured of it"
    assert title in [each.label for each in part(best_model=folder, profile=PROFILE.key).get("page_link")]
    assert title not in [each.label for each in part(best_model=folder, profile=measured).get("page_link")]


@pytest.mark.parametrize("typed", ["/no/such/folder", "no body/no model"])
def test_a_model_that_is_not_here_is_said_once_and_nothing_is_made(store, typed):
    app = part(best_model=typed)
    assert len(app.warning) + len(app.error) == 1 and "best-run" not in [each.key for each in app.button]


# --- the answer ----------------------------------------------------------------------------------------------------


def gone(store, unit):
    """Take a measurement out of the cache."""
    folder = store.path(unit)
    folder.rename(folder.with_name(".gone"))


def test_a_lost_measurement_is_said(store):
    final = save(store).spec.final
    gone(store, final.evaluated(final.points[0]))
    app = part()
    assert len(app.error) == 1


def test_a_file_outside_the_folder_of_a_server_is_not_even_looked_for(store, tmp_path_factory, monkeypatch):
    found = best.load(store, save(store))
    folder, told = tmp_path_factory.mktemp("outside"), {"setting": found.answer.name, "bytes": 1}
    half = ExactRecipe(pruner="magnitude", sparsity=(0.5,) * LAYERS, calibration=None)
    store.save(ExportSpec(model=PROFILE.model, pruned=half, folder=str(folder)), None, told)
    assert search.files(found)
    monkeypatch.setenv(access.ROOT, str(tmp_path_factory.mktemp("inside")))
    real = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: pytest.fail("looked") if path == folder else real(path))
    assert not search.files(found)


# --- from the answer on --------------------------------------------------------------------------------------------


def test_one_button_brings_the_answer_into_view_and_step_3_exports_it(store, tmp_path_factory):
    """Whatever was in view before: another method, calibration, pattern and layers set by hand."""
    calibrated = ANSWERED.replace(calibration=WindowRequest(sequences=16, length=64))
    entry = save(store, request=calibrated, methods=("uniform", "dlp"))
    found, folder = best.load(store, entry), tmp_path_factory.mktemp("outside").resolve() / "pruned"
    assert found.answer.allocation.base.kind == "dlp"
    before = {"base": "owl", "strength": "0.05", "hand": "3:0.55", "target": "0.5", "low": "0.1", "pattern": "2:4"}
    app = part(**before, calibration_windows="3", seeds="4", by="magnitude")
    app.button(key="use").click().run()
    assert not app.error and not app.warning
    assert "DLP, 70 % zeros" in words(app.markdown)
    assert badges(app) and all("judges" in each for each in badges(app))
    assert "has not been evaluated" not in words(app.info)
    assert app.session_state["within"] == "70 % zeros, Wanda"

    app = opened(**url(app) | {"part": "export"})
    put(app, "export-folder", str(folder))
    asked = submitted(app, store, "export")
    assert asked == best.export_request(found, calibrated, str(folder))
    assert asked.setting == found.answer and asked.study == found.final.spec.key
