"""Resolve a study request to exact recipes, texts and tasks."""

from collections.abc import Mapping
from pathlib import Path

from core.base import UserError, frozen
from core.judge import zeroshot
from core.models import Loaded, Reader
from core.models.windows import Windows, read, windows
from core.prune import Texts, check_recipes, make_exact
from core.requests import BestRequest, EvaluationRequest, StudyRecipe, StudyRequest, StudySpec, TaskSpec
from core.results import text_splits
from core.store import Entry, Store


@frozen
class Resolved:
    """A study request made exact: its spec, and the texts and tasks behind the hashes."""

    spec: StudySpec
    text: Windows
    calibration: Texts
    tasks: dict[str, zeroshot.Task]  # by name

    @property
    def files(self) -> list[Path]:
        """Local files that were read."""
        return [path for each in (self.text, *self.calibration.values(), *self.tasks.values()) for path in each.files]

    @property
    def watched(self) -> list[Path]:
        """Files and folders whose change invalidates the resolved request."""
        return [*self.files, *dict.fromkeys(path for each in self.tasks.values() for path in each.folders)]


def check(request: StudyRequest, reader: Reader, store: Store) -> None:
    """Refuse, before any weight is read, a request that cannot be met whatever the weights are.

    Raises:
        UserError: as `resolve`, for texts, tasks, the profile and the budgets that it spreads.
    """
    windows(request.evaluation.text, reader)
    _tasks(request.evaluation)
    check_recipes(request.settings, request, reader, store)


def _tasks(evaluation: EvaluationRequest) -> list[zeroshot.Task]:
    """Read the zero-shot tasks, each with at least the requested number of examples."""
    folder = Path(evaluation.tasks_from) if evaluation.tasks_from else None
    tasks = zeroshot.tasks(evaluation.tasks, folder) if evaluation.tasks else []
    for each in tasks:
        zeroshot.drawn(each, evaluation.examples, evaluation.seed)  # refused now, not after an hour
    return tasks


def resolve(request: StudyRequest, loaded: Loaded, store: Store) -> Resolved:
    """Read the texts and spread the budgets.

    Raises:
        UserError: a text or a task is too short, a task unknown, a budget impossible, the profile of another model, the
            model cannot be pruned, or a pattern does not fit it.
    """
    text = windows(request.evaluation.text, loaded)
    read = _tasks(request.evaluation)
    calibration = {}
    points = tuple(
        StudyRecipe(setting=recipe, pruned=recipe and make_exact(recipe, request, loaded, store, calibration))
        for recipe in request.points
    )
    tasks = tuple(
        TaskSpec(
            name=each.name,
            content=each.content,
            examples=request.evaluation.examples,
            seed=request.evaluation.seed,
            tokenizer=None if loaded.source.tells_tokenizer else loaded.tokenizer_hash,
        )
        for each in read
    )
    spec = StudySpec(model=loaded.spec, text=text.spec, tasks=tasks, points=points)
    return Resolved(spec, text, calibration, {each.name: each for each in read})


# --- texts of a search -----------------------------------------------------------------------------------------------


def with_documents(request: BestRequest) -> BestRequest:
    """Give every role of the request documents of its own."""
    return text_splits.split(request, lambda source: len(read(source).documents))


def texts_of(request: BestRequest, reader: Loaded | Reader) -> dict[str, Windows]:
    """Windows of every role.

    Raises:
        UserError: a text is too short for its role, or two roles read the same documents.
    """
    texts = {}
    for role, text_request in text_splits.texts(request).items():
        try:
            text = windows(text_request, reader)
        except UserError as reason:
            raise UserError(f"the {role} text: {reason}") from reason
        first = next((name for name, each in texts.items() if each.spec.content == text.spec.content), None)
        if first:
            raise UserError(f"the {first} and the {role} text are the same: nothing may be chosen on its judge")
        texts[role] = text
    return texts


def role_read(entry: Entry, request: BestRequest, texts: Mapping[str, Windows]) -> str | None:
    """The role, selection or final, whose text a profile has read; None if it has read neither."""
    origin = entry.provenance.get("text_source"), entry.provenance.get("documents")
    for role in ("selection", "final"):
        same = entry.spec.text.content == texts[role].spec.content
        if same or text_splits.reads(*origin, getattr(request, role)):
            return role
    return None
