"""Is what is told of a run before it what then happens? Real requests, each in a process of its own.

python -m tests.bench.costs [ROW ...]        # prints a table; a row costs seconds to minutes

Memory is the peak of what the process holds (RSS), Python and torch included. Time is compared as processor seconds,
which a busy machine stretches little; about ten of them are the start of Python and its libraries, which is not told.
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

from core import specs
from core.models import cost
from core.specs import MeasureRequest, Setting, StudyRequest, WindowRequest, grammar
from core.specs.base import Spec
from core.store.cache import Store

PROJECT = Path(__file__).resolve().parents[2]
MIDDLE = "middle"  # a Llama of 35 million random weights, made where it is asked for


@dataclass(frozen=True)
class Held:
    """What was told of a run, and what it was."""

    told: cost.Cost
    bytes: int
    seconds: float  # of the processor

    @property
    def memory_ratio(self) -> float:
        return self.told.memory / self.bytes


def measure(model: str, names: tuple[str, ...], sequences: int, length: int, removal: bool = False) -> MeasureRequest:
    return MeasureRequest(
        model=model,
        text=WindowRequest(sequences=sequences, length=length),
        measurements=specs.measurements([specs.perturbation(name) for name in names]),
        removal=removal,
    )


def study(model: str, sequences: int, length: int, windows: int, **setting: object) -> StudyRequest:
    text = WindowRequest(source="demo:evaluation", sequences=windows, length=length)
    return StudyRequest(
        model=model,
        settings=(Setting(allocation=grammar.read_allocation("uniform:0.5"), **setting),),
        calibration=WindowRequest(sequences=sequences, length=length),
        evaluation=specs.EvaluationRequest(text=text),
    )


QUICK = ("gaussian:0.3", "residual:wanda:0.7", "skip")
ROWS: dict[str, Callable[[str], Spec]] = {
    "quick sweep": lambda model: measure(model, QUICK, 8, 64),
    "long windows": lambda model: measure(model, ("gaussian:0.3",), 4, 512),
    "second moments": lambda model: measure(model, ("covariance:0.3", "residual:sparsegpt:0.5"), 4, 64, removal=True),
    "prune by Wanda": lambda model: study(model, 8, 256, 8),
    "prune and repair": lambda model: study(model, 4, 128, 4, pruner="sparsegpt", repair="refit"),
    "demo, short sweep": lambda _: measure("demo", ("gaussian:0.3",), 2, 32),
    "demo, prune": lambda _: study("demo", 2, 128, 2),
}


def middle(folder: Path) -> str:
    """Eight layers, 512 wide."""
    import torch
    import transformers

    from tests import tiny

    config = transformers.LlamaConfig(
        vocab_size=8192, hidden_size=512, intermediate_size=1536, num_hidden_layers=8, num_attention_heads=8,
        max_position_embeddings=1024, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return str(folder)


def run(name: str, model: str, cache: Path) -> Held:
    """Ask what a row costs, and run it in another process."""
    request, store = ROWS[name](model), Store(cache)
    told = (cost.estimate if isinstance(request, MeasureRequest) else cost.of_study)(request, store)
    words = [sys.executable, "-m", "tests.bench.costs", "--run", name, model, str(cache)]
    done = subprocess.run(
        words, cwd=PROJECT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return Held(told, *json.loads(done.stdout.splitlines()[-1]))


def in_child(name: str, model: str, cache: str) -> None:
    from core.jobs import experiment

    experiment.get(ROWS[name](model), Store(Path(cache)))
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, time.process_time()]))


def main() -> None:
    if sys.argv[1:2] == ["--run"]:
        return in_child(*sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        model = middle(Path(folder) / MIDDLE)
        print(f"{'':20} {'told':>9} {'held':>9} {'ratio':>6} {'TFLOP':>7} {'told s':>7} {'CPU s':>7}")
        for number, name in enumerate(sys.argv[1:] or ROWS):
            held = run(name, model, Path(folder) / str(number))
            print(
                f"{name:20} {held.told.memory / 1e6:6.0f} MB {held.bytes / 1e6:6.0f} MB {held.memory_ratio:6.2f} "
                f"{held.told.flops / 1e12:7.3f} {held.told.seconds:7.1f} {held.seconds:7.1f}", flush=True,
            )  # fmt: skip
    return None


if __name__ == "__main__":
    main()
