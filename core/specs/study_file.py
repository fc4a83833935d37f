"""A study as a file: which settings of which model, evaluated on what."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from core.specs import grammar
from core.specs.base import checked, number
from core.specs.errors import UserError
from core.specs.patterns import pattern
from core.specs.pruners import USUAL
from core.specs.settings import Setting, uniform
from core.specs.studies import EvaluationRequest, StudyRequest
from core.specs.texts import USUAL_CALIBRATION, USUAL_EVALUATION, WindowRequest
from core.specs.typed import absolute, span

KNOWN = {
    "model", "revision", "dtype", "profile", "pruners", "targets", "seeds", "settings", "strengths", "controls",
    "shuffles", "patterns", "true_sequential", "calibration", "evaluation",
}  # fmt: skip
WINDOW = {"source", "documents", "sequences", "windows", "length", "seed", "packing", "bos"}
EVALUATION = {"tasks", "tasks_from", "examples", "task_seed"}
SHUFFLES = 5  # permutations of the shuffled control
OF_LISTS = ("strength", "control", "seed")  # of a correction, where the file lists strengths
Kind = type | tuple[type, ...]
KINDS = {str: "text in quotes", dict: "a section of its own, [{}]", int: "a whole number"}


def read_study(path: Path) -> StudyRequest:
    """Read a .toml file.

    Every setting of `settings` (written as `owl m=5 lam=0.08`) is combined with every one of `targets`, `pruners` and
    `seeds` (calibration seeds). `patterns` (N kept of M, as in `2:4`) join them, uniform at the sparsity that each
    fixes; where none of `settings`, `targets` and `strengths` is given, they are all. `[calibration]` and
    `[evaluation]` name texts. Paths count from the file's folder.

    `strengths` and `controls` put the absorption-aware correction on every setting, each strength with each control:

        strengths = [0, 0.02, 0.04]                             # 0: the setting without a correction, once
        controls = ["none", "reversed", "shuffled", "ramp"]     # default: ["none"], the correction itself
        shuffles = 5                                            # `shuffled` stands for so many, of seeds 0 to 4

    The settings may still name its `driver` and `clip`, but no `strength`, `control` or `seed`.

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
    evaluation = _one(content, "evaluation", dict, {})
    _known(evaluation, WINDOW | EVALUATION, "[evaluation]")
    given = {name: _one(content, name, str) for name in ("revision", "dtype", "profile") if name in content}
    return checked(
        StudyRequest,
        model=_at(folder, _one(content, "model", str, "demo")),
        calibration=_window(_one(content, "calibration", dict, {}), "[calibration]", folder, USUAL_CALIBRATION),
        settings=_settings(content),
        evaluation=_evaluation(evaluation, folder),
        **given,
    )


def _settings(content: dict[str, Any]) -> tuple[Setting, ...]:
    patterns = _list(content, "patterns", ["2:4"], str) if "patterns" in content else []
    alone = patterns and not {"targets", "settings", "strengths"} & set(content)
    asked = [] if alone else [
        (grammar.method(words, target), None)
        for target in _list(content, "targets", [0.7], (int, float))
        for words in _methods(content)
    ]  # fmt: skip
    asked += [(uniform(pattern(each).sparsity), each) for each in patterns]
    return tuple(
        checked(
            Setting,
            pruner=pruner,
            allocation=allocation,
            pattern=kept,
            true_sequential=content.get("true_sequential", False),
            calibration_seed=seed,
        )
        for pruner in _list(content, "pruners", [USUAL], str)
        for allocation, kept in asked
        for seed in _list(content, "seeds", [0], int)
    )


def _methods(content: dict[str, Any]) -> list[str]:
    """The settings in words, each with every correction that the file lists."""
    plain = _list(content, "settings", ["uniform"], str)
    if "strengths" not in content:
        odd = next((name for name in ("controls", "shuffles") if name in content), None)
        if odd:
            raise UserError(f"{odd} without strengths says nothing: add a list, as in strengths = [0, 0.04]")
        return plain
    for words in plain:
        twice = next((name for name in OF_LISTS if any(part.startswith(f"{name}=") for part in words.split())), None)
        if twice:
            raise UserError(f"{words!r} has a {twice} where strengths are listed: leave it to strengths and controls")
    return list(dict.fromkeys(f"{words} {more}".strip() for words in plain for more in _corrections(content)))


def _corrections(content: dict[str, Any]) -> list[str]:
    """Every strength with every control, in words; strength 0, which no control changes, is none at all."""
    strengths = _list(content, "strengths", [0, 0.04], (int, float))
    shuffles = _one(content, "shuffles", int, SHUFFLES)
    if shuffles < 1:
        raise UserError(f"shuffles = {shuffles}: give how many permutations are tried, 1 or more")
    found = []
    for strength in strengths:
        for control in _list(content, "controls", ["none"], str):
            seeds = range(shuffles) if control == "shuffled" else (0,)
            more = f"strength={number(strength)} control={control}"
            found += [f"{more} seed={seed}" for seed in seeds] if strength else [""]
    return found


def _evaluation(found: dict[str, Any], folder: Path) -> EvaluationRequest:
    window = {name: value for name, value in found.items() if name in WINDOW}
    asked = {"tasks": _list(found, "tasks", ["arc_easy"], str)} if found.get("tasks") else {}
    if "examples" in found:
        asked["examples"] = _one(found, "examples", int) or None  # 0: all, as on the command line
    if "task_seed" in found:
        asked["seed"] = _one(found, "task_seed", int)
    if "tasks_from" in found:
        if not found.get("tasks"):
            raise UserError("tasks_from names a folder and tasks names nothing of it: list tasks, or leave both out")
        asked["tasks_from"] = str((folder / Path(_one(found, "tasks_from", str)).expanduser()).resolve())
    return checked(EvaluationRequest, text=_window(window, "[evaluation]", folder, USUAL_EVALUATION), **asked)


def _window(found: dict[str, Any], where: str, folder: Path, usual: WindowRequest) -> WindowRequest:
    _known(found, WINDOW, where)
    given = usual.model_dump(include={"source", "sequences", "length"}) | found
    for name in ("sequences", "windows", "length"):
        if name in found and _one(found, name, int) < 1:
            raise UserError(f"{name} = {found[name]} of {where}: give 1 or more")
    given["sequences"] = given.pop("windows", given["sequences"])
    given["source"] = _at(folder, _one(given, "source", str))
    if isinstance(given.get("documents"), str):
        given["documents"] = span(given["documents"])
    return checked(WindowRequest, **given)


def _at(folder: Path, typed: str) -> str:
    """A path counted from the study file's folder; a name as it is."""
    if typed.startswith("file:"):
        return "file:" + str((folder / Path(typed.removeprefix("file:")).expanduser()).resolve())
    return str((folder / typed).resolve()) if (folder / typed).exists() and typed != "demo" else absolute(typed)


def _list(content: dict[str, Any], name: str, otherwise: list, kind: Kind) -> list:
    found = content.get(name, otherwise)
    if not isinstance(found, list) or not found or not all(_is(each, kind) for each in found):
        raise UserError(f"{name} must be a list, as in {name} = {otherwise}")
    return found


def _one(content: dict[str, Any], name: str, kind: type, otherwise: Any = None) -> Any:
    found = content.get(name, otherwise)
    if not _is(found, kind):
        raise UserError(f"{name} = {found!r} cannot be: it must be {KINDS[kind].format(name)}")
    return found


def _is(value: Any, kind: Kind) -> bool:
    """Whether a value is of a kind; Python's true and false would be whole numbers."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _known(content: dict[str, Any], names: set[str], where: str) -> None:
    unknown = sorted(set(content) - names)
    if unknown:
        raise UserError(f"{where} has no {unknown[0]!r}: it knows {', '.join(sorted(names))}")
