"""The part that compares checkpoints: what it draws, the run that it offers, and its URL."""

import pytest

from core.jobs import queue
from core.requests import Measurement, perturbation
from core.show.figures import COMPARED
from core.store import Store
from pages.ui import current_profile
from pages.ui.model import compare
from tests import synthetic, tiny
from tests.pages.opening import opened_at, put, url

OTHER = "0123456789abcdef"


@pytest.fixture
def key(empty_cache, monkeypatch):
    """A stored comparison, of a model that lies on this machine."""
    monkeypatch.setattr(synthetic, "TOLD", synthetic.TOLD | {"model_source": str(tiny.folder("llama"))})
    monkeypatch.setitem(synthetic.TOLD, "text_source", "demo")
    asked = (Measurement(perturbation=perturbation(f"checkpoint:{OTHER}")),)
    spec = synthetic.profile_spec(6, 8, "quick").replace(measurements=asked)
    return synthetic.save_profile(empty_cache, spec)


def test_another_checkpoint_is_asked_for_and_queued(key, monkeypatch):
    """With the model and on the text of the profile in view; the path stands in the URL."""
    monkeypatch.setattr(queue, "ensure_worker", lambda *_: None)
    app = opened_at("absorption", profile=key, group=COMPARED)
    assert app.button(key="compare-run").disabled
    other = str(tiny.folder("qwen2"))
    put(app, "other", other)
    assert url(app)["other"] == other and not app.button(key="compare-run").disabled
    app.button(key="compare-run").click().run()
    [job] = queue.jobs(Store())
    profile, asked = current_profile.load(key), job.request
    assert (asked.model, asked.text.source) == (str(tiny.folder("llama")), "demo")
    assert (asked.text.sequences, asked.text.length) == (profile.sequences, profile.spec.text.length)
    assert [each.perturbation.source for each in asked.measurements] == [other]
    assert url(app)["job"] == job.key and not app.button(key=f"cancel-{job.key}").disabled


def test_a_checkpoint_is_no_choice_where_the_profile_does_not_say_its_model(filled_cache):
    app = opened_at("absorption", profile=filled_cache["deep"], group=COMPARED)
    assert [each.value for each in app.caption if each.value == compare.UNKNOWN]
    assert not [each for each in app.text_input if each.key == "other"]


@pytest.mark.parametrize("lies", [False, True])
def test_a_comparison_reads_the_bundled_text_where_the_profiles_own_is_not_here(key, tmp_path, monkeypatch, lies):
    """A committed profile may have read a file of another machine: said before anything is queued."""
    source = f"file:{tmp_path / 'own.txt'}"
    if lies:
        (tmp_path / "own.txt").write_text("words")
    monkeypatch.setitem(current_profile.load(key).provenance, "text_source", source)
    asked = compare.request(current_profile.load(key), str(tiny.folder("qwen2")))
    assert asked.text.source == (source if lies else "demo")
    app = opened_at("absorption", profile=key, group=COMPARED, other=str(tiny.folder("qwen2")))
    [said] = [each.value for each in app.caption if each.value.startswith("Both models read")]
    assert ("own.txt is not on this machine" in said) != lies and not app.button(key="compare-run").disabled


def test_shares_of_tensors_come_first_and_a_plan_that_cannot_be_is_explained(empty_cache):
    asked = (Measurement(perturbation=perturbation(f"checkpoint:{OTHER}")),)
    spec = synthetic.profile_spec(6, 8, "quick").replace(measurements=asked, tensors=True)
    app = opened_at("absorption", profile=synthetic.save_profile(empty_cache, spec), group=COMPARED)
    said = [each.value for each in app.caption]
    assert any("of the divergence" in each for each in said)
    assert any(each.startswith("no plan fixes other: none of its worst tensors has a finer format") for each in said)
