"""A small search for the best setting, asked from Python and from the command line."""

from types import SimpleNamespace

from core.methods import DepthRamp, Response, Uniform
from core.requests import BestRequest, WindowRequest
from tests import tiny

LENGTH = 12
DOCUMENTS = 60


def grid(*bases):
    """A table of kinds that has these bases alone, whatever the target and the model."""
    return {"few": SimpleNamespace(grid=lambda *_: bases)}


SMALL = grid(Uniform(), DepthRamp(beta=0.05), Response())


def request(text, target=0.5, **more):
    few, window = (WindowRequest(source=text, sequences=count, length=LENGTH) for count in (3, 8))
    usual = {"model": str(tiny.folder("llama")), "repair": "none", "calibration": few, "selection": window}
    return BestRequest(target=target, **usual | {"final": window} | more)
