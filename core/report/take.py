"""What repeats an evaluation elsewhere: a study file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from core.specs import grammar
from core.specs.base import number
from core.specs.errors import UserError
from core.specs.settings import Setting
from core.specs.studies import StudyRequest
from core.specs.texts import WindowRequest

STUDY_FILE = "study.toml"


def as_toml(request: StudyRequest) -> str:
    """The study file that `core.specs.study_file.read_study` reads back as this request.

    Raises:
        UserError: settings that such a file cannot say: set by hand, or no product of targets, allocations and seeds.
    """
    lists = _lists(request.settings)
    sequential = all(each.true_sequential for each in request.settings)
    lines = [f"# python -m core study {STUDY_FILE}", f"model = {_quoted(request.model)}"]
    lines += [f"revision = {_quoted(request.revision)}"] if request.revision else []
    lines += [f"dtype = {_quoted(request.dtype)}"]
    lines += [f"profile = {_quoted(request.profile)}"] if request.profile else []
    lines += ["true_sequential = true"] if sequential else []
    lines += [f"pruners = {_quoted(lists['pruners'])}", f"seeds = {lists['seeds']}"]
    lines += [f"patterns = {_quoted(lists['patterns'])}"] if "patterns" in lists else _of_allocations(lists)
    lines += ["", "[calibration]", *_window(request.calibration, "sequences")]
    lines += ["", "[evaluation]", *_window(request.evaluation.text, "windows")]
    if request.evaluation.tasks:
        lines += [f"tasks = {_quoted(list(request.evaluation.tasks))}"]
        lines += [f"tasks_from = {_quoted(request.evaluation.tasks_from)}"] if request.evaluation.tasks_from else []
    lines += [f"examples = {request.evaluation.examples or 0}"]
    lines += [f"task_seed = {request.evaluation.seed}"] if request.evaluation.seed else []
    return "\n".join(lines) + "\n"


def _lists(asked: Sequence[Setting]) -> dict[str, list]:
    """The lists whose every combination is asked for."""
    found = {
        "pruners": list(dict.fromkeys(each.pruner for each in asked)),
        "seeds": list(dict.fromkeys(each.calibration_seed for each in asked)),
    }
    patterns = list(dict.fromkeys(each.pattern for each in asked))
    if all(patterns):
        found["patterns"] = patterns
    else:
        found["targets"] = list(dict.fromkeys(each.allocation.target for each in asked))
        found["settings"] = list(dict.fromkeys(grammar.words(each.allocation) for each in asked))
    if math.prod(map(len, found.values())) != len(set(asked)):
        raise UserError("not every allocation is possible at every target, so a study file cannot say this list")
    return found


def _of_allocations(lists: dict[str, list]) -> list[str]:
    settings = [f"    {_quoted(each)}," for each in lists["settings"]]
    return [f"targets = [{', '.join(map(number, lists['targets']))}]", "settings = [", *settings, "]"]


def _window(asked: WindowRequest, count: str) -> list[str]:
    documents = _span(asked)
    lines = [f"source = {_quoted(asked.source)}"]
    lines += [f"documents = {_quoted(documents)}"] if documents else []
    lines += [f"{count} = {asked.sequences}", f"length = {asked.length}"]
    plain = WindowRequest()
    odd = {name: getattr(asked, name) for name in ("seed", "packing", "bos")}
    return lines + [f"{name} = {_quoted(value)}" for name, value in odd.items() if value != getattr(plain, name)]


def _span(asked: WindowRequest) -> str | None:
    return "{}-{}".format(*asked.documents) if asked.documents else None


def _quoted(value: object) -> str:
    """A TOML string, or a list of them: written as in JSON."""
    return json.dumps(value, ensure_ascii=False)
