"""The commands that make a stored result again, from what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from core.ask import naming
from core.ask.commands import Studying, alone, command_line
from core.ask.jobs import Request
from core.ask.measurements import Measurement, MeasureRequest
from core.ask.settings import Setting
from core.ask.studies import StudyRequest
from core.ask.study_file import STUDY_FILE, write_study
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.report.page import Command
from core.results.evaluations import Evaluations
from core.search import best as bests
from core.search.best import Best
from core.search.plan import final_request
from core.store.cache import Entry

NOTHING_SAID = "There is no command: this result does not say where its model and text came from."
SEARCH = "The whole search with all its numbers, the profile, the candidates and the judgement included:"
NO_SEARCH = (
    "No command says this search: its options take no texts of several lengths, no other packing or start token, and "
    "no named documents. The judgement by itself:"
)
PROFILE = "The profile that the candidates look at, by itself:"
ANSWER = "The answer by itself, with one calibration seed:"
UNSEEDED = (
    "The seed that drew the windows is not noted in this result, so the command takes 0; where the key differs, "
    "another was used."
)


def profile(entry: Entry, asked: Request | None = None) -> list[Command]:
    """`python -m core measure ...`, as the run was asked if that is still known, else put together from provenance."""
    told = entry.provenance
    device, engine = _device(told), str(told.get("engine") or "wavefront")
    engine = engine if engine in ("wavefront", "hooks") else "wavefront"
    if isinstance(asked, MeasureRequest):
        return [Command("The measurement:", command_line(asked, device=device, engine=engine))]
    if not told.get("model_source") or not told.get("text_source"):
        return [Command(NOTHING_SAID, "python -m core measure --model MODEL --text TEXT")]
    about = "The measurement:" if "seed" in told else f"The measurement. {UNSEEDED}"
    return [Command(about, command_line(as_told(entry), device=device, engine=engine))]


def as_told(entry: Entry) -> MeasureRequest:
    """The request of a profile, put together from what it says of itself."""
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
        measurements=as_typed(entry),
        removal=spec.removal,
    )


def as_typed(entry: Entry) -> tuple[Measurement, ...]:
    """What a profile measured, its checkpoints by their paths."""
    told = entry.provenance
    return tuple(
        each.model_copy(update={"perturbation": each.perturbation.told(told)}) for each in entry.spec.measurements
    )


def _device(told: dict) -> str:
    """As the command line takes it; a described GPU is whichever is there."""
    said = str(told.get("device", "auto"))
    return said if said in ("cpu", "mps") else "cuda" if said.startswith("cuda") else "auto"


def study(found: Evaluations) -> list[Command]:
    """The study file and its command; where no file can say it, a command per setting."""
    try:
        request = StudyRequest.model_validate(found.provenance["request"])
    except (KeyError, ValueError):
        return [Command(NOTHING_SAID, command_line(Studying(file=STUDY_FILE)))]
    return _study(request, _device(found.dense.result.about))


def best(found: Best, singles: Sequence[str]) -> list[Command]:
    """The search whole, or the study that judged where no command can say the search; then its parts.

    Args:
        singles: `core.search.best.commands`, the profile and the answer by themselves.
    """
    whole = bests.whole_line(found.request)
    if whole is None:
        asked = final_request(found.request, found.profile, found.winner, found.runner_up, better=found.better)
        file, *run = _study(asked, _device(found.final.dense.result.about))
        return [Command(f"{NO_SEARCH} {file.about}", file.text), *run, *_singles(singles)]
    return [Command(SEARCH, whole), *_singles(singles)]


def _singles(lines: Sequence[str]) -> list[Command]:
    return [Command(PROFILE if line.split()[3] == "measure" else ANSWER, line) for line in lines]


def _study(request: StudyRequest, device: str) -> list[Command]:
    if not request.settings:
        return [Command("The evaluation:", command_line(request, device=device))]
    try:
        text = write_study(request)
    except UserError as error:
        singles = [_single(request, each, device) for each in request.settings]
        return [Command(f"Setting by setting, for {error}.", "\n".join(filter(None, singles)) or "# none can be said")]
    return [
        Command(f"Save this as {STUDY_FILE}:", text),
        Command("Then run:", command_line(Studying(file=STUDY_FILE), device=device)),
    ]


def _single(request: StudyRequest, setting: Setting, device: str) -> str | None:
    if setting.allocation.base.by_hand:
        return f"# {naming.whole(setting)}: no command can say it; save its allocation as JSON and name that file"
    try:
        return command_line(alone(request, setting), device=device)
    except UserError as error:
        return f"# {naming.whole(setting)}: {error}"
