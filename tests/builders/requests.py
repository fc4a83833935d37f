"""Requests for measurements, studies and exports of tiny models."""

from core.requests import (
    EvaluationRequest,
    ExportRequest,
    MeasureRequest,
    Recipe,
    StudyRequest,
    WindowRequest,
    grammar,
    measurements,
    perturbation,
)
from tests import tiny

LENGTH = 12


NAMES = ("gaussian:0.3", "residual:wanda:0.7", "skip")


def measurement(text, *names, model=None, family="llama", sequences=4, length=LENGTH, seeds=(0,), **more):
    return MeasureRequest(
        model=str(model or tiny.folder(family)),
        text=WindowRequest(source=text, sequences=sequences, length=length),
        measurements=measurements.measurements([perturbation(name) for name in names or NAMES], seeds),
        **more,
    )


def recipe(words="uniform", target=0.5, **more):
    return Recipe(allocation=grammar.read_allocation(f"{words}:{target}"), **more)


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
