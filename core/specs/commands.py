"""The command line as one table: it builds the options of `core.cli`, and writes the line that asks the same again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from core.specs import grammar, presets
from core.specs.allocations import BASES, AllocationRequest, Correction, Manual
from core.specs.base import Spec, number
from core.specs.errors import UserError
from core.specs.formats import either
from core.specs.measurements import MeasureRequest
from core.specs.pruners import PRUNERS
from core.specs.pruners import USUAL as USUAL_PRUNER
from core.specs.requests import BestRequest
from core.specs.settings import Setting, uniform
from core.specs.studies import StudyRequest
from core.specs.texts import USUAL_CALIBRATION, USUAL_EVALUATION, WindowRequest

PROGRAM = ("python", "-m", "core")


class Allocating(Spec):
    """What `allocate` is asked: an allocation of a profile, and by whose harm it is judged."""

    profile: str = "demo"
    allocation: AllocationRequest = AllocationRequest()
    judge: str = "drift"
    judge_pruner: str | None = None


class Studying(Spec):
    """What `study` is asked."""

    file: str


Asked = MeasureRequest | StudyRequest | BestRequest | Allocating | Studying


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        name: of its value; the line writes `--true-sequential` for `true_sequential`.
        of: fields of the request that it says, all of them alike; none: it is no part of a request.
        read: request -> value, where the field itself is not the value; None: nothing to say.
        write: value -> text.
        always: written also where it is as usual, so that the line means the same when the usual changes.
    """

    name: str
    help: str
    default: Any = None
    kind: Any = str
    of: tuple[str, ...] = ()
    read: Callable[[Any], Any] | None = None
    write: Callable[[Any], str] = str
    always: bool = False
    argument: bool = False  # of a command: it has a place, not a name

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    def value(self, request: Asked) -> Any:
        """What a request says of it.

        Raises:
            UserError: two texts that the option speaks for are not alike.
        """
        if self.read:
            return self.read(request)
        found = [_field(request, path) for path in self.of]
        if any(each != found[0] for each in found):
            places = " and ".join(path.removesuffix(".length").removesuffix(".text") for path in self.of)
            raise UserError(f"the command takes one {self.name} for {places}: make them equal, or use the file")
        return found[0] if found else None

    def said(self, value: Any) -> list[str]:
        """Its words; none where the value is as usual."""
        if value is None or (value == self.default and not self.always):
            return []
        if self.argument:
            return [str(value)]
        if self.kind is bool:
            return [self.flag] if value else []
        each = value if self.kind == list[str] and not isinstance(value, str) else [value]
        return [word for one in each for word in (self.flag, self.write(one))]


def _field(request: Any, path: str) -> Any:
    for name in path.split("."):
        request = request[int(name)] if name.isdecimal() else getattr(request, name)
    return request


# --- what requests say -----------------------------------------------------------------------------------------------


def span(documents: tuple[int, int]) -> str:
    """`(0, 599)` -> `0-599`."""
    return f"{documents[0]}-{documents[1]}"


def percent(loss: float) -> str:
    """A loss as the command line reads it: above 1 only with its sign."""
    return number(loss) if loss <= 1 else f"{100 * loss:.15g}%"


def _comma(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _preset(request: MeasureRequest) -> str | None:
    """Standard and paper perturb alike: the amount of text tells them apart, where it can."""
    text = request.text
    alike = {name: each for name, each in presets.PRESETS.items() if each.measurements == request.measurements}
    exact = [name for name, each in alike.items() if (each.sequences, each.length) == (text.sequences, text.length)]
    return next(iter((*exact, *alike)), None)


def _amount(name: str) -> Callable[[MeasureRequest], int | None]:
    """How much text, where it is not the preset's."""

    def read(request: MeasureRequest) -> int | None:
        usual = getattr(presets.PRESETS[_preset(request) or "quick"], name)
        return None if getattr(request.text, name) == usual else getattr(request.text, name)

    return read


def _perturbations(request: MeasureRequest) -> list[str] | None:
    names = dict.fromkeys(each.perturbation.name for each in request.measurements)
    return None if _preset(request) else list(names)


def _noise_seeds(request: MeasureRequest) -> str | None:
    """Every perturbation gets every seed of the line, which may be more than was asked."""
    seeds = list(dict.fromkeys(each.seed for each in request.measurements))
    return None if _preset(request) or seeds == [0] else _comma(seeds)


def _allocation(request: StudyRequest) -> str | None:
    """None where the pattern says it."""
    setting = request.settings[0]
    fixed = setting.pattern and setting.allocation == uniform(setting.allocation.target)
    return None if fixed else grammar.write(setting.allocation)


def _examples(request: StudyRequest) -> int:
    return request.evaluation.examples or 0


def _text_of(role: str) -> Callable[[BestRequest], str | None]:
    """The text of a role, where the roles have not one for all."""

    def read(request: BestRequest) -> str | None:
        source = getattr(request, role).source
        return None if _one_text(request) else source

    return read


def _one_text(request: BestRequest) -> str | None:
    sources = {request.calibration.source, request.selection.source, request.final.source}
    return sources.pop() if len(sources) == 1 else None


def _by_hand(read: Callable[[AllocationRequest], Any]) -> Callable[[Allocating], Any]:
    """An alias of a part of `--allocation`, which cannot say what was set by hand."""
    return lambda request: read(request.allocation) if isinstance(request.allocation.base, Manual) else None


def _numbers(asked: AllocationRequest) -> str:
    if asked.base.per_linear:
        raise UserError("numbers per linear that were set by hand fit no option: prune with them from their .json file")
    return ",".join(map(number, asked.base.sparsity))


# --- the table -------------------------------------------------------------------------------------------------------

CACHE = Option("cache", "Folder for results, in place of cache/.", kind=Path)
JSON = Option("json", "One JSON object on stdout, nothing else there.", False, bool)
DEVICE = Option("device", "cpu, cuda, cuda:1, mps or auto.", "auto", always=True)
MODEL = Option("model", "demo, a folder, a .gguf file, a Hub id.", "demo", of=("model",), always=True)
REVISION = Option("revision", "Branch, tag or commit of a Hub model.", of=("revision",))
DTYPE = Option("dtype", "float32, bfloat16 or float16.", "float32", of=("dtype",))
BY = f"{either(PRUNERS)}."


def _documents(name: str, help: str, field: str) -> Option:
    return Option(name, help, of=(field,), write=span)


def _count(name: str, help: str, default: int, *of: str) -> Option:
    return Option(name, help, default, int, of, always=True)


def _judged(text: str, documents: str) -> tuple[Option, ...]:
    """What a pruned model is evaluated on."""
    about = "Text for the perplexity: demo:evaluation, file:PATH, a Hub dataset."
    tasks = "Zero-shot tasks; repeatable, or separated by commas."
    return (
        Option(text, about, USUAL_EVALUATION.source, of=("evaluation.text.source",), always=True),
        _documents(documents, "Its documents, as in 800-999.", "evaluation.text.documents"),
        _count("windows", "How many windows of it.", USUAL_EVALUATION.sequences, "evaluation.text.sequences"),
        Option("tasks", tasks, None, list[str], ("evaluation.tasks",), lambda r: _comma(r.evaluation.tasks) or None),
        Option("tasks_from", "Folder of task files; else the harness's own tasks.", of=("evaluation.tasks_from",)),
        Option("examples", "Examples per task, a seeded sample; 0 for all.", 200, int, ("evaluation.examples",),
               _examples),
    )  # fmt: skip


def _exported() -> tuple[Option, ...]:
    return (
        Option("export", "Write the pruned model to this folder too."),
        Option("overwrite", "Replace an earlier export there.", False, bool),
        DEVICE,
        CACHE,
        JSON,
    )


MEASURE = (
    Option("model", "demo, a folder, a .gguf file, a Hub id; random:<any>.", "demo", of=("model",), always=True),
    REVISION,
    Option("text", "demo, demo:evaluation, file:PATH, or a Hub dataset.", "demo", of=("text.source",), always=True),
    _documents("documents", "Documents to draw from, as in 0-599.", "text.documents"),
    Option("preset", f"{', '.join(presets.PRESETS)}.", "quick", of=("measurements",), read=_preset, always=True),
    Option("perturb", "In place of the preset's; repeatable.", None, list[str], read=_perturbations),
    Option("sequences", "How many windows; default: the preset's.", None, int, ("text.sequences",),
           _amount("sequences")),
    Option("length", "Tokens per window; default: the preset's.", None, int, ("text.length",), _amount("length")),
    Option("seeds", "Noise seeds, as in 0,1.", read=_noise_seeds),
    Option("positions", "Where noise goes: after_first or all."),
    DEVICE,
    DTYPE,
    Option("engine", "wavefront, or hooks: one full forward per injection.", "wavefront"),
    Option("seed", "Draws the windows.", 0, int, ("text.seed",)),
    Option("packing", "joined or document; default: as suits the text.", of=("text.packing",)),
    Option("bos", "Start token: protocol (the tokenizer's way) or every.", "protocol", of=("text.bos",)),
    CACHE,
    JSON,
)  # fmt: skip

ALLOCATION = (
    'METHOD:TARGET, as in uniform:0.7 or "owl m=5 lam=0.08:0.7", or a .json file; else uniform:0.7, or what the '
    "pattern fixes."
)
LENGTH = "Tokens per window, of calibration and evaluation."
PRUNE = (
    MODEL,
    REVISION,
    DTYPE,
    Option("pruner", BY, USUAL_PRUNER, of=("settings.0.pruner",), always=True),
    Option("allocation", ALLOCATION, of=("settings.0.allocation",), read=_allocation),
    Option("pattern", "N kept of M, as in 2:4; uniform.", of=("settings.0.pattern",)),
    Option("true_sequential", "Prune a layer group by group.", False, bool, ("settings.0.true_sequential",)),
    Option("profile", "The profile that the allocation looks at.", of=("profile",)),
    Option("calibration", "Calibration text.", USUAL_CALIBRATION.source, of=("calibration.source",), always=True),
    _documents("documents", "Its documents, as in 0-599.", "calibration.documents"),
    _count("sequences", "How many calibration windows.", USUAL_CALIBRATION.sequences, "calibration.sequences"),
    _count("length", LENGTH, USUAL_EVALUATION.length, "calibration.length", "evaluation.text.length"),
    _count("seed", "Draws the calibration windows.", 0, "settings.0.calibration_seed"),
    *_judged("evaluate", "evaluate_documents"),
    Option("prompt", "Let the dense and the pruned model continue these words."),
    *_exported(),
)

EVALUATE = (
    MODEL,
    REVISION,
    DTYPE,
    *_judged("text", "documents"),
    _count("length", LENGTH, USUAL_EVALUATION.length, "evaluation.text.length"),
    DEVICE,
    CACHE,
    JSON,
)

STUDY = (
    Option("file", "A .toml file; see the README for what it holds.", ..., Path, ("file",), argument=True),
    DEVICE,
    CACHE,
    JSON,
)

BEST = (
    MODEL,
    REVISION,
    DTYPE,
    Option("target", "The sparsity that is wanted, as in 0.6.", None, float, ("target",), write=number),
    Option("max_loss", "In its place: the largest rise of the perplexity, as in 20%.", of=("max_loss",),
           write=percent),
    Option("pruner", BY, USUAL_PRUNER, of=("pruner",), always=True),
    Option("text", "One text: 60% of its documents calibrate, 20% select, 20% judge.", read=_one_text),
    *(
        Option(role, f"Text to {about} on.", of=(f"{role}.source",), read=_text_of(role))
        for role, about in (("calibration", "calibrate and profile"), ("selection", "select"), ("final", "judge"))
    ),
    _count("sequences", "How many calibration windows.", 16, "calibration.sequences"),
    _count("windows", "How many windows to select on, and as many to judge on.", 12, "selection.sequences",
           "final.sequences"),
    _count("length", "Tokens per window.", 256, "calibration.length", "selection.length", "final.length"),
    Option("seeds", "Calibration seeds of the final comparison.", "0,1,2", of=("seeds",), write=_comma, always=True),
    Option("profile", "A profile to look at; else one is measured.", of=("profile",)),
    Option("effort", "quick: one setting a method; full: the published grids.", "quick", of=("effort",), always=True),
    *_exported(),
)  # fmt: skip


def _alias(name: str, about: str, field: Any, read: Callable[[AllocationRequest], Any]) -> Option:
    """A part of `--allocation` as an option of its own."""
    choices = get_args(field.annotation)
    said = field.description or (either(choices) if choices else name)
    kind = field.annotation if field.annotation in (float, int, bool) else str
    default = False if kind is bool else None
    write = number if kind is float else str
    return Option(name, f"{about}{said}.", default, kind, read=_by_hand(read), write=write)


def _aliases() -> Iterator[Option]:
    """The parameters of every allocator, of the whole, and of the correction."""
    yield Option("base", f"{', '.join(BASES)}; default: uniform.", read=_by_hand(lambda asked: asked.base.kind))
    for name in ("target", *grammar.OF_ALLOCATION):
        usual = {} if name == "target" else {"exclude_defaults": True}
        field = AllocationRequest.model_fields[name]
        yield _alias(name, "", field, lambda asked, name=name, usual=usual: asked.model_dump(**usual).get(name))
    for kind, form in BASES.items():
        for name, field in form.model_fields.items():
            if name == "sparsity":
                yield Option(name, "manual: a number per layer, separated by commas.", read=_by_hand(_numbers))
            elif name != "kind":
                yield _alias(name, f"{kind}: ", field, lambda asked: None)
    for name, field in Correction.model_fields.items():
        said = _of_correction(name)
        yield _alias(name, "Correction: ", field, said)


def _of_correction(name: str) -> Callable[[AllocationRequest], Any]:
    return lambda asked: asked.correction.model_dump(exclude_defaults=True).get(name)


ALIASES = tuple(_aliases())
ALLOCATE = (
    Option("profile", "A profile's key, or demo.", "demo", of=("profile",), always=True),
    Option(
        "allocation",
        'METHOD:TARGET, as in uniform:0.7 or "owl m=5 lam=0.08:0.7", or a .json file; the options from --base to '
        "--clip say its parts one by one.",
        of=("allocation",),
        read=lambda r: None if isinstance(r.allocation.base, Manual) else grammar.write(r.allocation),
    ),
    *ALIASES,
    Option("judge", "Harm that the estimate sums: drift, kl or nll.", "drift", of=("judge",)),
    Option("judge_pruner", "Whose pruning that harm is of; else the curves', or the first measured.",
           of=("judge_pruner",)),
    CACHE,
    JSON,
)  # fmt: skip

OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "measure": MEASURE,
    "allocate": ALLOCATE,
    "prune": PRUNE,
    "evaluate": EVALUATE,
    "study": STUDY,
    "best": BEST,
}
# fields that a command does not look at: every setting draws the calibration windows by its own seed
IDLE = {"evaluate": ("calibration", "profile"), "prune": ("calibration.seed",)}
USUAL = WindowRequest()


# --- request -> line -------------------------------------------------------------------------------------------------


def command_line(request: Asked, device: str | None = None, cache: Path | None = None, **more: object) -> str:
    """`python -m core ...` that asks for the same, quoted for this system's shell.

    Args:
        more: values of options by name, in place of what the request says; None: not said.

    Raises:
        UserError: no command can say it, and why.
    """
    return quoted((*PROGRAM, *words(request, device=device, cache=cache, **more)))


def quoted(line: Iterable[str]) -> str:
    """Words as this system's shell reads them."""
    return subprocess.list2cmdline(list(line)) if sys.platform == "win32" else shlex.join(line)


def words(request: Asked, **more: object) -> list[str]:
    """The words after `python -m core`.

    Raises:
        UserError: as `command_line`.
    """
    name = command_of(request)
    found = [name]
    for option in OPTIONS[name]:
        found += option.said(more[option.name] if option.name in more else option.value(request))
    unsaid = next(_unsaid(request, name), None)
    if unsaid:
        raise UserError(f"`{name}` has no option for {unsaid}")
    return found


def command_of(request: Asked) -> str:
    """The command that takes such a request.

    Raises:
        UserError: several settings, which take a study file.
    """
    if isinstance(request, StudyRequest):
        if len(request.settings) > 1:
            raise UserError(f"a command takes one setting and these are {len(request.settings)}: use the study file")
        return "prune" if request.settings else "evaluate"
    names = {MeasureRequest: "measure", BestRequest: "best", Allocating: "allocate", Studying: "study"}
    return names[type(request)]


def _unsaid(request: Asked, name: str) -> Iterator[str]:
    """Fields that are not as usual and that no option says."""
    covered = {path for option in OPTIONS[name] for path in option.of} | {*IDLE.get(name, ()), "settings"}
    for path, value, usual in _leaves(request):
        if value != usual and not any(path == each or path.startswith(f"{each}.") for each in covered):
            yield f"{path} = {value!r}"


def _leaves(value: Spec, path: str = "") -> Iterator[tuple[str, object, object]]:
    """Every field of nested values with its default: of a text, that of any text."""
    for name, field in type(value).model_fields.items():
        found, usual = getattr(value, name), field.default
        if isinstance(found, WindowRequest):
            fields = type(found).model_fields
            yield from ((f"{path}{name}.{each}", getattr(found, each), getattr(USUAL, each)) for each in fields)
        elif isinstance(found, Spec):
            yield from _leaves(found, f"{path}{name}.")
        else:
            yield f"{path}{name}", found, usual


def alone(request: StudyRequest, setting: Setting) -> StudyRequest:
    """A study of one setting."""
    return request.model_copy(update={"settings": (setting,)})
