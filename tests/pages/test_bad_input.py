"""Bad input is one sentence, runs nothing and loses nothing."""

import pytest

from tests.pages.opening import opened_at, url

OWN = {"measure-preset": "own list", "measure-perturbations": "gaussian:0.25"}
MANY = ",".join(f"gaussian:0.{size:04}" for size in range(1, 2000))
LOSS = {"part": "best", "best_for": "loss"}
METHODS = {"part": "evaluate", "evaluate": "methods"}


@pytest.mark.parametrize(
    ("page", "view", "key", "value", "sentence"),
    [
        ("measure", OWN, "measure-perturbations", "gauss:0.3", "There is no perturbation 'gauss'"),
        ("measure", OWN, "measure-perturbations", "gaussian:-1", "Size: input should be greater than 0"),
        ("measure", OWN, "measure-perturbations", "", "Choose at least one perturbation"),
        ("measure", OWN, "measure-seeds", "one", "whole numbers"),
        ("measure", OWN, "measure-seeds", ",".join(map(str, range(101))), "100"),
        pytest.param("measure", OWN, "measure-perturbations", MANY, "1000", id="many"),
        ("measure", OWN, "measure-documents", "599", "first-last"),
        ("measure", OWN, "measure-model", " ", "The model is empty"),
        ("measure", OWN, "measure-device", "gpu", "There is no device 'gpu'"),
        ("allocate", {}, "allocation", "owl m=5 lam=0.08 high=0.8:0.9", "lies outside the bounds 0 to 0.8"),
        ("prune", LOSS, "best_loss", "-20", "-20"),
        ("prune", LOSS, "best_loss", "much", "much"),
        ("prune", LOSS, "best_text", " ", "The text is empty"),
        ("prune", LOSS, "best_seeds", "one", "whole numbers"),
        ("prune", METHODS, "seeds", "one", "whole numbers"),
        ("prune", METHODS, "documents", "599", "first-last"),
        ("prune", METHODS, "calibration_documents", "599", "first-last"),
        ("prune", METHODS, "targets", "high", "are not sparsities"),
        ("prune", METHODS, "text", " ", "The text is empty"),
        ("prune", METHODS, "allocation", "owl m=5 lam=0.08 high=0.6:0.7", "lies outside the bounds"),
    ],
)
def test_bad_input_is_one_sentence_and_loses_nothing(store, page, view, key, value, sentence):
    app = opened_at(page, **view | {key: value})
    [error] = app.error
    assert sentence in error.value and url(app)[key] == value
    assert not [each for each in app.button if each.key in ("run", "best-run") and not each.disabled]
