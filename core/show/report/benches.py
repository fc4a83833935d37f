"""Questions that a bench answered once, each with its committed table: predictions, speed, agreement, families."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from core.show.figures import Chart, evaluation
from core.store import HOME


class Bench(NamedTuple):
    """A question that a bench answered once, whose table is committed as `cache/demo/benches/NAME.csv`."""

    title: str
    about: str
    command: str  # measures it again
    bars: str = ""  # the column that is drawn

    def table(self, name: str) -> pd.DataFrame:
        """The measured table, a row for each name in the first column; NaN where nothing was measured."""
        return pd.read_csv(bench_file(name)).rename(columns={"Unnamed: 0": "what"})

    def chart(self, name: str) -> Chart:
        """Dots of one column."""
        return evaluation.bench(self.table(name), self.bars, self.title)


def bench_file(name: str) -> Path:
    """File that a bench writes its table to."""
    return HOME / "demo" / "benches" / f"{name}.csv"


_PEERS = "make bench"
BENCHES = {
    "prediction": Bench(
        "How well is a perplexity predicted before pruning?",
        "Errors of the increase in loss over the dense model's, of every committed setting: predicted from all others "
        "of its pruner, repair and protocol, and from the four default anchors alone.",
        "make studies",
        "median error, %",
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
    ),
    "recovered": Bench(
        "Does what training wins back hold elsewhere?",
        "Response per linear by ALPS and refit to dense, before and after 400,000 tokens of training: on 48 windows of "
        "512 tokens that the pruner read too, that were trained on, of C4 held out and of WikiText-2 test, and on 16 "
        "held back. Right answers are to 200 questions of each of four tasks, a share known to 7 points.",
        "python -m tests.bench.recovered STUDY CACHE TEXT TASKS",
        "perplexity, WikiText-2",
    ),
    "llama_cpp": Bench(
        "How small and how fast is it elsewhere?",
        "Files that this product wrote, judged by llama.cpp's own tools on 8 windows of 512 tokens of WikiText-2 and "
        "timed on two cores. In the mixed file the first and the last layer have 8 bits, attention 5, the rest 4.",
        "python -m tests.bench.llama_cpp BINARIES TEXT FOLDER",
        "writes, tokens/s",
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
