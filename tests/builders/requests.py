"""Requests for studies and exports of tiny models."""

from core.requests import EvaluationRequest, ExportRequest, Recipe, StudyRequest, WindowRequest, grammar
from tests import tiny

LENGTH = 12


def recipe(words="uniform", target=0.5, **more):
    return Recipe(allocation=grammar.method(words, target), **more)


def study(text, *recipes, windows=20, family="llama", sequences=4, length=LENGTH, **more):
    """sequences: to calibrate on. windows: to evaluate on."""
    return StudyRequest(
        model=str(tiny.folder(family)),
        calibration=WindowRequest(source=text, sequences=sequences, length=length),
        settings=recipes,
        evaluation=EvaluationRequest(text=WindowRequest(source=text, sequences=windows, length=length, seed=1)),
        **more,
    )


def export(text, folder, setting=None, **more):
    setting = setting or recipe("depth_ramp beta=0.05")
    return study(text).to(ExportRequest, setting=setting, folder=str(folder), **more)
