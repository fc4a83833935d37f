"""The commands that make a stored result again, from what it says of itself."""

from __future__ import annotations

import shlex

from core import jobs
from core.allocation import recipes
from core.allocation.requests import AllocationRequest, Manual
from core.errors import UserError
from core.profiles import Profile
from core.report import Command
from core.settings import StudyRequest
from core.specs import MeasureRequest, WindowRequest
from core.store import Entry, Store
from core.studies import Study
from pages.ui import command
from pages.ui.prune import take

NOTHING_SAID = "There is no command: this result does not say where its model and text came from."
UNSEEDED = (
    "The seed that drew the windows is not noted in this result, so the command takes 0; where the key differs, "
    "another was used."
)


def profile(store: Store, entry: Entry) -> list[Command]:
    """`python -m core measure ...`, as the run was asked if it is still known, else put together from provenance."""
    told = entry.provenance
    device, engine = _device(told), str(told.get("engine") or "wavefront")
    engine = engine if engine in ("wavefront", "hooks") else "wavefront"
    asked = _asked(store, entry)
    if asked is not None:
        return [Command("The measurement:", command.measure(asked, device, engine))]
    if not told.get("model_source") or not told.get("text_source"):
        return [Command(NOTHING_SAID, "python -m core measure --model MODEL --text TEXT")]
    about = "The measurement:" if "seed" in told else f"The measurement. {UNSEEDED}"
    return [Command(about, command.measure(_told(entry), device, engine))]


def _asked(store: Store, entry: Entry) -> MeasureRequest | None:
    """The request of the run that measured it, if that run was not forgotten."""
    known = (each for each in jobs.jobs(store) if each.status.result == entry.key)
    return next((each.request for each in known if isinstance(each.request, MeasureRequest)), None)


def _told(entry: Entry) -> MeasureRequest:
    spec, told = entry.spec, entry.provenance
    documents = told.get("documents")
    window = WindowRequest(
        source=told["text_source"],
        documents=tuple(documents) if documents else None,
        sequences=spec.text.sequences,
        length=spec.text.length,
        seed=told.get("seed", 0),
        packing=spec.text.packing,
        bos=spec.text.bos,
    )
    return MeasureRequest(
        model=told["model_source"],
        revision=told.get("revision"),
        dtype=spec.model.dtype,
        text=window,
        measurements=spec.measurements,
    )


def _device(told: dict) -> str:
    """As the command line takes it; a described GPU is whichever is there."""
    said = str(told.get("device", "auto"))
    return said if said in ("cpu", "mps") else "cuda" if said.startswith("cuda") else "auto"


def allocation(found: Profile, asked: AllocationRequest, name: str) -> Command:
    """`python -m core allocate ...` of one line of the allocation chart."""
    words = ["python", "-m", "core", *recipes.arguments(asked, found.entry.key)]
    return Command(f"The allocation {name}:", shlex.join(words))


def study(found: Study) -> list[Command]:
    """The study file and its command; where no file can say it, a command per setting."""
    request = _request(found)
    if request is None:
        return [Command(NOTHING_SAID, "python -m core study study.toml")]
    device = _device(found.dense.about)
    try:
        text = take.as_toml(request)
    except UserError as error:
        singles = [_single(request, each, device) for each in request.settings]
        return [Command(f"Setting by setting, for {error}.", "\n".join(filter(None, singles)) or "# none can be said")]
    return [
        Command(f"Save this as {take.STUDY_FILE}:{_unsaid(request)}", text),
        Command("Then run:", take.study(device)),
    ]


def _unsaid(request: StudyRequest) -> str:
    """What the study file leaves out of how the windows were drawn."""
    texts = {"calibration": request.calibration, "evaluation": request.evaluation.text}
    usual = WindowRequest()
    said = [
        f"{name} = {getattr(text, name)!r} under [{where}]"
        for where, text in texts.items()
        for name in ("seed", "packing", "bos")
        if getattr(text, name) != getattr(usual, name)
    ]
    return f" (and add {', '.join(said)})" if said else ""


def _request(found: Study) -> StudyRequest | None:
    try:
        return StudyRequest.model_validate(found.provenance["request"])
    except (KeyError, ValueError):
        return None


def _single(request: StudyRequest, setting: object, device: str) -> str | None:
    if isinstance(setting.allocation.base, Manual):
        return f"# {setting.name}: no command can say it; save its allocation as JSON and name that file"
    try:
        return take.prune(request, setting, device)
    except UserError as error:
        return f"# {setting.name}: {error}"
