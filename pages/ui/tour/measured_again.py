"""The quick measurement, made here and now, over the cached one of the same text."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.ask import presets
from core.ask.measurements import MeasureRequest
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.base.escape import plain
from core.base.formats import duration
from core.jobs import queue
from core.jobs.records import Job
from core.models import machine
from core.plan.gains import gains_of
from core.show import lessons
from core.show.figures import scales
from core.store import profiles
from core.store.cache import Store
from core.store.deleting import delete
from core.store.profiles import Profile
from pages.ui import buttons, subject, view, watch
from pages.ui.live import figure
from pages.ui.tour import parts

QUICK = presets.PRESETS["quick"]
REQUEST = MeasureRequest(
    text=WindowRequest(sequences=QUICK.sequences, length=QUICK.length), measurements=QUICK.measurements
)
IDLE = 30.0  # seconds the process that measures waits for more


def place() -> Store:
    """A folder of its own: the cache would answer at once with what it holds, and nothing would be measured."""
    return Store(Store().root / "again")


def draw() -> None:
    """The button, the run, and both measurements in one picture."""
    st.header("Are these numbers real?", anchor=False)
    store = place()
    job = next(iter(queue.jobs(store)), None)
    if job and job.active:
        st.fragment(run_every=1.0)(_watch)(job.key)
        return
    st.markdown(
        "Measure the bundled model yourself, on the bundled text, and compare with the numbers that came with this "
        f"program ({QUICK.about})."
    )
    busy = queue.active(Store())
    label = "Measure it again" if job and job.state == "done" else "Measure it now"
    buttons.button(label, _run, key="again", disabled=bool(busy), icon=":material/play_arrow:")
    if busy:
        st.caption("Another run is using this computer. You can measure once it has ended.")
    if job and job.state == "done":
        _compare(store, job)
    elif job:
        st.warning(plain(job.status.error or f"The run was {job.state}; finished parts are kept."))


def _run() -> None:
    store = place()
    for job in queue.jobs(store):
        if not job.active:
            queue.delete(job)
    for entry in [each for each in store.entries() if not each.committed]:
        delete(store, entry)
    job = queue.submit(store, REQUEST, machine.devices()[0])
    queue.ensure_worker(store, job.device, IDLE)


def _watch(key: str) -> None:
    job = watch.followed(place(), key, IDLE)
    status = queue.standing(place(), job)
    st.progress(status.fraction, text=plain(f"Measuring on {job.device}: {_plainly(status.words)}"))
    watch.cancel(job, "stop")


def _plainly(line: str) -> str:
    """A line of progress with perturbations called as pages call them."""
    for each in QUICK.measurements:
        line = line.replace(f"{each.name} (", f"{each.perturbation.label} (")
    return line


def _compare(store: Store, job: Job) -> None:
    try:
        fresh = profiles.load(store, store.profile(job.status.result))
        cached = subject.load(Store().profile(job.status.result).key)
    except UserError as error:
        st.warning(f"There is nothing to compare it with: {plain(error)}.")
        return
    names = [name for name in fresh.by_name if name in cached.by_name]
    stops = {name: fresh.perturbations[name].label for name in names}
    what = parts.control("again-of", "What is done to the layer", stops, names[0], kind="choice")
    name = names[what.index]
    told = lessons.compared(fresh, cached, name)
    figure.draw(picture(fresh, cached, what, told), view.look())
    seconds = duration(job.status.updated - (job.status.started or job.status.updated))
    st.markdown(f"{told} It took {seconds}, loading included.")
    new, old = (gains_of(each.seeds(name)).value for each in (fresh, cached))
    columns = {"layer": np.arange(len(new)), "now": new, "cached": old, "now / cached": new / old}
    parts.numbers(columns, "gain measured now and cached", cached, "again")


def picture(fresh: Profile, cached: Profile, what: figure.Control, finding: str) -> figure.Figure:
    """Two lines of gains, one upon the other."""
    gains = [np.stack([gains_of(each.seeds(one)).value for one in what.values]) for each in (cached, fresh)]
    return figure.Figure(
        name="again",
        title="Gain of each layer, measured now and cached",
        finding=finding,
        says="{what}: gains measured now, dashed, over the stored ones.",
        slots={"what": figure.Slot("frame", what.stops)},
        y=[scales.ratio_axis("gain", *each) for each in zip(*gains, strict=True)],
        controls=[what],
        lines=[figure.Line(gains[0], "faint"), figure.Line(gains[1], "accent", dash=True)],
        key=[figure.Key("faint", "line", "came with this program"), figure.Key("accent", "dash", "measured now")],
        foot=1.0,
        x="layer where the damage starts",
    )
