"""The texts of a polish: each has one role, and the last one judges what was found."""

from __future__ import annotations

from dataclasses import asdict

from core.analysis import evaluations
from core.analysis.verdicts import sentence
from core.evaluation import running
from core.evaluation.resolving import Resolved, resolve
from core.models.loading import Loaded
from core.models.outline import Outline
from core.models.progress import Report
from core.search.polish_cost import judging
from core.search.roles import apart
from core.specs import PolishRequest, Setting
from core.specs.errors import UserError
from core.specs.formats import capital
from core.store.cache import Store
from core.texts.windows import windows


def check(request: PolishRequest, selecting: Resolved, loaded: Loaded) -> None:
    """Refuse a text with two roles.

    Args:
        selecting: the start, made exact on the text that accepts moves.

    Raises:
        UserError: one calibrates and selects, or judges what it had a part in; or two share documents.
    """
    read = {each.spec.content for each in selecting.calibration.values()}
    if selecting.text.spec.content in read:
        raise UserError("the calibration and the selection text are the same: name another text to select on")
    if request.final and windows(request.final, loaded).spec.content in {*read, selecting.text.spec.content}:
        raise UserError("the final text calibrates or selects too: name another text to judge on")
    asked = (request.calibration if selecting.calibration else None, request.selection, request.final)
    apart(filter(None, asked))


def judged(
    request: PolishRequest, found: Setting, loaded: Loaded, store: Store, shape: Outline, report: Report
) -> Resolved | None:
    """Measure the start and what was found on the text that judges; None where there is none, or nothing to judge."""
    if request.final is None or found == request.setting:
        return None
    asked = judging(request, request.setting, found)
    resolved = resolve(asked, loaded, store)
    running.Run(loaded, asked, resolved, store, shape, report).measure()
    return resolved


def verdict(request: PolishRequest, found: Setting, judging: Resolved, store: Store) -> dict:
    """What the text that judges says of what was found against the start: a sentence and its paired interval."""
    study = evaluations.read(store, judging.spec)
    change = study.single(found).against(study.single(request.setting)).windows
    said = sentence("the polished allocation", "its start", change)
    return {"sentence": f"{capital(said)}, on {judging.text.label}.", "interval": asdict(change)}
