"""How well a loss is predicted: every committed setting from the others, and from the default anchors alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.base import profile_names
from core.kinds.treatments import Treatment
from core.plan import prediction, responses
from core.plan.prediction import Predicted
from core.results import protocols
from core.results.anchors import ENOUGH, Anchors, errors, fitting, usual
from core.results.evaluations import Evaluations
from core.store import profiles
from core.store.cache import HOME, Store

COLUMNS = ("median error, %", "nine in ten, %", "90 % interval holds, %", "its half width, %")
LEAST = ENOUGH + 1  # settings of a group, so that anything is left to be predicted by four


Judged = tuple[Predicted, np.ndarray]  # predictions of settings, and what was measured: nats, (settings,)


class Group(NamedTuple):
    """The settings of one protocol, pruner and repair."""

    anchors: Anchors
    left_out: Judged  # each by all others
    by_default: Judged | None  # those that are no default anchor, by these; None where one of them is missing

    @property
    def name(self) -> str:
        found = self.anchors
        return ", ".join(
            [profile_names.short(found.study.provenance["model"]), found.treatment.label, protocols.short(found.study)]
        )


def groups() -> Iterator[Group]:
    """Every protocol, pruner and repair with enough settings, by the committed profile that covers the most."""
    store = Store(HOME / "demo")
    known = [profiles.load(store, each) for each in store.entries()]
    known = [each for each in known if each.weights is not None and responses.pruners(each)]
    studies = list(protocols.together(store, store.entries("study")).values())
    for study, treatment in _asked(studies):
        of_model = [each for each in known if each.spec.model.weights == study.spec.model.weights]
        found = max((fitting(study, each, treatment) for each in of_model), key=lambda one: len(one.settings))
        if len(found.settings) >= LEAST:
            yield _group(found)


def _asked(studies: list[Evaluations]) -> Iterator[tuple[Evaluations, Treatment]]:
    """Every protocol with every pruner and repair of its settings."""
    for study in protocols.by_protocol(studies):
        for treatment in dict.fromkeys(each.setting.treatment for each in study.settings):
            yield study, treatment


def _group(found: Anchors) -> Group:
    harms, true = found.harms, found.increases
    asked = usual(found.profile, found.treatment)
    places = [place for place, each in enumerate(found.settings) if each.setting in asked]
    rest = np.setdiff1d(np.arange(len(true)), places)
    by_default = prediction.fit(harms[places], true[places])(harms[rest]) if len(places) == len(asked) else None
    return Group(found, (prediction.leave_one_out(harms, true), true), by_default and (by_default, true[rest]))


def table() -> pd.DataFrame:
    """A row for each group and one for all together; the error is that of the increase of the loss."""
    found = list(groups())
    rows = [_row(each.name, [each]) for each in found]
    return pd.DataFrame([_row("all", found), *rows])


def _row(name: str, found: list[Group]) -> dict[str, object]:
    row: dict[str, object] = {"what": name, "settings": sum(len(each.anchors.settings) for each in found)}
    default = [each.by_default for each in found if each.by_default]
    for what, judged in (("", [each.left_out for each in found]), ("default anchors: ", default)):
        if judged:
            predicted, true = zip(*judged, strict=True)
            joined = Predicted(*map(np.concatenate, zip(*predicted, strict=True)))
            off = errors(joined, np.concatenate(true))
            row |= {f"{what}{column}": 100 * each for column, each in zip(COLUMNS, off, strict=True)}
    return row
