"""Resolve requests to exact recipes, texts and tasks, and prune models by them."""

from pathlib import Path

import numpy as np
import torch

from core.base import Array, UserError, frozen
from core.judge import zeroshot
from core.methods import Warn
from core.methods.distillation import steps_on
from core.methods.masked_weights import training_windows, validation_windows
from core.methods.selection import pattern
from core.models import anatomy
from core.models.loading import Loaded, Reader
from core.models.progress import ProgressTracker
from core.models.sources import Source
from core.models.windows import Windows, windows
from core.plan.allocation import linear_parameters, spread_budget
from core.prune.distillation import recover
from core.prune.walk import Plan, prune_layers
from core.prune.walk import check as check_plan
from core.requests import (
    EvaluationRequest,
    ExactRecipe,
    ExportRequest,
    Point,
    Recipe,
    StudyRequest,
    StudySpec,
    TaskSpec,
)
from core.store import Profile, Store, profiles
from core.store.parts import recovered, training

Texts = dict[str, Windows]  # calibration texts by the key of their spec


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


def check(request: StudyRequest | ExportRequest, reader: Reader, store: Store) -> None:
    """Refuse, before any weight is read, requests that cannot be met whatever the weights are.

    Raises:
        UserError: as `resolve`, for texts, tasks, the profile and the budgets that it spreads.
    """
    settings = request.settings if isinstance(request, StudyRequest) else (request.setting,)
    if isinstance(request, StudyRequest):
        windows(request.evaluation.text, reader)
        _tasks(request.evaluation)
    read = request.calibration
    if any(each.treatment.reads_text for each in settings):
        windows(read, reader)
    if any(row.of != "linear" for each in settings for row in each.treatment.repairs):
        validation_windows(read.sequences)
    profile = profile_of(request.profile, reader.source, store)
    parameters = linear_parameters(profile) if profile else np.empty((0, 0))
    for each in settings:
        if tokens := each.recover_until or each.recover_tokens:
            steps_on(tokens, read.length)
        if each.pruner_windows and each.pruner_windows > (left := len(training_windows(read.sequences))):
            raise UserError(
                f"pruner_windows is {each.pruner_windows}, and of {read.sequences} calibration windows {left} are not "
                f"held back: give {left} or fewer, or more calibration windows"
            )
        if profile or each.allocation.base.profiled or each.allocation.correction.strength:
            spread_budget(each.allocation, parameters, profile)


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
        point(setting, request, loaded, store, calibration) if setting else Point(setting=None, pruned=None)
        for setting in request.points
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


def point(
    recipe: Recipe,
    request: StudyRequest | ExportRequest,
    loaded: Loaded,
    store: Store,
    calibration: Texts,
) -> Point:
    """Make one recipe exact; its calibration windows are added to `calibration`.

    Raises:
        UserError: as `resolve`.
    """
    profile = profile_of(request.profile, loaded.source, store)
    exact = spread_budget(recipe.allocation, anatomy.parameters(loaded.layers), profile).exact.round(12)
    read = None
    if recipe.treatment.reads_text:
        read = windows(request.calibration.replace(seed=recipe.calibration_seed), loaded)
        calibration.setdefault(read.spec.key, read)
    pruned = ExactRecipe(
        sparsity=tuple(map(tuple, exact.tolist())) if exact.ndim == 2 else tuple(exact.tolist()),
        calibration=read.spec if read else None,
        repair_method=recipe.treatment.repair_method,
        **{name: getattr(recipe, name) for name in Recipe.model_fields.keys() & ExactRecipe.model_fields.keys()},
    )
    check_plan(plan(pruned), list(map(anatomy.prunable, loaded.layers)))
    return Point(setting=recipe, pruned=pruned)


def profile_of(key: str | None, source: Source, store: Store) -> Profile | None:
    """Load the profile that allocations read; None if none is named.

    Raises:
        UserError: there is no such profile, or it is of another model.
    """
    if key is None:
        return None
    profile = profiles.load(store, store.profile(key))
    if (profile.spec.model.content, profile.spec.model.initialised) != (source.content, source.initialised):
        raise UserError(
            f"profile {profile.entry.key} is of {profile.provenance.get('model')}, not of {source.label}: "
            "name a profile of the model that is pruned"
        )
    return profile


def prune(
    loaded: Loaded,
    pruned: ExactRecipe,
    calibration: Texts,
    store: Store,
    tracker: ProgressTracker,
    what: str,
    takes: tuple[float, ...],
    warn: Warn,
) -> Array:
    """Prune in place by an exact recipe; return the achieved sparsity, (layers, linears).

    Args:
        store: keeps trained weights, and a training that was stopped.
        tracker: receives progress, its lines prefixed by `what`; work of an earlier run is subtracted from its plan.
        takes: FLOP of the text that the model writes, of reading it before, of the walk, and of the training after it.

    Raises:
        UserError: the model cannot be pruned so.
        Broken: the model broke half way.
    """
    # Pruners that read no text still walk: any token will do.
    tokens = calibration[pruned.calibration.key].tokens if pruned.calibration else torch.zeros(1, 2, dtype=torch.long)
    writing, reading, walking, tuning = takes
    step = tracker.steps(f"{what}pruned", len(loaded.layers), walking)

    def walk():
        tracker.done += reading
        left = tokens[training_windows(len(tokens))] if pruned.distills or pruned.pruner_windows else tokens
        return prune_layers(loaded, left[: pruned.pruner_windows or None], plan(pruned), step, warn)

    if not pruned.distills:
        return walk()

    earlier = training(store, loaded.spec, pruned)  # of an earlier run, not repeated
    spared = writing + walking + tuning * (len(earlier[1]) - 1) / (len(earlier[0]) - 1) if earlier else 0
    tracker.planned -= spared
    end = tracker.done + sum(takes) - spared
    wrote = tracker.steps(f"{what}own text,", len(training_windows(len(tokens))), writing, sequences=True)

    def read(done):
        tracker.say(f"{what}the dense model, window {done} of {len(tokens)}", reading * done / len(tokens))

    def trained(course):
        nats, line = course.divergences, f"{what}distilled, step {course.done} of {course.end}"
        least, tokens = min(zip(nats, course.looks, strict=False))  # an earlier version looked oftener
        line += f", {least:.3g} nats from the dense model on windows held back after {tokens:,} tokens"
        tracker.done = end - tuning * (1 - course.done / course.end)
        tracker.say(f"{line}, {nats[0]:.3g} before")

    recover(loaded, pruned, tokens, walk, recovered(store, loaded.spec, pruned), trained, wrote, read, warn)
    tracker.done = end
    return anatomy.of_each(loaded.layers, anatomy.zeros)


def plan(pruned: ExactRecipe) -> Plan:
    """Plan of the walk for an exact recipe."""
    own = pattern(pruned.pattern) if pruned.pattern else None
    return Plan(pruned.pruner, np.array(pruned.sparsity), own, pruned.true_sequential, pruned.repair)


def count_zeros(loaded: Loaded) -> Array:
    """Fraction of zeros in every linear, (layers, linears)."""
    return anatomy.of_each(loaded.layers, anatomy.zeros, anatomy.linears)
