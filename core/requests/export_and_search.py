"""Requests and specs of an export, and of the search for the best recipe."""

from functools import partial
from typing import Annotated

from pydantic import Field

from core.base import Fields, Spec, View, either, look_up, megabytes, model_name, optional_field, per_cent, unique
from core.methods import (
    ANY,
    DEFAULT_PRUNER,
    PRUNERS,
    QUANT_FORMATS,
    SEARCHED,
    SPARSIFIERS,
    TREATMENTS,
    ZEROS,
    BudgetUnit,
    Repaired,
    Searched,
    Treatment,
)
from core.requests import recipe_names
from core.requests.inputs import DEFAULT_CALIBRATION, IMATRIX, ModelSpec, OfModel, WindowRequest
from core.requests.parsing import fraction, from_text, numbers, read_bytes
from core.requests.profile_specs import ProfileSpec
from core.requests.recipes import PRODUCTS, Products, Recipe
from core.requests.studies import ExactRecipe, StudySpec

COMPRESSED = "compressed-tensors"
FORMATS = {  # of an export, typed -> full name
    "dense": "dense",
    COMPRESSED: COMPRESSED,
    "gguf": "gguf:F16",
    **{name: name for name in ("gguf:F16", *(f"gguf:{name}" for name, form in QUANT_FORMATS.items() if form.gguf))},
}
SYMMETRIC = [name for name, row in PRUNERS.items() if any(each.format and each.format.symmetric for each in row.levels)]
Format = Annotated[str, from_text(lambda typed: look_up(FORMATS, typed, "format"))]


class ExportRequest(OfModel):
    """A pruned model as a folder that loads anywhere."""

    profile: str | None = None
    calibration: WindowRequest = DEFAULT_CALIBRATION
    setting: Recipe
    folder: str = Field(description="where it goes, absolute")
    overwrite: bool = False
    study: str | None = Field(None, description="key of the study whose numbers the model card gives")
    format: Format = optional_field("dense", "dense, compressed-tensors, or GGUF with the type of its linears")
    imatrix: str | None = optional_field(None, IMATRIX)

    def check(self) -> None:
        own, packed = export_format(self.setting.treatment), self.format == COMPRESSED
        rounded = any(each.format for each in PRUNERS[self.setting.pruner].levels)
        if (packed and own != COMPRESSED) or (rounded and self.format not in ("dense", own)):
            fits = f"choose the pruner {either(SYMMETRIC) if packed else 'gguf'}, or the format dense"
            right = fits if own == "dense" else f"write the format {own.partition(':')[0]}"
            raise ValueError(f"{self.format} does not hold what {self.setting.pruner} makes of the linears: {right}")
        if packed and self.dtype != "float32":
            raise ValueError(f"{self.format} packs what was rounded in float32: choose that dtype, not {self.dtype}")

    @property
    def title(self) -> str:
        return f"export of {model_name(self.model)}: {recipe_names.setting(self.setting)}"


class BestRequest(OfModel):
    """The search for the best setting at a target, within some bytes, or within a largest loss.

    The three texts have three roles: calibrate and profile, select, judge. Roles that read one source without naming
    documents share it, none reading what another reads; see `core.results.text_splits.split`.
    """

    target: Annotated[float | None, Field(gt=0, le=0.95), from_text(partial(fraction, what="target"))] = Field(
        None, description="the sparsity that is wanted, as in 0.6"
    )
    max_loss: Annotated[float | None, Field(gt=0), from_text(fraction)] = Field(
        None, description="in its place: the largest rise of the perplexity, as in 20%"
    )
    at_most: Annotated[float | None, from_text(read_bytes)] = optional_field(
        None, "in its place: bytes of all weights, as in 100MB, by GGUF types unless a pruner is named"
    )
    pruner: Searched = Field(DEFAULT_PRUNER, description="by name; or any, for all that stored results can predict")
    repair: Repaired = Field("refit_dense", description="tried on the weights that the winner keeps; or none, or any")
    recover_minutes: float | None = optional_field(
        None, "minutes that distill may train it after that", title="Minutes of training", ge=1e-6, le=10**5
    )
    recover_dtype: Products = optional_field("float32", PRODUCTS, title="bfloat16")
    calibration: WindowRequest = WindowRequest(sequences=16, length=256)
    selection: WindowRequest = WindowRequest(source="demo:evaluation", sequences=12, length=256)
    final: WindowRequest = WindowRequest(source="demo:evaluation", sequences=12, length=256)
    profile: str | None = Field(None, description="key of the profile that allocations look at; else one is measured")
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), from_text(numbers)] = Field(
        (0, 1, 2), description="calibration seeds of the final comparison; the first one selects"
    )
    folder: str | None = optional_field(None, "where the answer is exported to, absolute")
    overwrite: bool = optional_field(False, "replaces an earlier export there")

    @property
    def title(self) -> str:
        aim = f"within a loss of {per_cent(self.max_loss)}" if self.max_loss else ""
        if self.at_most or self.target:
            aim = f"at most {megabytes(self.at_most)}" if self.at_most else f"at {self.budget_unit.short(self.target)}"
        return f"best setting of {model_name(self.model)} {aim}, {SEARCHED.get(self.pruner) or 'any pruner'}"

    @property
    def budget_unit(self) -> BudgetUnit:
        """The unit that the target is counted in."""
        return ZEROS if self.pruner == ANY else PRUNERS[self.pruner].budget_unit

    @property
    def treatments(self) -> tuple[Treatment, ...]:
        """Pruners, each without and with its repairs, that may win."""
        pruners = SPARSIFIERS if self.pruner == ANY else (self.pruner,)
        every = (each for each in TREATMENTS.values() if each.pruner in pruners and not each.by("model"))
        return tuple(each for each in every if self.repair == ANY or each.repair in (None, self.repair))

    def check(self) -> None:
        if [self.target, self.max_loss, self.at_most].count(None) != 2:
            raise ValueError("give a target sparsity, a largest loss, or the bytes of all weights: one of the three")
        if self.at_most and self.pruner == ANY:
            raise ValueError("bytes are met by one pruner: name it, as in gguf or gptq_symmetric")
        if self.recover_minutes and self.budget_unit.levels:
            raise ValueError("training keeps zeros, and no few bits: leave recover_minutes out, or name another pruner")
        if self.recover_dtype != "float32" and not self.recover_minutes:
            raise ValueError("recover_dtype says how distill trains: give recover_minutes with it")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"name each of the calibration seeds {', '.join(map(str, self.seeds))} once")


def export_format(treatment: Treatment) -> str:
    """Format that holds what a treatment leaves of the linears, and no more: of `FORMATS`."""
    form = next((each.format for each in PRUNERS[treatment.pruner].levels), None)
    if form and form.gguf:
        return FORMATS["gguf"]
    return COMPRESSED if form and form.symmetric else "dense"


class ExportSpec(View):
    """A view: a pruned model written to a folder."""

    model: ModelSpec
    pruned: ExactRecipe
    folder: str
    format: str = optional_field("dense", "as the request has it")

    def record(self, provenance: Fields) -> Fields:
        return {"folder": self.folder}


class BestSpec(View):
    """A view: the settings chosen on one text, and the study that judges them on another."""

    model: ModelSpec
    profile: ProfileSpec
    max_loss: float | None
    selection: StudySpec
    final: StudySpec
    winner: Recipe
    runner_up: Recipe | None = Field(None, description="the best of another base allocator, in older answers")

    def check(self) -> None:
        chosen = filter(None, (self.winner, self.runner_up))
        judged = {each.setting.seedless for each in self.final.points if each.setting}
        tried = {each.setting for each in self.selection.points}
        if {self.winner, self.winner.uniform} - tried or {
            each.seedless for one in chosen for each in (one, one.uniform)
        } - judged:
            raise ValueError("what was chosen, and uniform beside it, has to be among what was tried and judged")

    @property
    def units(self) -> tuple[Spec, ...]:
        return tuple(unique(unit for part in (self.profile, self.selection, self.final) for unit in part.units))

    def record(self, provenance: Fields) -> Fields:
        return {"winner": self.winner.name, "study": self.final.key}
