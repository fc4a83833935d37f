"""What can be asked of pruning and evaluation: settings, studies, exports, and the stored units they resolve to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.allocation.requests import AllocationRequest, Correction, Manual, Uniform
from core.pattern import pattern as read_pattern
from core.specs import Dtype, ModelSpec, ProfileSpec, Pruner, Spec, TextSpec, WindowRequest, number
from core.words import model_name, per_cent, several, text_name

Sparsity = tuple[float, ...] | tuple[tuple[float, ...], ...]
# What is read unless asked otherwise: all 16 windows that either half of the demo text has for the bundled model.
USUAL_CALIBRATION = WindowRequest(source="demo", sequences=16, length=512)
USUAL_EVALUATION = WindowRequest(source="demo:evaluation", sequences=16, length=512)


# --- what a person asks --------------------------------------------------------------------------------------------


class Setting(Spec):
    """One way to prune a model: how much of each layer, by which pruner, judged on which windows."""

    pruner: Pruner = "wanda"
    allocation: AllocationRequest = AllocationRequest()
    pattern: str | None = Field(None, description="N kept of M, as in 2:4")
    true_sequential: bool = False
    calibration_seed: int = Field(0, ge=0, description="draws the calibration windows")

    @model_validator(mode="after")
    def _pattern_fits(self) -> Self:
        if self.pattern is not None:
            found = read_pattern(self.pattern)
            if not isinstance(self.allocation.base, Uniform) or abs(self.allocation.target - found.sparsity) > 1e-9:
                raise ValueError(
                    f"{found.name} fixes every layer's sparsity at {found.sparsity:g}: "
                    f"use the uniform allocation with target {found.sparsity:g}"
                )
        return self

    @property
    def uniform(self) -> Setting:
        """The same setting with every layer alike: what it is compared with."""
        return self.model_copy(update={"allocation": uniform(self.allocation.target)})

    @property
    def base(self) -> Setting | None:
        """The same setting without its correction; None where it has none."""
        if not self.allocation.correction.strength:
            return None
        plain = self.allocation.model_copy(update={"correction": Correction()})
        return self.model_copy(update={"allocation": plain})

    @property
    def method(self) -> str:
        """The allocation in words, target left out: `owl m=5 lam=0.08`, `owl m=5 lam=0.08 reversed 0.04`.

        Bounds and clip are said where they are not as usual: `dlp alpha=0.15 statistic=mean high=0.9`.
        """
        asked = self.allocation
        base = asked.base
        said = [] if isinstance(base, Manual) else base.model_dump(exclude={"kind"}, exclude_none=True).items()
        words = [base.kind, *(f"{name}={_short(value)}" for name, value in said)]
        words += [f"{name}={number(getattr(asked, name))}" for name in ("low", "high") if _unusual(asked, name)]
        if asked.correction.strength:
            control = "corrected" if asked.correction.control == "none" else asked.correction.control
            words += [control, number(asked.correction.strength), f"by {asked.correction.driver}"]
            words += [f"seed {asked.correction.seed}"] if control == "shuffled" else []
            words += [f"clip {number(asked.correction.clip)}"] if _unusual(asked.correction, "clip") else []
        return " ".join(words)

    @property
    def name(self) -> str:
        """The setting in words."""
        words = [self.method, f"{self.allocation.target:.0%}", self.pruner]
        words += [self.pattern] if self.pattern else []
        words += ["true-sequential"] if self.true_sequential else []
        words += [f"calibration seed {self.calibration_seed}"] if self.calibration_seed else []
        return ", ".join(words)


class EvaluationRequest(Spec):
    """What a pruned model is asked to do."""

    text: WindowRequest = USUAL_EVALUATION
    tasks: tuple[str, ...] = Field((), description="zero-shot tasks by name")
    tasks_from: str | None = Field(None, description="folder of task files; None: the harness's own")
    examples: int | None = Field(200, ge=1, description="seeded sample per task; None: all")
    seed: int = Field(0, ge=0, description="draws the examples")


class StudyRequest(Spec):
    """A list of settings of one model, evaluated alike; the dense model and uniform settings join by themselves."""

    model: str = "demo"
    revision: str | None = None
    dtype: Dtype = "float32"
    profile: str | None = Field(None, description="key of the profile that allocations look at; uniform needs none")
    calibration: WindowRequest = USUAL_CALIBRATION
    settings: tuple[Setting, ...] = ()
    evaluation: EvaluationRequest = EvaluationRequest()

    @property
    def title(self) -> str:
        what = f"{several(len(self.settings), 'setting')} of " if self.settings else "dense "
        return f"{what}{model_name(self.model)} on {text_name(self.evaluation.text.source)}"

    @property
    def points(self) -> tuple[Setting | None, ...]:
        """Every setting once: the dense model (None) first, each setting's uniform twin before it."""
        return with_twins(self.settings)


class _OneSetting(Spec):
    """What is asked of one setting of a model."""

    model: str = "demo"
    revision: str | None = None
    dtype: Dtype = "float32"
    profile: str | None = None
    calibration: WindowRequest = USUAL_CALIBRATION
    setting: Setting


class ExportRequest(_OneSetting):
    """A pruned model as a folder that loads anywhere."""

    folder: str = Field(description="where it goes, absolute")
    overwrite: bool = False
    study: str | None = Field(None, description="key of the study whose numbers the model card gives")

    @property
    def title(self) -> str:
        return f"export of {model_name(self.model)}: {self.setting.name}"


class WritingRequest(_OneSetting):
    """What the dense and the pruned model write after a prompt, side by side."""

    prompt: str = Field(min_length=1)
    tokens: int = Field(48, ge=1, le=512, description="most tokens to write")

    @property
    def title(self) -> str:
        return f"writing of {model_name(self.model)}: {self.setting.name}"


class BestRequest(Spec):
    """The best setting for a target sparsity, or for a loss that may not be exceeded.

    The three texts have three roles: calibrate and profile, select, judge. Roles that read one source without naming
    documents share it, none reading what another reads; see `core.roles.cut`.
    """

    model: str = "demo"
    revision: str | None = None
    dtype: Dtype = "float32"
    target: float | None = Field(None, gt=0, le=0.95, description="sparsity that is wanted")
    max_loss: float | None = Field(
        None, gt=0, description="largest rise of the perplexity, a fraction of the dense model's"
    )
    pruner: Pruner = "wanda"
    calibration: WindowRequest = WindowRequest(sequences=16, length=256)
    selection: WindowRequest = WindowRequest(source="demo:evaluation", sequences=12, length=256)
    final: WindowRequest = WindowRequest(source="demo:evaluation", sequences=12, length=256)
    profile: str | None = Field(None, description="key of the profile that allocations look at; None: measured for it")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0, 1, 2), min_length=1, description="calibration seeds of the final comparison; the first one selects"
    )
    effort: Literal["quick", "full"] = "quick"

    @property
    def title(self) -> str:
        aim = f"at {per_cent(self.target)}" if self.target else f"within a loss of {per_cent(self.max_loss)}"
        return f"best setting of {model_name(self.model)} {aim}, {self.pruner}"

    @model_validator(mode="after")
    def _one_aim(self) -> Self:
        if (self.target is None) == (self.max_loss is None):
            raise ValueError("give a target sparsity or a largest loss, one of the two")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"calibration seeds {', '.join(map(str, self.seeds))}: name each once")
        return self


def with_twins(settings: Iterable[Setting]) -> tuple[Setting | None, ...]:
    """Dense, then every setting preceded by its uniform twin, each once."""
    return tuple(dict.fromkeys([None, *(each for setting in settings for each in (setting.uniform, setting))]))


def uniform(target: float) -> AllocationRequest:
    """Every layer alike; the upper bound makes room for targets beyond the usual one."""
    usual = AllocationRequest.model_fields["high"].default
    return AllocationRequest(target=target, high=max(usual, target))


def _short(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _unusual(asked: Spec, name: str) -> bool:
    return getattr(asked, name) != type(asked).model_fields[name].default


# --- what is stored ------------------------------------------------------------------------------------------------


class PrunedSpec(Spec):
    """What decides a pruned model's weights; magnitude looks at no text."""

    pruner: Pruner
    sparsity: Sparsity = Field(description="per layer, or per layer and linear")
    pattern: str | None = None
    true_sequential: bool = False
    calibration: TextSpec | None
    method: Literal[1] = 1


class EvaluatedSpec(Spec):
    """One stored unit: losses of one model, dense or pruned, on the windows of a text."""

    model: ModelSpec
    pruned: PrunedSpec | None = Field(description="None: the dense model")
    text: TextSpec
    method: Literal[1] = 1


class TaskSpec(Spec):
    """A zero-shot task by content, and which of its examples."""

    name: str
    content: str = Field(description="SHA-256 of the task file and its data, or name and version in the harness")
    examples: int | None
    seed: int


class ZeroShotSpec(Spec):
    """One stored unit: answers of one model to a task's examples."""

    model: ModelSpec
    pruned: PrunedSpec | None
    task: TaskSpec
    method: Literal[1] = 1


class Point(Spec):
    """One setting of a study and the weights it means; both None for the dense model."""

    setting: Setting | None
    pruned: PrunedSpec | None


class StudySpec(Spec):
    """A view over evaluations: one model, one text, the same tasks."""

    model: ModelSpec
    text: TextSpec
    tasks: tuple[TaskSpec, ...] = ()
    points: tuple[Point, ...]

    def evaluated(self, point: Point) -> EvaluatedSpec:
        return EvaluatedSpec(model=self.model, pruned=point.pruned, text=self.text)

    def zero_shot(self, point: Point) -> tuple[ZeroShotSpec, ...]:
        return tuple(ZeroShotSpec(model=self.model, pruned=point.pruned, task=task) for task in self.tasks)


class WritingSpec(Spec):
    """A view: what a model, dense and pruned, wrote after a prompt; the two texts are in its provenance."""

    model: ModelSpec
    pruned: PrunedSpec
    prompt: str
    tokens: int
    method: Literal[1] = 1


class ExportSpec(Spec):
    """A view: a pruned model that was written to a folder."""

    model: ModelSpec
    pruned: PrunedSpec
    folder: str


class BestSpec(Spec):
    """A view: what was chosen on one text, and the study that judges it on another."""

    model: ModelSpec
    profile: ProfileSpec
    max_loss: float | None
    selection: StudySpec
    final: StudySpec
    winner: Setting
    runner_up: Setting | None = Field(description="the best of another base allocator; None: no other was possible")
