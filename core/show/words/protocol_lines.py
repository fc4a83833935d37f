"""Protocols in a line: all that must be alike before two numbers are compared, and names that tell several apart."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from core.base import distinct, several
from core.requests import TaskSpec
from core.results import Study
from core.results.protocols import amount, label, short_name
from core.results.study_results import examples

SHORT = 6  # digits of a key or a hash on screen


def names(groups: Iterable[Study]) -> list[str]:
    """A name for each of several protocols, no two alike."""
    forms = []
    for each in groups:
        name, keys = short_name(each), ", ".join(key[:SHORT] for key in each.profiles)
        forms.append((name, f"{name}, profile {keys}", f"{name}: {badge(each)}"))
    return distinct(forms)


@lru_cache
def badge(study: Study) -> str:
    """All that must be alike before two numbers are compared, what was measured so, and the keys of both."""
    spec, provenance = study.spec, study.provenance
    keys = dict.fromkeys(entry.key for entry in (*study.entries, *study.guests)) or [spec.key]
    listed: dict[str, list] = {
        "calibration seeds": sorted({each.seed for each in study.points if each.seed is not None and each.evaluated}),
        "profiles": [key[:SHORT] for key in study.profiles],
        "studies": [key[:SHORT] for key in keys],
    }
    parts = [
        f"{label(provenance)}, {amount(spec.text)} tokens",
        spec.calibration and f"calibrated on {label(provenance, 'calibration')}, {amount(spec.calibration)}",
        spec.model.dtype,
        several(len(study.settings), "setting"),
        *tasks_asked(spec.tasks),
        f"text {spec.text.content[:SHORT]}",
        *(f"{what} {', '.join(map(str, each))}" for what, each in listed.items() if each),
    ]
    return " · ".join(filter(None, parts))


def tasks_asked(tasks: Iterable[TaskSpec]) -> list[str]:
    """Zero-shot tasks with their examples, those of one sample size together."""
    by_amount = defaultdict(list)
    for task in tasks:
        by_amount[examples(task) + (f" drawn by seed {task.seed}" if task.seed else "")].append(task.name)
    return [f"zero-shot on {count} of {', '.join(dict.fromkeys(names))}" for count, names in by_amount.items()]
