"""Questions that a bench answered once, each with its committed table: speed, agreement, families and checkpoints."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.base import profile_names
from core.plan import prediction, responses
from core.plan.prediction import Predicted
from core.results import Anchors, checkpoints, fitting, protocols
from core.results.anchor_studies import usual
from core.results.anchors import ENOUGH, errors
from core.show.figures import evaluation
from core.show.figures.style import Chart
from core.show.words import findings
from core.store import HOME, Store, profiles


class Bench(NamedTuple):
    """A question that a bench answered once, whose table is committed as `cache/demo/benches/NAME.csv`."""

    title: str
    about: str
    command: str  # measures it again
    bars: str = ""  # the column that is drawn
    made: Callable[[], pd.DataFrame] | None = None  # from stored results; None: from the file

    def table(self, name: str) -> pd.DataFrame:
        """As it was measured, a row for each name in the first column; no number where nothing was."""
        return self.made() if self.made else pd.read_csv(bench_file(name)).rename(columns={"Unnamed: 0": "what"})

    def chart(self, name: str) -> Chart:
        """Dots of one column."""
        return evaluation.bench(self.table(name), self.bars, self.title)


def bench_file(name: str) -> Path:
    """Where a bench writes its table."""
    return HOME / "demo" / "benches" / f"{name}.csv"


def _checkpoints() -> pd.DataFrame:
    """The committed comparisons, by what the whole checkpoint costs."""
    store = Store(HOME)
    entries = [entry for entry in store.entries() if entry.committed and entry.spec.others]
    found = [checkpoints.compared(profiles.load(store, entry)) for entry in entries]
    rows = [(each.called, each.whole.kl.mean(), 100 * each.whole.flips.mean(), findings.worst(each)) for each in found]
    heads = ["other checkpoint", "KL of the whole, nats", "next tokens changed, %", "what went wrong"]
    return pd.DataFrame(sorted(rows, key=lambda row: row[1]), columns=heads)


# --- how well a loss is predicted -----------------------------------------------------------------------------------

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


def _groups() -> Iterator[Group]:
    """Every protocol, pruner and repair with enough settings, by the committed profile that covers the most."""
    store = Store(HOME / "demo")
    known = [profiles.load(store, each) for each in store.entries()]
    known = [each for each in known if each.weights is not None and responses.pruners(each)]
    studies = list(protocols.together(store, store.entries("study")).values())
    for study in protocols.by_protocol(studies):
        of_model = [each for each in known if each.spec.model.weights == study.spec.model.weights]
        for treatment in dict.fromkeys(each.setting.treatment for each in study.settings):
            found = max((fitting(study, each, treatment) for each in of_model), key=lambda one: len(one.settings))
            if len(found.settings) >= LEAST:
                yield _group(found)


def _group(found: Anchors) -> Group:
    harms, true = found.harms, found.increases
    asked = usual(found.profile, found.treatment)
    places = [place for place, each in enumerate(found.settings) if each.setting in asked]
    rest = np.setdiff1d(np.arange(len(true)), places)
    by_default = prediction.fit(harms[places], true[places])(harms[rest]) if len(places) == len(asked) else None
    return Group(found, (prediction.leave_one_out(harms, true), true), by_default and (by_default, true[rest]))


def predictions() -> pd.DataFrame:
    """How well a loss is predicted: a row for each group and one for all together; the error is of its increase."""
    found = list(_groups())
    rows = [_row(each.name, [each]) for each in found]
    return pd.DataFrame([_row("all", found), *rows])


def _row(name: str, found: list[Group]) -> dict[str, object]:
    row = {"what": name, "settings": sum(len(each.anchors.settings) for each in found)}
    default = [each.by_default for each in found if each.by_default]
    for what, judged in (("", [each.left_out for each in found]), ("default anchors: ", default)):
        if judged:
            predicted, true = zip(*judged, strict=True)
            joined = Predicted(*map(np.concatenate, zip(*predicted, strict=True)))
            off = errors(joined, np.concatenate(true))
            row |= {f"{what}{column}": 100 * each for column, each in zip(COLUMNS, off, strict=True)}
    return row


# --- the table ------------------------------------------------------------------------------------------------------

_PEERS = "make bench"
BENCHES = {
    "prediction": Bench(
        "How well is a perplexity predicted before pruning?",
        "Errors of the increase in loss over the dense model's, of every committed setting: predicted from all others "
        "of its pruner, repair and protocol, and from the four default anchors alone.",
        "make studies",
        COLUMNS[0],
        predictions,
    ),
    "families": Bench(
        "Which model families work?",
        "Each cell is a test on a small random model of the family: yes where it passes, no where it is refused in one "
        "sentence.",
        "python -m tests.bench.capabilities",
    ),
    "checkpoints": Bench(
        "Where did a compressed checkpoint go wrong?",
        "The bundled model beside three quantisations and its own export pruned by Wanda to 50 %, on 8 windows of 64 "
        "tokens of the demo text; Gemma 3 beside one of its own. In the Q2_K file only mlp.down_proj has two bits.",
        "make demo",
        "KL of the whole, nats",
        _checkpoints,
    ),
    "sweeps": Bench(
        "How fast is a sweep beside other tools?",
        "Damage at every layer of 4 windows of 64 tokens, with the same drift and harm read by all, on two cores.",
        _PEERS,
        "times this product",
    ),
    "perplexities": Bench(
        "How fast is a perplexity beside lm-eval?", "The loss of 8 windows of 512 tokens.", _PEERS, "times this product"
    ),
    "pruners": Bench(
        "Do the pruners agree with llm-compressor's?",
        "Every layer pruned to 50 % on 8 windows of 512 tokens, once each; the perplexity of 8 others.",
        _PEERS,
        "seconds",
    ),
}
