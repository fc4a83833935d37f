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
    window = WindowRequest(source=text, sequences=8, length=LENGTH)
    calibration = WindowRequest(source=text, sequences=3, length=LENGTH)
    asked = {"model": str(tiny.folder("llama")), "target": target, "calibration": calibration}
    asked |= {"repair": "none"}
    return BestRequest(**(asked | {"selection": window, "final": window} | more))


def asking(text):
    """The same in words of the command line."""
    return ["best", "--model", tiny.folder("llama"), "--target", 0.5, "--text", text, "--windows", 8,
            "--length", LENGTH, "--sequences", 3, "--repair", "none"]  # fmt: skip
