"""Stands in for `core.jobs.execute` where no model is wanted: invented numbers, steered by files in the cache.

    hold      while it exists, the run stays after its first part, reporting on and on
    deaf      while it exists too, it stays there without reporting, so that it cannot be cancelled
    refuse    the request is refused with the file's words
    break     the run fails with the file's words

Run as a script it is a worker process: `fake_experiment.py CACHE DEVICE IDLE_SECONDS`.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from core.base import UserError
from core.models import Progress, silent
from core.requests import PRESETS, MeasureRequest, StudyRequest, WindowRequest
from core.store import Perturbed, Store, axes_of, parts
from tests import synthetic

LAYERS = 6
GROUP = 4  # sequences per part


def request(sequences=8, seed=0, preset="quick"):
    """A small request; other seeds are other requests."""
    window = WindowRequest(sequences=sequences, seed=seed)
    return MeasureRequest(text=window, measurements=PRESETS[preset].measurements)


def resolve(asked):
    """What an invented model and text make of a request."""
    profile = synthetic.profile_spec(LAYERS, asked.text.sequences, seed=asked.text.seed)
    return profile.replace(measurements=asked.measurements)


def get(
    asked, store, device = "cpu", report = silent,
    models = None, engine = "wavefront",
):  # fmt: skip
    """As `core.jobs.execute.get`; every part measured leaves a line in measured.txt."""
    found = store.find(asked)
    if found:
        return found
    if isinstance(asked, StudyRequest):
        return study(asked, store, report)
    report(Progress("finding the model"))
    if (store.root / "refuse").exists():
        raise UserError((store.root / "refuse").read_text())
    profile = resolve(asked)
    store.remember(asked, profile, [])
    groups = range(0, asked.text.sequences, GROUP)
    total, done = len(groups) * len(asked.measurements), 0
    for first in groups:
        for measurement in asked.measurements:
            unit = profile.unit(measurement)
            if first not in parts.finished(store, unit):
                _measure(store, unit, first)
            done += 1
            _pause(store, report, Progress(f"{measurement.name}, layer 3 of {LAYERS}", done, total, done))
    synthetic.save_profile(store.root, profile)
    return store.find(asked)


def _measure(store, unit, first):
    whole = synthetic.perturbed(LAYERS, unit.text.sequences, unit.measurement)
    some = slice(first, first + GROUP)
    cut = {name: getattr(whole, name)[..., some] for name, axes in axes_of(Perturbed).items() if "sequence" in axes}
    parts.save(store, unit, first, replace(whole, **cut))
    with (store.root / "measured.txt").open("a") as log:
        log.write(f"{unit.measurement.name} {first}\n")


def _pause(store, report, progress):
    report(progress)
    while (store.root / "hold").exists():
        time.sleep(0.02)
        if not (store.root / "deaf").exists():
            report(progress)
    if (store.root / "break").exists():
        raise ValueError((store.root / "break").read_text())


def study(asked, store, report):
    """Invented losses of every point, one after the other, for the profile that the request names."""
    profile = store.profile(asked.profile)
    text, layers = asked.evaluation.text, synthetic.depth(profile.spec)
    spec = synthetic.study_spec(profile.spec, asked.settings, text.sequences, text.length)
    store.remember(asked, spec, [])
    told = {"model": "invented model", "text": "invented evaluation text", "profile": asked.profile, "broken": None}
    told |= {"calibration": "invented calibration text"}
    for done, point in enumerate(spec.points, 1):
        store.save(spec.evaluated(point), synthetic.evaluated(point, text.sequences, layers), told)
        name = point.setting.name if point.setting else "dense"
        _pause(store, report, Progress(f"{name}: window {text.sequences}", done, len(spec.points), parts=done))
    return store.entry(store.save(spec, None, told))


def install():
    """Take the place of core.jobs.execute in this process."""
    module = ModuleType("core.jobs.execute")
    module.get = get
    sys.modules["core.jobs.execute"] = module
    import core.jobs

    core.jobs.execute = module


if __name__ == "__main__":
    from core.jobs import worker

    install()
    worker.work(Store(Path(sys.argv[1])), sys.argv[2], float(sys.argv[3]))
