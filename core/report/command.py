"""A request -> the command that measures the same."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from core.specs import presets
from core.specs.measurements import MeasureRequest
from core.store.cache import HOME

QUICK = presets.PRESETS["quick"]


def measure(request: MeasureRequest, device: str, engine: str = "wavefront", cache: Path = HOME) -> str:
    """`python -m core measure ...` with every option that is not its default; the device always."""
    words = ["python", "-m", "core", *arguments(request, device, engine)]
    if cache.resolve() != HOME.resolve():
        words += ["--cache", str(cache)]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def arguments(request: MeasureRequest, device: str, engine: str = "wavefront") -> list[str]:
    """The words after `python -m core`."""
    text = request.text
    name, preset = next(
        ((name, each) for name, each in presets.PRESETS.items() if _fits(each, request)),
        (None, QUICK),
    )
    words = ["measure", "--model", request.model, "--text", text.source]
    words += ["--preset", name] if name else _perturbations(request)
    options = {
        "sequences": (text.sequences, preset.sequences),
        "length": (text.length, preset.length),
        "documents": ("-".join(map(str, text.documents)) if text.documents else None, None),
        "seed": (text.seed, 0),
        "packing": (text.packing, None),
        "bos": (text.bos, "protocol"),
        "dtype": (request.dtype, "float32"),
        "revision": (request.revision, None),
        "engine": (engine, "wavefront"),
        "device": (device, None),
    }
    for option, (value, default) in options.items():
        if value != default:
            words += [f"--{option}", str(value)]
    return words


def _fits(preset: presets.Preset, request: MeasureRequest) -> bool:
    """Standard and paper perturb alike: the amount of text tells them apart, where it can."""
    if preset.measurements != request.measurements:
        return False
    text = request.text
    alike = [each for each in presets.PRESETS.values() if each.measurements == request.measurements]
    exact = [each for each in alike if (each.sequences, each.length) == (text.sequences, text.length)]
    return preset is (exact or alike)[0]


def _perturbations(request: MeasureRequest) -> list[str]:
    names = dict.fromkeys(each.perturbation.name for each in request.measurements)
    seeds = dict.fromkeys(str(each.seed) for each in request.measurements)
    words = [word for name in names for word in ("--perturb", name)]
    return words if list(seeds) == ["0"] else [*words, "--seeds", ",".join(seeds)]
