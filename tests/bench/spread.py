"""On paper: what a measurement of a 70B model takes on many GPUs, from the formulas that deal out its shares."""

from __future__ import annotations

from core.ask.measurements import ProfileSpec, measurements
from core.ask.models import ModelSpec
from core.ask.perturbations import perturbation
from core.ask.shares import Share
from core.ask.texts import TextSpec
from core.measure.sharing import mine
from core.models import work
from core.models.outline import Outline
from tests.bench.marked import table

SHAPE = Outline(80, 8192, 128_256, 855_638_016, 70_553_706_496)  # Llama 3 70B
ASKED = ("gaussian:0.1", "gaussian:0.3", "gaussian:1", "covariance:0.3", "residual:wanda:0.5", "residual:wanda:0.7",
         "residual:magnitude:0.7", "skip")  # fmt: skip
SEQUENCES, LENGTH = 128, 2048
RATE = 400e12  # FLOP/s of a GPU, bfloat16, that holds the model
CORES = 1.6e12  # FLOP/s of the 32 cores beside it
DISK = 2e9  # bytes/s that a node reads from the shared file system
PRICE = 4.0  # dollars for a GPU and an hour
WEIGHTS = 2 * SHAPE.parameters  # bytes


def profile() -> ProfileSpec:
    """What is measured."""
    model = ModelSpec(content="on paper", dtype="bfloat16")
    windows = tuple((0, LENGTH * index) for index in range(SEQUENCES))
    read = {"content": "on paper", "tokenizer": "on paper", "packing": "joined", "bos": "protocol"}
    text = TextSpec(**read, length=LENGTH, windows=windows)
    asked = measurements(map(perturbation, ASKED))
    return ProfileSpec(model=model, text=text, measurements=asked, prunable=True)


def seconds(share: Share) -> tuple[float, int]:
    """What a share takes, and its parts."""
    asked, size = profile(), work.group_size(SHAPE, SEQUENCES, LENGTH, "bfloat16", None)
    own = mine(asked, SHAPE, share)
    groups = {index // size for sequences in own.sequences.values() for index in sequences}
    parts = [each for each, sequences in own.sequences.items() for _ in range(len(sequences) // size)]
    swept = sum(work.measurement(SHAPE, each, size * LENGTH) for each in parts)
    clean = work.forward(SHAPE, (SEQUENCES + size * len(groups)) * LENGTH)  # pass 1, and the record of every group
    alone = work.looks(SHAPE) * sum(each in own.units for each in (asked.weights, asked.scores))
    return WEIGHTS / DISK + (swept + clean) / RATE + alone / CORES, len(parts)


def table_of_gpus() -> str:
    """A row for each number of GPUs, a share for each GPU."""
    heads = ("GPUs", "parts of a share", "time of a share", "of the one with the spectra", "read", "GPU-hours", "cost")
    return table(heads, map(_row, (1, 8, 64)))


def _row(gpus: int) -> tuple[str, ...]:
    shares = [seconds(Share(part=part, of=gpus)) for part in range(1, gpus + 1)]
    hours = [taken / 3600 for taken, _ in shares]
    others = f"{max(hours[1:]):.2f} h" if gpus > 1 else ""
    cells = str(gpus), str(shares[-1][1]), others, f"{hours[0]:.2f} h", f"{gpus * WEIGHTS / 1e12:.2f} TB"
    return *cells, f"{sum(hours):.1f}", f"{sum(hours) * PRICE:.0f} $"
