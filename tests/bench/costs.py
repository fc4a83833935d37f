"""Is what is told of a run before it what then happens? Real requests, each in a process of its own.

python -m tests.bench.costs [ROW ...]        # prints a table; a row costs seconds to minutes

Memory is the peak of what the process holds (RSS), Python and torch included. Time is told for one core at the speed
that the program assumes of a machine it has not measured, and compared as processor seconds of one thread, which a busy
machine stretches little. Where a sweep remembers its speed, what is told after it is compared as well: the clock by
which the run measures itself counts processor seconds, too.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.ask import grammar
from core.ask.inputs import WindowRequest
from core.ask.measurements import MeasureRequest, measurements
from core.ask.perturbations import perturbation
from core.ask.requests import BestRequest
from core.ask.settings import Setting
from core.ask.studies import EvaluationRequest, StudyRequest
from core.base.spec import Spec
from core.models import work
from core.results.search_plan import estimate
from core.store.cache import Store
from tests import tiny

ESTIMATES = {MeasureRequest: work.estimate, StudyRequest: work.estimate, BestRequest: estimate}
PROJECT = Path(__file__).resolve().parents[2]
MIDDLE = "middle"  # a Llama of 35 million random weights, made where it is asked for


@dataclass(frozen=True)
class Held:
    """What was told of a run, and what it was."""

    told: work.Cost
    again: work.Cost  # told after the run
    bytes: int
    seconds: float  # of the processor

    @property
    def memory_ratio(self) -> float:
        return self.told.memory / self.bytes

    @property
    def time_ratio(self) -> float:
        return self.told.seconds / self.seconds


def measure(model: str, names: tuple[str, ...], sequences: int, length: int, **more: object) -> MeasureRequest:
    return MeasureRequest(
        model=model,
        text=WindowRequest(sequences=sequences, length=length),
        measurements=measurements([perturbation(name) for name in names]),
        **more,
    )


def study(model: str, sequences: int, length: int, windows: int, **setting: object) -> StudyRequest:
    text = WindowRequest(source="demo:evaluation", sequences=windows, length=length)
    return StudyRequest(
        model=model,
        settings=(Setting(allocation=grammar.read_allocation("uniform:0.5"), **setting),),
        calibration=WindowRequest(sequences=sequences, length=length),
        evaluation=EvaluationRequest(text=text),
    )


QUICK = ("gaussian:0.3", "residual:wanda:0.7", "skip")
SOLVED = ("covariance:0.3", "residual:sparsegpt:0.5")
ROWS: dict[str, Callable[[str], Spec]] = {
    "quick sweep": lambda model: measure(model, QUICK, 8, 64),
    "half precision": lambda model: measure(model, QUICK, 8, 64, dtype="float16"),
    "long windows": lambda model: measure(model, ("gaussian:0.3",), 4, 512),
    "second moments": lambda model: measure(model, SOLVED, 4, 64, removal=True),
    "prune by Wanda": lambda model: study(model, 8, 256, 8),
    "prune and repair": lambda model: study(model, 4, 128, 4, pruner="sparsegpt", repair="refit"),
    "prune by ALPS": lambda model: study(model, 4, 128, 4, pruner="alps"),
    "compare": lambda model: measure(model, (f"checkpoint:random:{model}",), 4, 64),
    "best": lambda model: BestRequest(model=model, target=0.5, **{
        role: WindowRequest(source=source, sequences=8, length=64)
        for role, source in {"calibration": "demo", "selection": "demo:evaluation", "final": "demo:evaluation"}.items()
    }),
    "tiny": lambda _: measure(str(tiny.folder("llama")), QUICK, 8, 32),
    "demo, quick": lambda _: measure("demo", QUICK, 8, 64),
    "demo, prune": lambda _: study("demo", 2, 128, 2),
    "demo, SparseGPT": lambda _: study("demo", 2, 128, 2, pruner="sparsegpt"),
    "demo, ALPS": lambda _: study("demo", 2, 128, 2, pruner="alps"),
}  # fmt: skip


def middle(folder: Path) -> str:
    """Eight layers, 512 wide."""
    import torch
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=8192, hidden_size=512, intermediate_size=1536, num_hidden_layers=8, num_attention_heads=8,
        max_position_embeddings=1024, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(1)  # its untrained twin is made with 0
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return str(folder)


def told(request: Spec, store: Store) -> work.Cost:
    return ESTIMATES[type(request)](request, store)


def run(name: str, model: str, cache: Path) -> Held:
    """Ask what a row costs, and run it in another process."""
    work.ROUGH["cpu"] = 60e9
    request, store = ROWS[name](model), Store(cache)
    before = told(request, store)
    words = [sys.executable, "-m", "tests.bench.costs", "--run", name, model, str(cache)]
    done = subprocess.run(
        words, cwd=PROJECT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Held(before, told(request, store), *json.loads(done.stdout.splitlines()[-1]))


def in_child(name: str, model: str, cache: str) -> None:
    from core.jobs import experiment

    time.perf_counter = time.process_time  # what a sweep remembers of its speed
    experiment.get(ROWS[name](model), Store(Path(cache)))
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, time.process_time()]))


def main() -> None:
    if sys.argv[1:2] == ["--run"]:
        return in_child(*sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        model = middle(Path(folder) / MIDDLE)
        print(f"{'':20} {'told':>9} {'held':>9} {'ratio':>6} {'told s':>7} {'CPU s':>7} {'ratio':>6} {'again s':>8}")
        for number, name in enumerate(sys.argv[1:] or ROWS):
            held = run(name, model, Path(folder) / str(number))
            print(
                f"{name:20} {held.told.memory / 1e6:6.0f} MB {held.bytes / 1e6:6.0f} MB {held.memory_ratio:6.2f} "
                f"{held.told.seconds:7.1f} {held.seconds:7.1f} {held.time_ratio:6.2f} {held.again.seconds:8.1f}",
                flush=True,
            )  # fmt: skip
    return None


if __name__ == "__main__":
    main()
