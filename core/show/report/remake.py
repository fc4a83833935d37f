"""The commands that make a stored result again, from what it says of itself."""

from collections.abc import Mapping
from pathlib import Path

from core.base import UserError, checked
from core.methods import MIXED, MIXED_GONE
from core.requests import STUDY_FILE, MeasureRequest, StudyRequest, WindowRequest, command_line, line, write_study
from core.results import Best, Study, final_request
from core.results import best as bests
from core.store import Entry

Command = tuple[str, str]  # what it does, and its text
NOTHING_SAID = "There is no command: this result does not say where its model and text came from."
NO_SEARCH = "No command says this search; this judges its answer again."
UNSEEDED = "The seed that drew the windows is not noted, so the command takes 0: where the key differs, it was another."


def profile(entry: Entry) -> list[Command]:
    """`python -m core measure ...`."""
    provenance = entry.provenance
    try:
        request = request_of_profile(entry)
    except UserError:
        return [(NOTHING_SAID, "python -m core measure --model MODEL --text TEXT")]
    # zeros and integers in one linear were measured by an earlier version, and can be asked for no more
    treated = ((each, each.perturbation.treatment) for each in request.measurements)
    offered = tuple(each for each, treatment in treated if not treatment or treatment.budget_unit is not MIXED)
    engine = "hooks" if provenance.get("engine") == "hooks" else "wavefront"
    about = "The measurement." if "seed" in provenance else f"The measurement. {UNSEEDED}"
    if offered != request.measurements:
        about = f"The measurement but for a part of it: {MIXED_GONE}."
    return [(about, command_line(request.replace(measurements=offered), device=_device(provenance), engine=engine))]


def request_of_profile(entry: Entry) -> MeasureRequest:
    """The request of a profile, put together from what it says of itself.

    Raises:
        UserError: it says no model or text, or what nobody could have asked.
    """
    spec, provenance = entry.spec, entry.provenance
    measured = (each.replace(perturbation=each.perturbation.told(provenance)) for each in spec.measurements)
    window = checked(
        WindowRequest,
        source=provenance.get("text_source"),
        documents=provenance.get("documents"),
        seed=provenance.get("seed", 0),
        **{name: getattr(spec.text, name) for name in ("sequences", "length", "packing", "bos")},
    )
    return checked(
        MeasureRequest,
        model=provenance.get("model_source"),
        revision=provenance.get("revision"),
        dtype=spec.model.dtype,
        text=window,
        measurements=tuple(measured),
        removal=spec.removal,
        sketch=spec.sketch is not None,
    )


def _device(provenance: Mapping) -> str:
    """The device as the command line takes it; a described GPU is whichever is there."""
    device = str(provenance.get("device", "auto"))
    return device if device in ("cpu", "mps") else "cuda" if device.startswith("cuda") else "auto"


def study(results: Study) -> list[Command]:
    """The study file and its command."""
    try:
        request = StudyRequest.model_validate(results.provenance["request"])
    except (KeyError, ValueError):
        return [(NOTHING_SAID, line("study", file=STUDY_FILE))]
    return of_study(request, _device(results.dense.result.about))


def best(answer: Best) -> list[Command]:
    """The search whole, or the study that judged where no command can say the search."""
    whole = bests.whole_line(answer.request)
    if whole is not None:
        return [("The whole search with all its numbers.", whole)]
    request = final_request(answer.request, answer.profile, (answer.winner,))
    (about, file), *run = of_study(request, _device(answer.final.dense.result.about))
    return [(f"{NO_SEARCH} {about}", file), *run]


def of_study(request: StudyRequest, device: str, cache: Path | None = None) -> list[Command]:
    """The study file of a request and its command; the command alone where there are no settings."""
    if not request.settings:
        return [("The evaluation.", command_line(request, device=device))]
    try:
        text = write_study(request)
    except UserError as error:
        return [(f"No study file can say it: {error}.", line("study", file=STUDY_FILE))]
    run = line("study", file=STUDY_FILE, device=device, cache=cache)
    return [(f"Save this as {STUDY_FILE}.", text), ("Then run it.", run)]
