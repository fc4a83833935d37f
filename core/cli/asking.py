"""The values of options -> requests: `core.specs.commands` the other way round."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from core.specs import (
    BestRequest,
    EvaluationRequest,
    MeasureRequest,
    Setting,
    StudyRequest,
    UserError,
    WindowRequest,
    checked,
    grammar,
    uniform,
)
from core.specs.allocations import BASES, AllocationRequest
from core.specs.commands import ALIASES
from core.specs.patterns import pattern as read_pattern
from core.specs.typed import absolute, build, fraction, numbers, span

SHORTEST = 8  # tokens of a window


def at_least(option: str, value: int, least: int = 1) -> int:
    """The value of an option.

    Raises:
        UserError: it is less.
    """
    if value < least:
        raise UserError(f"{option} {value}: give {least} or more")
    return value


def measure(given: SimpleNamespace) -> MeasureRequest:
    """What `measure` asks."""
    if given.engine not in ("wavefront", "hooks"):
        raise UserError(f"--engine {given.engine!r}: give wavefront or hooks")
    return build(
        given.model, given.revision, given.text, given.documents, given.preset, given.perturb or [], given.sequences,
        given.length, given.seeds, given.positions, given.dtype, given.seed, given.packing, given.bos, given.removal,
    )  # fmt: skip


def prune(given: SimpleNamespace) -> StudyRequest:
    """What `prune` asks: a study of one setting."""
    setting = checked(
        Setting,
        pruner=given.pruner,
        repair=given.repair,
        allocation=grammar.read_allocation(given.allocation) if given.allocation else _usual(given.pattern),
        pattern=given.pattern,
        true_sequential=given.true_sequential,
        calibration_seed=given.seed,
    )
    count = at_least("--sequences", given.sequences)
    return checked(
        StudyRequest,
        **_model(given),
        profile=given.profile,
        calibration=_window(given.calibration, given.documents, count, given.length),
        settings=(setting,),
        evaluation=_evaluation(given, given.evaluate, given.evaluate_documents),
    )


def evaluate(given: SimpleNamespace) -> StudyRequest:
    """What `evaluate` asks: a study of the dense model alone."""
    return checked(StudyRequest, **_model(given), evaluation=_evaluation(given, given.text, given.documents))


def best(given: SimpleNamespace) -> BestRequest:
    """What `best` asks."""
    if given.text is not None and given.calibration and given.selection and given.final:
        raise UserError("--text has no role left: --calibration, --selection and --final name a text for each")
    at_least("--sequences", given.sequences)
    at_least("--windows", given.windows)
    counts = {"calibration": given.sequences, "selection": given.windows, "final": given.windows}
    texts = {}
    for role, count in counts.items():
        source = getattr(given, role) or given.text or BestRequest.model_fields[role].default.source
        texts[role] = _window(source, None, count, given.length)
    return checked(
        BestRequest,
        **_model(given),
        target=given.target,
        max_loss=None if given.max_loss is None else fraction(given.max_loss),
        pruner=given.pruner,
        **texts,
        profile=given.profile,
        seeds=numbers(given.seeds),
        effort=given.effort,
    )


def allocation(given: SimpleNamespace) -> AllocationRequest:
    """What `allocate` asks to be allocated, in one word or by its parts.

    Raises:
        UserError: both, a method that is not known, or a part that it has not.
    """
    found = {each.name: getattr(given, each.name) for each in ALIASES}
    said = {name: value for name, value in found.items() if value not in (None, False)}
    if given.allocation is not None:
        if said:
            raise UserError(f"--allocation says it all: leave --{next(iter(said))} out, or --allocation")
        return grammar.read_allocation(given.allocation)
    base, target = said.pop("base", "uniform"), said.pop("target", None)
    if base not in BASES:
        raise UserError(f"there is no allocator {base!r}: known are {', '.join(BASES)}")
    if base == "manual" and "sparsity" not in said:
        raise UserError("manual needs --sparsity, a number per layer, as in --sparsity 0.6,0.7,0.8")
    if "sparsity" in said:
        said["sparsity"] = tuple(said["sparsity"].split(","))
    usual = AllocationRequest.model_fields["target"].default
    return grammar.built(base, said, usual if target is None else target)


def _model(given: SimpleNamespace) -> dict[str, object]:
    return {"model": absolute(given.model), "revision": given.revision, "dtype": given.dtype}


def _usual(pattern: str | None) -> AllocationRequest:
    """The allocation where none is named."""
    return AllocationRequest() if pattern is None else uniform(read_pattern(pattern).sparsity)


def _window(source: str, documents: str | None, count: int, length: int) -> WindowRequest:
    at_least("--length", length, SHORTEST)
    return checked(WindowRequest, source=absolute(source), documents=span(documents), sequences=count, length=length)


def _evaluation(given: SimpleNamespace, text: str, documents: str | None) -> EvaluationRequest:
    names = list(filter(None, (name.strip() for each in given.tasks or [] for name in each.split(","))))
    if given.tasks_from and not names:
        raise UserError(
            f"--tasks-from {given.tasks_from} names a folder and no task in it: add --tasks NAME, or leave it out"
        )
    if given.examples < 0:
        raise UserError(f"--examples {given.examples}: give a number of examples per task, or 0 for all")
    return checked(
        EvaluationRequest,
        text=_window(text, documents, at_least("--windows", given.windows), given.length),
        tasks=tuple(dict.fromkeys(names)),
        tasks_from=str(Path(given.tasks_from).expanduser().resolve()) if given.tasks_from else None,
        examples=given.examples or None,
    )
