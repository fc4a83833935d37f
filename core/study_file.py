"""A study as a file: which settings of which model, evaluated on what."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from core.allocation import written
from core.allocation.requests import AllocationRequest
from core.errors import UserError
from core.pattern import pattern
from core.request import absolute, span
from core.settings import EvaluationRequest, Setting, StudyRequest
from core.specs import WindowRequest, checked

KNOWN = {
    "model", "revision", "dtype", "profile", "pruners", "targets", "seeds", "settings", "patterns", "true_sequential",
    "calibration", "evaluation",
}  # fmt: skip
WINDOW = {"source", "documents", "sequences", "windows", "length", "seed", "packing", "bos"}
EVALUATION = {"tasks", "tasks_from", "examples", "task_seed"}


def read_study(path: Path) -> StudyRequest:
    """Read a .toml file.

    Every setting of `settings` (written as `owl m=5 lam=0.08`) is combined with every one of `targets`, `pruners` and
    `seeds` (calibration seeds). `patterns` (N kept of M, as in `2:4`) join them, uniform at the sparsity that each
    fixes; where neither `settings` nor `targets` is given, they are all. `[calibration]` and `[evaluation]` name texts.
    Paths count from the file's folder.

    Raises:
        UserError: no such file, no TOML, an unknown name, or a value that cannot be.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"there is no study file {str(path)!r}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path.name} is not TOML: {error}") from error
    _known(content, KNOWN, path.name)
    folder = path.resolve().parent
    evaluation = dict(content.get("evaluation", {}))
    _known(evaluation, WINDOW | EVALUATION, "[evaluation]")
    given = {name: content[name] for name in ("revision", "dtype", "profile") if name in content}
    return checked(
        StudyRequest,
        model=_at(folder, content.get("model", "demo")),
        calibration=_window(content.get("calibration", {}), "[calibration]", folder, {"sequences": 16}),
        settings=_settings(content),
        evaluation=_evaluation(evaluation, folder),
        **given,
    )


def _settings(content: dict[str, Any]) -> tuple[Setting, ...]:
    patterns = _list(content, "patterns", ["2:4"]) if "patterns" in content else []
    alone = patterns and not {"targets", "settings"} & set(content)
    asked = [] if alone else [
        (written.method(words, target), None)
        for target in _list(content, "targets", [0.7])
        for words in _list(content, "settings", ["uniform"])
    ]  # fmt: skip
    asked += [(AllocationRequest(target=pattern(each).sparsity), each) for each in patterns]
    return tuple(
        checked(
            Setting,
            pruner=pruner,
            allocation=allocation,
            pattern=kept,
            true_sequential=content.get("true_sequential", False),
            calibration_seed=seed,
        )
        for pruner in _list(content, "pruners", ["wanda"])
        for allocation, kept in asked
        for seed in _list(content, "seeds", [0])
    )


def _evaluation(found: dict[str, Any], folder: Path) -> EvaluationRequest:
    window = {name: value for name, value in found.items() if name in WINDOW}
    asked = {"tasks": found["tasks"]} if "tasks" in found else {}
    asked |= {"examples": found["examples"] or None} if "examples" in found else {}  # 0: all, as on the command line
    asked |= {"seed": found["task_seed"]} if "task_seed" in found else {}
    asked |= {"tasks_from": str((folder / found["tasks_from"]).resolve())} if "tasks_from" in found else {}
    start = {"source": "demo:evaluation", "sequences": 24}
    return checked(EvaluationRequest, text=_window(window, "[evaluation]", folder, start), **asked)


def _window(found: dict[str, Any], where: str, folder: Path, start: dict[str, Any]) -> WindowRequest:
    _known(found, WINDOW, where)
    given = {"length": 512} | start | found
    given["sequences"] = given.pop("windows", given["sequences"])
    given["source"] = _at(folder, given.get("source", "demo"))
    if isinstance(given.get("documents"), str):
        given["documents"] = span(given["documents"])
    return checked(WindowRequest, **given)


def _at(folder: Path, typed: str) -> str:
    """A path counted from the study file's folder; a name as it is."""
    if typed.startswith("file:"):
        return "file:" + str((folder / Path(typed.removeprefix("file:")).expanduser()).resolve())
    return str((folder / typed).resolve()) if (folder / typed).exists() and typed != "demo" else absolute(typed)


def _list(content: dict[str, Any], name: str, otherwise: list) -> list:
    found = content.get(name, otherwise)
    if not isinstance(found, list) or not found:
        raise UserError(f"{name} must be a list, as in {name} = {otherwise}")
    return found


def _known(content: dict[str, Any], names: set[str], where: str) -> None:
    unknown = sorted(set(content) - names)
    if unknown:
        raise UserError(f"{where} has no {unknown[0]!r}: it knows {', '.join(sorted(names))}")
