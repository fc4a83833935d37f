"""The numbers of a stored best setting, as tables and as a chart. Draws nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from core.ask import naming
from core.ask.grammar import method
from core.ask.settings import Setting
from core.base.errors import UserError
from core.results.study_table import Column, Control, Row, Table, rows_of, study_table
from core.search.best import Best
from core.show.figures import Chart, evaluation
from core.show.figures.style import LIGHT, Palette

JUDGED = "Winner and runner-up against uniform, on the text that judges"


@dataclass(frozen=True, eq=False)
class Answer:
    """A best setting with everything worked out."""

    found: Best
    sentences: tuple[str, ...]  # the answer first
    rows: dict  # name -> change against uniform on the text that judges, per cent
    judged: pd.DataFrame
    candidates: pd.DataFrame


def answered(found: Best) -> Answer:
    """Work out everything that is drawn.

    Raises:
        UserError: a measurement is gone from the cache.
    """
    if not (found.selection.complete and found.final.complete):
        raise UserError("a measurement that this answer rests on is gone from the cache: ask the same again to have it")
    sentences = (found.sentence, *found.more_sentences, found.loss_sentence)
    judged = pd.DataFrame(judged_table(found).numbers)
    return Answer(found, sentences, changes(found), judged, pd.DataFrame(candidates_table(found).numbers))


def changes(found: Best) -> dict:
    """Name -> change of perplexity against uniform on the text that judges, per cent."""
    contenders = [found.judged(each) for each in (found.winner, found.runner_up) if each not in (None, found.uniform)]
    table = study_table(rows_of(found.final, contenders), {"uniform": lambda one: found.judged(found.uniform)})
    return {name: change.windows for name, change in table.changes("uniform").items()}


def chart(answer: Answer, look: Palette = LIGHT) -> Chart:
    """The contenders against uniform, the winner highlighted."""
    return evaluation.changes(answer.rows, next(iter(answer.rows), None), "uniform", look, JUDGED)


def judged_table(found: Best) -> Table:
    """The dense model, the contenders and the answer on the text that judges: what each loses against the dense one."""
    roles = _roles(found)

    def role(row: Row) -> str:
        return ", ".join(name for name, setting in roles.items() if row.one is found.judged(setting))

    dense: dict[str, Control] = {"dense": lambda one: found.final.dense}
    settings = dict.fromkeys(found.judged(setting) for setting in roles.values())
    table = study_table(rows_of(found.final, settings), dense)
    table = replace(table, columns={"role": Column(role), **table.columns})
    return table.only("role", "allocation", "pruner", "zeros", "perplexity", "against dense")


def _roles(found: Best) -> dict[str, Setting | None]:
    """What a setting was in the search -> the setting; None: the dense model."""
    known = {"winner": found.winner, "runner-up": found.runner_up, "uniform": found.uniform}
    known |= {"repaired" if each.repair else each.allocation.base.title: each for each in found.better}
    known |= {"answer": found.answer} if found.answer not in known.values() else {}
    return {"dense": None} | {role: setting for role, setting in known.items() if setting is not None}


def candidates_table(found: Best) -> Table:
    """Every candidate on the text that selects against uniform there, the best first."""
    control: dict[str, Control] = {"uniform": lambda one: found.selection.single(found.uniform)}
    table = study_table(rows_of(found.selection, found.candidates), control)
    return table.only("allocation", "zeros", "perplexity", "against uniform", "not a number", "written")


def trials(found: Best) -> pd.DataFrame:
    """A row per target that was tried for a greatest loss, the least first; none where a target was given."""
    tried = found.trials
    rows = [
        {
            "target": each["target"],
            "loss, %": 100 * each["loss"],
            "lowest loss by": _named(each),
            "uniform's loss, %": math.nan if each.get("uniform") is None else 100 * each["uniform"],
        }
        for each in tried
    ]
    return pd.DataFrame(rows).sort_values("target") if rows else pd.DataFrame()


def _named(tried: dict) -> str:
    """The allocation that lost least, as charts call it; what is none stays as it is."""
    try:
        return naming.long(method(tried["allocation"], tried["target"]))
    except UserError:
        return tried["allocation"]
