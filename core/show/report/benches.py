"""Questions that a bench answered once, each with its committed table: speed, agreement, families and checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.results import checkpoints
from core.show.figures import evaluation
from core.show.figures.axes import row_axis
from core.show.figures.palette import LIGHT, Palette
from core.show.figures.style import Chart, heat, layout
from core.show.report import predictions
from core.show.words import findings
from core.store import profiles
from core.store.cache import HOME, Store


@dataclass(frozen=True)
class Bench:
    """A question that a bench answered once, whose table is committed as `cache/demo/benches/NAME.csv`."""

    title: str
    about: str
    command: str  # measures it again
    bars: str = ""  # the column that is drawn; none: every cell is yes or no
    made: Callable[[], pd.DataFrame] | None = None  # from stored results; None: from the file

    def table(self, name: str) -> pd.DataFrame:
        """As it was measured, a row for each name in the first column; no number where nothing was."""
        return self.made() if self.made else pd.read_csv(bench_file(name)).rename(columns={"Unnamed: 0": "what"})

    def chart(self, name: str, look: Palette = LIGHT) -> Chart:
        """Dots of one column, or a map of what works."""
        table = self.table(name)
        if not self.bars:
            return _works(table, self.title, look)
        return evaluation.bench(table, self.bars, self.title, look)


def _works(table: pd.DataFrame, title: str, look: Palette = LIGHT) -> Chart:
    """A cell for each row and column: filled where it says yes, crossed where it says no."""
    names, heads = table.iloc[:, 0].tolist(), list(table.columns[1:])
    yes = table.iloc[:, 1:].eq("yes")
    crosses = {"text": np.where(yes, "", "×"), "texttemplate": "%{text}", "xgap": 2, "ygap": 2}
    scale = {"colorscale": [(0, look.hidden), (1, look.family[1])], "zmin": 0, "zmax": 1}
    figure = go.Figure(heat(yes.astype(int).to_numpy(), heads, names, "%{y}, %{x}", None, **crosses, **scale))
    finding = f"{yes.all(axis=1).sum()} of {len(names)} families can do everything; × marks what is refused."
    drawn = layout(figure, {"side": "top"}, row_axis(names), height=90 + 22 * len(names), top=40)
    return Chart("works", title, drawn, finding, table)


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


_PEERS = "make bench"
BENCHES = {
    "prediction": Bench(
        "How well is a perplexity predicted before pruning?",
        "Errors of the increase in loss over the dense model's, of every committed setting: predicted from all others "
        "of its pruner, repair and protocol, and from the four default anchors alone.",
        "make studies",
        predictions.COLUMNS[0],
        predictions.table,
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
        "tokens of the demo text. In the Q2_K file only mlp.down_proj has two bits.",
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
    "scaling": Bench("How does a sweep grow?", "By layers, sequences and perturbations.", _PEERS, "seconds"),
}
