"""The commands that are killed, each on a tiny model, with what has to be there before it."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from core.cli import main
from core.jobs import records
from core.measure import Sweep
from core.methods import DepthRamp
from core.models import folder_checks
from core.requests import measurements
from core.results import search_plan
from core.store import Store
from tests import tiny

LENGTH = 12
STUDY = """
model = "{model}"
targets = [0.5]
pruners = ["magnitude", "wanda"]
settings = ["uniform", "depth_ramp beta=0.05"]
calibration = {{ source = "{text}", documents = "0-19", sequences = 3, length = 12 }}
evaluation = {{ source = "{text}", documents = "20-39", windows = 12, length = 12 }}
"""
BITS = "uniform currency=bits by=quantised_symmetric:4"


class Bench(NamedTuple):
    """The folder that every trial finds anew."""

    root: Path

    @property
    def cache(self):
        return self.root / "cache"

    @property
    def text(self):
        return f"file:{self.root / 'text.jsonl'}"

    def run(self, *words):
        """One command on the cache; its exit code."""
        return main([*map(str, words), "--cache", str(self.cache)])

    def key(self, kind):
        return next(Store(self.cache).entries(kind)).key


class Command(NamedTuple):
    """What is killed, and what is run before it: functions of a bench."""

    run: object
    before: tuple = ()
    gone: bool = False  # afterwards there is nothing left to ask for again


def usual(bench):
    return ["--model", bench.root / "model", "--length", LENGTH]


def measure(bench):
    asked = [word for each in ("gaussian:0.3", "residual:wanda:0.5", "skip") for word in ("--perturb", each)]
    return bench.run("measure", *usual(bench), "--text", bench.text, "--sequences", 4, *asked)


def study(bench):
    return bench.run("study", bench.root / "study.toml")


def best(bench):
    return bench.run("best", *usual(bench), "--target", 0.5, "--text", bench.text, "--windows", 8, "--sequences", 3)


def exported(setting, *words):
    """An export of a setting of the study."""
    words = ("--setting", setting, "--device", "cpu", *words)
    return lambda bench: bench.run("export", bench.key("study"), "--to", bench.root / "out", *words)


export = exported("depth_ramp beta=0.05:0.5")


def study_of_bits(bench):
    path = bench.root / "study.toml"
    whole = path.read_text(encoding="utf-8").splitlines()
    lists = ("targets", "pruners", "settings")
    kept = [f'points = ["{BITS}"]', *(line for line in whole if not line.startswith(lists))]
    path.write_text("\n".join(kept), encoding="utf-8")
    return study(bench)


def delete(bench):
    return bench.run("runs", "delete", (bench.root / "key").read_text(), "--yes")


def named(bench):
    """Write down what is to be deleted: afterwards nobody can be asked for it."""
    (bench.root / "key").write_text(bench.key("profile"))
    return 0


COMMANDS = {
    "measure": Command(measure),
    "study": Command(study),
    "best": Command(best),
    "export": Command(export, (study,)),
    "export --format gguf": Command(exported("uniform:0.5", "--format", "gguf"), (study,)),
    "export --format compressed-tensors": Command(exported(BITS, "--format", "compressed-tensors"), (study_of_bits,)),
    "export --overwrite": Command(exported("uniform:0.5", "--overwrite"), (study, export)),
    "runs delete": Command(delete, (measure, study, named), gone=True),
}


def do_little():
    """Have this process measure and search as little as shows everything, and by the same steps each time."""
    Sweep._size = lambda sweep: 2  # two parts a unit
    search_plan.BASES = {"depth_ramp": SimpleNamespace(grid=lambda *_: (DepthRamp(beta=0.05),))}
    search_plan.SPARSITIES, measurements.SAMPLES = (0.3, 0.7), 4
    records.INTERVAL = 1e9  # between two notes of how far it is
    folder_checks.TOKENIZER_PATIENCE = 3600  # on a machine that stood still for a minute


def prepared(root):
    """A folder with a tiny model, a text and a study file."""
    bench = Bench(root)
    shutil.copytree(tiny.folder("llama"), root / "model")
    rows = [f"{index} {tiny.SENTENCES[index % 5]} {tiny.SENTENCES[index % 3]}" for index in range(60)]
    (root / "text.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in rows), encoding="utf-8")
    (root / "study.toml").write_text(STUDY.format(model=root / "model", text=bench.text), encoding="utf-8")
    return bench
