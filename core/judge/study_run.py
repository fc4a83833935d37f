"""Evaluate a list of recipes of one model, point by point; every finished piece is saved at once."""

import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from core.base import Broken
from core.judge import zeroshot
from core.judge.resolution import Resolved
from core.methods import GGUF, PRUNERS
from core.models import Loaded, ProgressTracker, emulates_bfloat16, losses
from core.models.provenance import provenance, without_project_path
from core.prune import count_zeros, prune, restored
from core.requests import (
    EvaluatedSpec,
    ModelShape,
    Share,
    StudyRecipe,
    StudyRequest,
    StudySpec,
    ZeroShotSpec,
    cut,
    recipe_names,
    workload,
)
from core.store import Array, Entry, Losses, Store, ZeroShot, parts

PIECE = 8  # windows per saved part


@dataclass
class StudyRun:
    """A running study."""

    loaded: Loaded
    request: StudyRequest
    resolved: Resolved
    store: Store
    shape: ModelShape
    tracker: ProgressTracker
    share: Share | None = None  # None: all of it
    at: str = "the dense model"  # the recipe under evaluation, named as in charts

    @property
    def spec(self) -> StudySpec:
        return self.resolved.spec

    def run(self) -> Entry:
        """Evaluate missing units, then save the view over them, marked unfinished while shares are missing.

        Raises:
            UserError, Cancelled: as `measure`.
        """
        self.measure()
        while self.share is None and parts.missing(self.store, self.spec):  # deleted meanwhile with another study
            self.measure()
        fields = provenance(self.loaded, self.resolved.files, self.store) | {
            "text": self.resolved.text.label,
            "calibration": next((each.label for each in self.resolved.calibration.values()), None),
            "profile": self.request.profile,
            "request": json.loads(without_project_path(self.request.model_dump_json())),
        }
        return parts.save_view(self.store, self.spec, fields)

    def measure(self) -> None:
        """Evaluate the missing units, of the share if there is one.

        Raises:
            UserError: a recipe that cannot be met.
            Cancelled: the report function said so; finished pieces stay.
        """
        pending = {each: missing for each in self._mine() if (missing := [*self._missing(each)])}
        reads = any(isinstance(unit, EvaluatedSpec) for missing in pending.values() for unit in missing)
        work = sum(sum(self._pruning(each)) + sum(map(self._work, missing)) for each, missing in pending.items())
        self.tracker.planned = self.tracker.done + work + self._reading * reads
        reference, tokens = None, self.resolved.text.tokens
        if reads:
            step = self.tracker.counted(f"{self.at}: window", self._reading, len(tokens))
            reference = losses.reference(self.loaded, tokens, step)
        for each in pending:
            self._point(each, reference)

    # -- what is missing --------------------------------------------------------------------------------------------

    def _mine(self) -> list[StudyRecipe]:
        """Points of the share, each model once; all of them if there is no share."""
        points = list({each.pruned: each for each in self.spec.points}.values())
        if self.share is None:
            return points
        judging = workload.judging(self.shape, self.request.evaluation)
        falls = zip(cut([sum(self._pruning(each)) + judging for each in points], self.share.of), points, strict=True)
        return [each for part, each in falls if part == self.share.part]

    @property
    def _reading(self) -> float:
        """Work of one run over the text."""
        return self.shape.to_logits * self.resolved.text.tokens.numel()

    def _work(self, unit: EvaluatedSpec | ZeroShotSpec) -> float:
        if isinstance(unit, EvaluatedSpec):
            return self._reading
        questions = unit.task.examples or self.resolved.tasks[unit.task.name].documents
        return self.shape.to_logits * workload.EXAMPLE * questions

    def _pruning(self, point: StudyRecipe) -> tuple[float, ...]:
        setting = point.setting
        return workload.treating(self.shape, self.request, setting, emulates_bfloat16()) if setting else ()

    def _missing(self, point: StudyRecipe) -> Iterator[EvaluatedSpec | ZeroShotSpec]:
        """The losses of a point, then its tasks, where they are not stored by the time that they come up."""
        units = (self.spec.evaluated(point), *self.spec.zero_shot(point))
        return (unit for unit in units if self.store.measured(unit) is None)

    # -- doing it ---------------------------------------------------------------------------------------------------

    def _point(self, point: StudyRecipe, reference: Tensor | None) -> None:
        self.at = recipe_names.setting(point.setting) if point.setting else "dense"
        about = {"setting": point.setting.name if point.setting else "dense", "warnings": (warnings := [])}
        began = time.perf_counter()
        resumed = point.pruned and parts.distillation_course(self.store, self.spec.model, point.pruned)
        outside = point.pruned and PRUNERS[point.pruned.pruner].budget_unit is GGUF
        with restored(self.loaded, outside) if point.pruned else nullcontext():
            try:
                broken, zeros = None, self._prune(point, warnings) if point.pruned else count_zeros(self.loaded)
            except Broken as reason:
                broken, zeros = reason, count_zeros(self.loaded)
            if not resumed:  # else it took longer than this run
                about["seconds_pruning"] = round(time.perf_counter() - began, 2)
            if broken:
                return self._broke(point, zeros, broken, about)
            for unit in self._missing(point):
                if isinstance(unit, EvaluatedSpec):
                    self._losses(unit, zeros, reference, about)
                else:
                    self._task(unit, about)

    def _prune(self, point: StudyRecipe, warnings: list[str]) -> Array:
        takes, read = self._pruning(point), self.resolved.calibration
        return prune(self.loaded, point.pruned, read, self.store, self.tracker, f"{self.at}: ", takes, warnings.append)

    def _broke(self, point: StudyRecipe, zeros: Array, reason: Broken, about: dict) -> None:
        """Record a recipe that broke the model while pruning: all its numbers are NaN.

        Args:
            zeros: (layers, linears) as far as pruning got.
        """
        about |= {"warnings": [*about["warnings"], str(reason)], "stopped": str(reason)}
        for unit in self._missing(point):
            if isinstance(unit, EvaluatedSpec):
                nan = np.full(len(self.resolved.text.tokens), np.nan)
                self._save_losses(unit, Losses(nan, nan, nan, zeros), reason.layer, about)
            else:
                rows = zeroshot.drawn(self.resolved.tasks[unit.task.name], unit.task.examples, unit.task.seed)
                nan = np.full(len(rows), np.nan)
                self._save(unit, ZeroShot(np.array(rows, float), nan, nan), about | {"seconds": 0.0})
        self.tracker.parts += 1
        self._say(str(reason))

    def _losses(self, unit: EvaluatedSpec, zeros: Array, reference: Tensor, about: dict) -> None:
        tokens, finished = self.resolved.text.tokens, parts.finished(self.store, unit)
        for first in range(0, len(tokens), PIECE):
            if first in finished:
                continue
            began, piece, beside = time.perf_counter(), *(each[first : first + PIECE] for each in (tokens, reference))
            step = self.tracker.counted(f"{self.at}: window", self._reading, len(tokens), first)
            part = losses.evaluate(self.loaded, piece, beside, step, not unit.pruned, zeros)
            parts.save(self.store, unit, first, part, seconds=time.perf_counter() - began)
            self.tracker.parts += 1
            self._say(f"saved {first + len(piece)} of {len(tokens)} windows")
        whole = parts.partial(self.store, unit)
        if self.store.measured(unit) is None:  # else another process was faster, and may have dropped its parts
            broken = losses.first_broken(self.loaded, tokens, whole.nll)  # pieces of an earlier run lack it
            self._save_losses(unit, whole, broken, about)

    def _save_losses(self, unit: EvaluatedSpec, arrays: Losses, broken: int | None, about: dict) -> None:
        read = unit.pruned and unit.pruned.calibration
        fields = {
            "text": self.resolved.text.label,
            "calibration": self.resolved.calibration[read.key].label if read else None,
            "seconds": parts.summary(self.store, unit)["seconds"],
            "broken": broken,
        }
        self._save(unit, arrays, about | fields)
        parts.drop(self.store, unit)

    def _task(self, unit: ZeroShotSpec, about: dict) -> None:
        task = self.resolved.tasks[unit.task.name]
        began, questions = time.perf_counter(), unit.task.examples or task.documents
        step = self.tracker.counted(f"{self.at}: {task.name}, question", self._work(unit), questions)
        answers = zeroshot.score(self.loaded, task, unit.task.examples, unit.task.seed, step)
        self._save(unit, answers, about | {"seconds": round(time.perf_counter() - began, 2)})
        self.tracker.parts += 1
        self._say(f"saved {task.name}")

    def _save(self, unit: EvaluatedSpec | ZeroShotSpec, arrays: Losses | ZeroShot, about: dict) -> None:
        self.store.save(unit, arrays, provenance(self.loaded, self.resolved.files, self.store) | about)

    def _say(self, line: str) -> None:
        self.tracker.say(f"{self.at}: {line}")
