"""A small search for the best setting, asked from Python and from the command line."""

from __future__ import annotations

from core.ask.inputs import WindowRequest
from core.ask.requests import BestRequest
from core.kinds.allocator import Allocator
from core.kinds.depth_ramp import DepthRamp
from core.kinds.response import Response
from core.results.candidates import Grid
from tests import tiny

LENGTH = 12
DOCUMENTS = 60


def grid(*bases: Allocator, **more: object) -> Grid:
    """The same bases whatever the target and the model."""
    return Grid(lambda *_: bases, **more)


SMALL = grid(DepthRamp(beta=0.05), Response(objective="kl"), strengths=(0.05,))


def request(text: str, target: float | None = 0.5, **more: object) -> BestRequest:
    window = WindowRequest(source=text, sequences=8, length=LENGTH)
    calibration = WindowRequest(source=text, sequences=3, length=LENGTH)
    asked = {"model": str(tiny.folder("llama")), "target": target, "calibration": calibration}
    asked |= {"repair": "none"}
    return BestRequest(**(asked | {"selection": window, "final": window} | more))


def asking(text: str) -> list[object]:
    """The same in words of the command line."""
    return ["best", "--model", tiny.folder("llama"), "--target", 0.5, "--text", text, "--windows", 8,
            "--length", LENGTH, "--sequences", 3, "--repair", "none"]  # fmt: skip
