"""What repeats an evaluation elsewhere: a command."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from core.specs import grammar
from core.specs.errors import UserError
from core.specs.settings import Setting
from core.specs.studies import StudyRequest
from core.specs.study_file import STUDY_FILE
from core.specs.texts import WindowRequest
from core.store.cache import HOME


def prune(request: StudyRequest, setting: Setting, device: str, cache: Path = HOME) -> str:
    """`python -m core prune ...` for one setting, beside the dense model and its uniform twin.

    Raises:
        UserError: an allocation set by hand, or windows of two lengths, which the command does not take.
    """
    text, calibration = request.evaluation.text, request.calibration
    if text.length != calibration.length:
        raise UserError("the command takes one length for calibration and evaluation: make them equal, or use the file")
    words = ["prune", "--model", request.model, "--pruner", setting.pruner, "--allocation"]
    words += [grammar.as_written(setting.allocation)]
    words += ["--pattern", setting.pattern] if setting.pattern else []
    words += ["--true-sequential"] if setting.true_sequential else []
    options = {
        "revision": request.revision,
        "dtype": None if request.dtype == "float32" else request.dtype,
        "profile": request.profile,
        "calibration": calibration.source,
        "documents": _span(calibration),
        "sequences": calibration.sequences,
        "length": calibration.length,
        "seed": setting.calibration_seed,
        "evaluate": text.source,
        "evaluate-documents": _span(text),
        "windows": text.sequences,
        "tasks": ",".join(request.evaluation.tasks) or None,
        "tasks-from": request.evaluation.tasks_from,
        "examples": request.evaluation.examples if request.evaluation.tasks else None,
        "device": device,
    }
    words += [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    return line(words, cache)


def study(device: str, cache: Path = HOME) -> str:
    """`python -m core study study.toml`."""
    return line(["study", STUDY_FILE, "--device", device], cache)


def line(words: list[str], cache: Path) -> str:
    """The words after `python -m core`, quoted for this system's shell."""
    words = ["python", "-m", "core", *words]
    words += [] if cache.resolve() == HOME.resolve() else ["--cache", str(cache)]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _span(asked: WindowRequest) -> str | None:
    return "{}-{}".format(*asked.documents) if asked.documents else None
