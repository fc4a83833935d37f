"""Studies, recipes evaluated alike: the request, and the stored units that it resolves to."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import BeforeValidator, Field

from core.base import Fields, Spec, View, model_name, optional_field, several, text_name, unique
from core.methods import DROPPED, OUTSIDE, PRUNERS, Method, Pruner, dropped_layers, level_at
from core.requests.inputs import (
    DEFAULT_CALIBRATION,
    DEFAULT_EVALUATION,
    IMATRIX,
    ModelSpec,
    OfModel,
    TextSpec,
    WindowRequest,
)
from core.requests.profile_specs import OfWeights, OnText
from core.requests.recipes import Recipe, Repairs

Sparsity = tuple[float, ...] | tuple[tuple[float, ...], ...]


class EvaluationRequest(Spec):
    """The text and the tasks that a pruned model is evaluated on."""

    text: WindowRequest = DEFAULT_EVALUATION
    tasks: tuple[str, ...] = Field((), description="zero-shot tasks by name")
    tasks_from: str | None = Field(None, description="folder of task files; else the harness's own tasks")
    examples: Annotated[int | None, Field(ge=1, le=10**6), BeforeValidator(lambda count: count or None)] = Field(
        200, title="Examples", description="examples per task, a seeded sample; 0 for all"
    )
    seed: int = Field(0, ge=0, description="draws the examples")

    def check(self) -> None:
        if self.tasks_from and not self.tasks:
            raise ValueError("tasks_from names a folder and tasks names nothing of it: name tasks, or leave both out")


class StudyRequest(OfModel):
    """Recipes of one model, evaluated alike; the dense model and uniform recipes join by themselves."""

    profile: str | None = Field(None, description="key of the profile that allocations look at; uniform needs none")
    calibration: WindowRequest = DEFAULT_CALIBRATION
    settings: tuple[Recipe, ...] = ()
    evaluation: EvaluationRequest = EvaluationRequest()
    imatrix: str | None = optional_field(None, IMATRIX)

    @property
    def title(self) -> str:
        what = f"{several(len(self.settings), 'setting')} of " if self.settings else "dense "
        return f"{what}{model_name(self.model)} on {text_name(self.evaluation.text.source)}"

    @property
    def points(self) -> tuple[Recipe | None, ...]:
        """Every recipe once: the dense model (None) first, each recipe's uniform twin before it."""
        return tuple(unique([None, *(each for setting in self.settings for each in (setting.uniform, setting))]))


class ExactRecipe(Repairs):
    """Everything that decides a pruned model's weights; no calibration text if nothing reads one."""

    identity: ClassVar[str] = "PrunedSpec"

    pruner: Pruner
    sparsity: Sparsity = Field(description="per layer, or per layer and linear")
    pattern: str | None = None
    true_sequential: bool = False
    calibration: TextSpec | None
    method: Method = Field(default_factory=lambda fields: PRUNERS[fields["pruner"]].method, description="the pruner's")
    repair_method: int = optional_field(1, "the repair's: stored before there was one, it is the first")
    outside: str = optional_field(OUTSIDE, "GGUF types of embeddings and output matrix, where the linears have one")
    imatrix: str | None = optional_field(None, "SHA-256 of an importance matrix, in place of the calibration text")

    @property
    def formats(self) -> list | None:
        """Format names of the linears, or of the layers, shaped like the sparsity; None: weights are not quantised."""
        levels = PRUNERS[self.pruner].levels

        def name(share):
            level = None if share == 1 else level_at(levels, share)
            return DROPPED if level is None else level.format.name if level.format else level.name

        return np.vectorize(name)(self.sparsity).tolist() if levels else None

    @property
    def dropped_layers(self) -> list[int]:
        """Layers that are removed whole."""
        return dropped_layers(self.sparsity)

    def check(self) -> None:
        super().check()
        if self.repair and self.calibration is None:
            raise ValueError(f"repair={self.repair} goes by a calibration text: name one")
        if (self.method, self.repair_method) != (PRUNERS[self.pruner].method, self.treatment.repair_method):
            raise ValueError(f"another version of this program pruned by {self.treatment.name}: prune again")


class EvaluatedSpec(OnText):
    """One stored unit: losses of one model, dense or pruned, on the windows of a text."""

    pruned: ExactRecipe | None = Field(description="None: the dense model")


class TaskSpec(Spec):
    """A zero-shot task by content, and the sample of its examples."""

    name: str
    content: str = Field(description="SHA-256 of the task file and its data, or name and version in the harness")
    examples: int | None
    seed: int
    tokenizer: str | None = optional_field(None, "its SHA-256, where the content of the model does not tell it")


class ZeroShotSpec(OfWeights):
    """One stored unit: answers of one model to a task's examples."""

    pruned: ExactRecipe | None
    task: TaskSpec


class StudyRecipe(Spec):
    """One recipe of a study, as asked and exact; both None for the dense model."""

    identity: ClassVar[str] = "Point"

    setting: Recipe | None
    pruned: ExactRecipe | None

    def check(self) -> None:
        if (self.setting is None) != (self.pruned is None):
            raise ValueError("a setting means weights, and the dense model has neither")


class StudySpec(View):
    """A view over evaluations of one model on one text and the same tasks."""

    model: ModelSpec
    text: TextSpec
    tasks: tuple[TaskSpec, ...] = ()
    points: tuple[StudyRecipe, ...]

    def __hash__(self) -> int:
        return hash(self.key)  # which is computed once

    def check(self) -> None:
        if all(each.setting for each in self.points):
            raise ValueError("a study has the dense model among its points")

    @property
    def calibration(self) -> TextSpec | None:
        """A calibration text; other seeds only draw other windows of it. None if nothing reads one."""
        read = (each.pruned.calibration for each in self.points if each.pruned)
        return next(filter(None, read), None)

    def evaluated(self, point: StudyRecipe) -> EvaluatedSpec:
        return EvaluatedSpec(model=self.model, pruned=point.pruned, text=self.text)

    def zero_shot(self, point: StudyRecipe) -> tuple[ZeroShotSpec, ...]:
        return tuple(ZeroShotSpec(model=self.model, pruned=point.pruned, task=task) for task in self.tasks)

    @property
    def units(self) -> tuple[Spec, ...]:
        return tuple(unique(unit for point in self.points for unit in (self.evaluated(point), *self.zero_shot(point))))

    def record(self, provenance: Fields) -> Fields:
        names = [each.setting.name if each.setting else "dense" for each in self.points]
        return {"settings": names, "windows": self.text.sequences, "length": self.text.length}
