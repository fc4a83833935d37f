"""How well a loss is predicted, and where checkpoints went wrong, of the committed results, for the Evidence page.

`python -m tests.bench.predictions` writes both tables; run it after studies or comparisons are committed.
"""

from itertools import starmap
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.base import Estimate, profile_names
from core.methods import ZEROS
from core.plan import errors, prediction
from core.requests import TRAINED
from core.results import MIN_ANCHORS, Forecast, checkpoints, default_anchors, forecast_of_study, protocols
from core.show.report import bench_file
from core.show.words.checkpoint_sentences import worst
from core.store import HOME, Store, profiles


def comparisons():
    """The committed comparisons, by what the whole checkpoint costs."""
    store = Store(HOME)
    entries = [entry for entry in store.entries() if entry.committed and entry.spec.others]
    found = [checkpoints.compared(profiles.load(store, entry)) for entry in entries]
    rows = [(each.called, each.whole.kl.mean(), 100 * each.whole.flips.mean(), worst(each)) for each in found]
    heads = ["other checkpoint", "KL of the whole, nats", "next tokens changed, %", "what went wrong"]
    return pd.DataFrame(sorted(rows, key=lambda row: row[1]), columns=heads)


COLUMNS = ("median error, %", "nine in ten, %", "90 % interval holds, %", "its half width, %")
ALL = "all of zeros"
OTHERS = {"kl": "divergence", "changed": "share of next words that change"}
LEAST = MIN_ANCHORS + 1  # settings of a group, so that anything is left to be predicted by four
Judged = tuple[Estimate, np.ndarray]  # predictions of settings, and what was measured: nats, (settings,)


class Group(NamedTuple):
    """The settings of one protocol, pruner and repair."""

    anchors: Forecast
    left_out: dict[str, Judged]  # by cost: each by all others
    by_default: dict[str, Judged]  # those that are no default anchor, by these; none where one of them is missing

    @property
    def model(self):
        return profile_names.short(self.anchors.study.provenance["model"])

    @property
    def name(self):
        """Pruner and repair, and the model unless it is the bundled one; the errors of all protocols are joined."""
        called = self.anchors.treatment.spoken
        return called if self.model == "SmolLM2-135M" else f"{self.model}: {called}"


def _groups():
    """Every protocol, pruner and repair with enough settings, by the committed profile that covers the most."""
    store = Store(HOME / "demo")
    known = [profiles.load(store, each) for each in store.entries()]
    known = [each for each in known if each.weights is not None]
    studies = list(protocols.grouped_by_protocol(store, store.entries("study")).values())
    for study in protocols.by_protocol(studies):
        of_model = [each for each in known if each.spec.model.weights == study.spec.model.weights]
        for treatment in dict.fromkeys(each.setting.treatment for each in study.settings):
            served = (forecast_of_study(study, each, treatment) for each in of_model)
            found = max(served, key=lambda one: (len(one.settings), not one.profile.sketch, one.profile.key))
            if len(found.settings) >= LEAST:
                yield _group(found)


def _group(found):
    harms, first = found.harms, found.settings[0].setting
    asked = default_anchors(found.profile, found.treatment, **{name: getattr(first, name) for name in TRAINED})
    places = [place for place, each in enumerate(found.settings) if each.setting in asked]
    rest = np.setdiff1d(np.arange(len(harms)), places)
    left_out = {cost: (prediction.leave_one_out(harms, true), true) for cost, true in found.costs.items()}
    by_default = {
        cost: (prediction.fit(harms[places], true[places])(harms[rest]), true[rest])
        for cost, true in found.costs.items()
        if len(places) == len(asked)
    }
    return Group(found, left_out, by_default)


def predictions():
    """How well costs are predicted: all of zeros, by cost and by family, then the loss by name.

    The error is of the loss's increase, of the divergence, or of the share of next words that change.
    """
    found = list(_groups())
    zeros = [each for each in found if each.anchors.treatment.budget_unit is ZEROS]
    rows = [_row(ALL, zeros), *(_row(f"{ALL}: {name}", zeros, cost) for cost, name in OTHERS.items())]
    families = {one.model: [each for each in zeros if each.model == one.model] for one in zeros}
    rows += [_row(f"{ALL}: {model}", those) for model, those in families.items()]
    named = {one.name: [each for each in found if each.name == one.name] for one in found}
    rows += sorted(starmap(_row, named.items()), key=lambda row: row[COLUMNS[0]])
    return pd.DataFrame(rows)


def _row(name, found, cost="loss"):
    row = {"what": name, "settings": sum(len(each.anchors.settings) for each in found)}
    default = [each.by_default[cost] for each in found if each.by_default]
    for what, judged in (("", [each.left_out[cost] for each in found]), ("default anchors: ", default)):
        if judged:
            predicted, true = zip(*judged, strict=True)
            joined = Estimate(*map(np.concatenate, zip(*(each[:3] for each in predicted), strict=True)))
            true = np.concatenate(true)
            if cost == "changed":  # shares
                joined, true = joined.map(lambda logs: -np.expm1(-logs)), -np.expm1(-true)
            off = errors(joined, true)
            row |= {f"{what}{column}": 100 * each for column, each in zip(COLUMNS, off, strict=True)}
    return row


if __name__ == "__main__":
    predictions().to_csv(bench_file("prediction"), index=False)
    comparisons().to_csv(bench_file("checkpoints"), index=False)
