"""The numbers of a stored best setting, as tables and as a chart. Draws nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from core.ask import naming
from core.ask.grammar import method, words
from core.ask.settings import Setting
from core.base.errors import UserError
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
    return Answer(found, sentences, changes(found), judged(found), candidates(found))


def contenders(found: Best) -> dict[str, Setting]:
    """Name -> winner, runner-up and uniform, each once, as they are called on this page."""
    listed = [each for each in (found.winner, found.runner_up, found.uniform) if each is not None]
    return {name: setting for setting, name in naming.titles(listed).items()}


def changes(found: Best) -> dict:
    """Name -> change of perplexity against uniform on the text that judges, per cent."""
    others = {name: each for name, each in contenders(found).items() if each != found.uniform}
    return {name: found.against(each, found.uniform).windows for name, each in others.items()}


def chart(answer: Answer, look: Palette = LIGHT) -> Chart:
    """The contenders against uniform, the winner highlighted."""
    shown = next((name for name, each in contenders(answer.found).items() if each == answer.found.winner), None)
    return evaluation.changes(answer.rows, shown, "uniform", look, JUDGED)


def judged(found: Best) -> pd.DataFrame:
    """A row per contender, and the answer where it is none: perplexity, and what is lost against the dense model."""
    more = [each for each in (*found.better, found.answer) if each not in (found.winner, found.uniform)]
    lower = {naming.setting(each): each for each in more}
    rows = [{"role": "dense", "setting": "dense", "perplexity": found.judged(None).perplexity}]
    for name, setting in (contenders(found) | lower).items():
        lost = found.against(setting, None).windows
        row = {"role": _role(found, setting), "setting": name, "perplexity": found.judged(setting).perplexity}
        rows.append(row | {"against dense, %": lost.value, "low": lost.low, "high": lost.high})
    return pd.DataFrame(rows)


def _role(found: Best, setting: Setting) -> str:
    known = {"winner": found.winner, "runner-up": found.runner_up, "uniform": found.uniform}
    known |= {"repaired" if each.repair else each.allocation.base.title: each for each in found.better}
    known |= {"answer": found.answer} if found.answer not in known.values() else {}
    return ", ".join(role for role, each in known.items() if each == setting)


def candidates(found: Best) -> pd.DataFrame:
    """A row per candidate, the best on the text that selects first."""
    listed = found.candidates
    names = naming.titles(each.setting for each in listed)
    return pd.DataFrame(
        [
            {
                "setting": names[each.setting],
                "loss, nats/token": each.loss,
                "perplexity": each.perplexity,
                "against uniform, %": found.selected(each).value,
                "low": found.selected(each).low,
                "high": found.selected(each).high,
                "written": words(each.setting.allocation),
            }
            for each in listed
        ]
    )


def trials(found: Best) -> pd.DataFrame:
    """A row per target that was tried for a greatest loss, the least first; none where a target was given."""
    tried = found.provenance.get("trials", [])
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
