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
from core.specs.pruners import PRUNERS, REPAIRS, USUAL
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


def _text(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        name: of its value; the line writes `--true-sequential` for `true_sequential`.
        of: fields of the request that it says, all of them alike; none: it is no part of a request.
        told: request -> what several options say, by name, where that is more than a field; None: nothing to say.
        write: value -> text.
        always: written also where it is as usual, so that the line means the same when the usual changes.
        argument: it has a place in the line, not a name.
    """

    name: str
    help: str
    default: Any = None
    kind: Any = str
    of: tuple[str, ...] = ()
    told: Callable[[Any], Mapping[str, Any]] | None = None
    write: Callable[[Any], str] = _text
    always: bool = False
    argument: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    def value(self, request: Asked) -> Any:
        """What a request says of it.

        Raises:
            UserError: two texts that the option speaks for are not alike.
        """
        if self.told:
            return self.told(request).get(self.name)
        found = [_field(request, path) for path in self.of]
        if any(each != found[0] for each in found):
            places = " and ".join(path.removesuffix(".length").removesuffix(".text") for path in self.of)
            raise UserError(f"the command takes one {self.name} for {places}: make them equal, or use the file")
        return found[0] if found else None

    def said(self, value: Any) -> list[str]:
        """Its words; none where the value is as usual."""
        if value is None or (value == self.default and not self.always):
            return []
        if self.argument or self.kind is bool:
            return [str(value) if self.argument else self.flag]
        each = value if isinstance(value, list) else [value]
        return [word for one in each for word in (self.flag, self.write(one))]


def _field(request: Any, path: str) -> Any:
    for name in path.split("."):
        request = request[int(name)] if name.isdecimal() else getattr(request, name)
    return request


# --- what is more than a field ---------------------------------------------------------------------------------------


def _measured(request: MeasureRequest) -> dict[str, Any]:
    """A preset by its name, else perturbations; then every one gets every seed, which may be more than was asked.

    Standard and paper perturb alike: the amount of text tells them apart, where it can.
    """
    text, asked = request.text, request.measurements
    alike = {name: each for name, each in presets.PRESETS.items() if each.measurements == asked}
    exact = [name for name, each in alike.items() if (each.sequences, each.length) == (text.sequences, text.length)]
    preset = next(iter((*exact, *alike)), None)
    usual = presets.PRESETS[preset or "quick"]
    amount = {name: getattr(text, name) for name in ("sequences", "length")}
    found = {name: value for name, value in amount.items() if value != getattr(usual, name)}
    if preset:
        return found | {"preset": preset}
    seeds = _comma(dict.fromkeys(each.seed for each in asked))
    perturb = list(dict.fromkeys(each.perturbation.name for each in asked))
    return found | {"perturb": perturb, "seeds": None if seeds == "0" else seeds}


def _pruned(request: StudyRequest) -> dict[str, Any]:
    """The allocation, unless a pattern fixes it, and tasks."""
    found = {"tasks": _comma(request.evaluation.tasks) or None, "examples": request.evaluation.examples or 0}
    for setting in request.settings:
        if not setting.pattern or setting.allocation != uniform(setting.allocation.target):
            found["allocation"] = grammar.write(setting.allocation)
    return found


def _roles(request: BestRequest) -> dict[str, str]:
    """One text for all roles, or one for each."""
    sources = {role: getattr(request, role).source for role in ("calibration", "selection", "final")}
    return sources if len({*sources.values()}) > 1 else {"text": request.final.source}


def _allocated(request: Allocating) -> dict[str, Any]:
    """An allocation in one word; what was set by hand in parts."""
    asked, base = request.allocation, request.allocation.base
    if not isinstance(base, Manual):
        return {"allocation": grammar.write(asked)}
    if base.per_linear:
        raise UserError("numbers per linear that were set by hand fit no option: prune with them from their .json file")
    found = asked.model_dump(exclude={"base", "correction"}, exclude_defaults=True) | {"target": asked.target}
    found |= {"base": base.kind, "sparsity": ",".join(map(number, base.sparsity))}
    return found | asked.correction.model_dump(exclude_defaults=True)


def _span(documents: tuple[int, int]) -> str:
    return f"{documents[0]}-{documents[1]}"


def _percent(loss: float) -> str:
    """As the command line reads it: above 1 only with its sign."""
    return number(loss) if loss <= 1 else f"{100 * loss:.15g}%"


def _comma(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


# --- the table -------------------------------------------------------------------------------------------------------

CACHE = Option("cache", "Folder for results, in place of cache/.", kind=Path)
JSON = Option("json", "One JSON object on stdout, nothing else there.", False, bool)
DEVICE = Option("device", "cpu, cuda, cuda:1, mps or auto.", "auto", always=True)
RUN = (DEVICE, CACHE, JSON)
MODEL = (
    Option("model", "demo, a folder, a .gguf file, a Hub id; random:<any> for its untrained twin.", "demo",
           of=("model",), always=True),
    Option("revision", "Branch, tag or commit of a Hub model.", of=("revision",)),
    Option("dtype", "float32, bfloat16 or float16.", "float32", of=("dtype",)),
)  # fmt: skip
EXPORT = (
    Option("export", "Write the pruned model to this folder too."),
    Option("overwrite", "Replace an earlier export there.", False, bool),
)


def _source(name: str, help: str, default: str, field: str) -> Option:
    return Option(name, help, default, of=(field,), always=True)


def _documents(name: str, help: str, field: str) -> Option:
    return Option(name, help, of=(field,), write=_span)


def _count(name: str, help: str, default: int, *of: str) -> Option:
    return Option(name, help, default, int, of, always=True)


def _pruner(field: str) -> Option:
    return Option("pruner", f"{either(PRUNERS)}.", USUAL, of=(field,), always=True)


def _judged(text: str, documents: str) -> tuple[Option, ...]:
    """What a pruned model is evaluated on."""
    about = "Text for the perplexity: demo:evaluation, file:PATH, a Hub dataset."
    tasks = "Zero-shot tasks; repeatable, or separated by commas."
    return (
        _source(text, about, USUAL_EVALUATION.source, "evaluation.text.source"),
        _documents(documents, "Its documents, as in 800-999.", "evaluation.text.documents"),
        _count("windows", "How many windows of it.", USUAL_EVALUATION.sequences, "evaluation.text.sequences"),
        Option("tasks", tasks, None, list[str], ("evaluation.tasks",), _pruned),
        Option("tasks_from", "Folder of task files; else the harness's own tasks.", of=("evaluation.tasks_from",)),
        Option("examples", "Examples per task, a seeded sample; 0 for all.", 200, int, ("evaluation.examples",),
               _pruned),
    )  # fmt: skip


def _aliases() -> Iterator[Option]:
    """The parts of an allocation: its target and bounds, the parameters of every allocator, and the correction."""
    forms = {"": AllocationRequest, **{f"{kind}: ": form for kind, form in BASES.items()}, "Correction: ": Correction}
    for about, form in forms.items():
        for name, field in form.model_fields.items():
            if name in ("base", "correction", "kind"):
                continue
            kind = field.annotation if field.annotation in (float, int, bool) else str
            said = field.description or either(get_args(field.annotation))
            yield Option(name, f"{about}{said}.", False if kind is bool else None, kind, told=_allocated)


BASE = Option("base", f"{', '.join(BASES)}; default: uniform.", told=_allocated)
ALIASES = (BASE, *_aliases())
METHOD = 'METHOD:TARGET, as in uniform:0.7 or "owl m=5 lam=0.08:0.7", or a .json file'
LENGTH = "Tokens per window, of calibration and evaluation."

OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "measure": (
        *MODEL,
        _source("text", "demo, demo:evaluation, file:PATH, or a Hub dataset.", "demo", "text.source"),
        _documents("documents", "Documents to draw from, as in 0-599.", "text.documents"),
        Option("preset", f"{', '.join(presets.PRESETS)}.", "quick", of=("measurements",), told=_measured, always=True),
        Option("perturb", "In place of the preset's; repeatable.", None, list[str], told=_measured),
        Option("sequences", "How many windows; default: the preset's.", None, int, ("text.sequences",), _measured),
        Option("length", "Tokens per window; default: the preset's.", None, int, ("text.length",), _measured),
        Option("seeds", "Noise seeds, as in 0,1.", told=_measured),
        Option("positions", "Where noise goes: after_first or all."),
        Option("removal", "What LSA looks at too: the errors of removed weights.", False, bool, ("removal",)),
        Option("engine", "wavefront, or hooks: one full forward per injection.", "wavefront"),
        Option("seed", "Draws the windows.", 0, int, ("text.seed",)),
        Option("packing", "joined or document; default: as suits the text.", of=("text.packing",)),
        Option("bos", "Start token: protocol (the tokenizer's way) or every.", "protocol", of=("text.bos",)),
        *RUN,
    ),
    "allocate": (
        Option("profile", "A profile's key, or demo.", "demo", of=("profile",), always=True),
        Option("allocation", f"{METHOD}; the options from --base to --clip say its parts one by one.",
               of=("allocation",), told=_allocated),
        *ALIASES,
        Option("judge", "Harm that the estimate sums: drift, kl or nll.", "drift", of=("judge",)),
        Option("judge_pruner", "Whose pruning that harm is of; else the curves', or the first measured.",
               of=("judge_pruner",)),
        CACHE,
        JSON,
    ),
    "prune": (
        *MODEL,
        _pruner("settings.0.pruner"),
        Option("repair", f"{either(REPAIRS)}: solve the weights that stay anew.", of=("settings.0.repair",)),
        Option("allocation", f"{METHOD}; else uniform:0.7, or what the pattern fixes.", told=_pruned),
        Option("pattern", "N kept of M, as in 2:4; uniform.", of=("settings.0.pattern",)),
        Option("true_sequential", "Prune a layer group by group.", False, bool, ("settings.0.true_sequential",)),
        Option("profile", "The profile that the allocation looks at.", of=("profile",)),
        _source("calibration", "Calibration text.", USUAL_CALIBRATION.source, "calibration.source"),
        _documents("documents", "Its documents, as in 0-599.", "calibration.documents"),
        _count("sequences", "How many calibration windows.", USUAL_CALIBRATION.sequences, "calibration.sequences"),
        _count("length", LENGTH, USUAL_EVALUATION.length, "calibration.length", "evaluation.text.length"),
        _count("seed", "Draws the calibration windows.", 0, "settings.0.calibration_seed"),
        *_judged("evaluate", "evaluate_documents"),
        Option("prompt", "Let the dense and the pruned model continue these words."),
        *EXPORT,
        *RUN,
    ),
    "evaluate": (
        *MODEL,
        *_judged("text", "documents"),
        _count("length", "Tokens per window.", USUAL_EVALUATION.length, "evaluation.text.length"),
        *RUN,
    ),
    "study": (
        Option("file", "A .toml file; see the README for what it holds.", ..., Path, ("file",), argument=True),
        *RUN,
    ),
    "best": (
        *MODEL,
        Option("target", "The sparsity that is wanted, as in 0.6.", None, float, ("target",)),
        Option("max_loss", "In its place: the largest rise of the perplexity, as in 20%.", of=("max_loss",),
               write=_percent),
        _pruner("pruner"),
        Option("text", "One text: 60% of its documents calibrate, 20% select, 20% judge.", told=_roles),
        Option("calibration", "Text to calibrate and profile on.", of=("calibration.source",), told=_roles),
        Option("selection", "Text to select on.", of=("selection.source",), told=_roles),
        Option("final", "Text to judge on.", of=("final.source",), told=_roles),
        _count("sequences", "How many calibration windows.", 16, "calibration.sequences"),
        _count("windows", "How many windows to select on, and as many to judge on.", 12, "selection.sequences",
               "final.sequences"),
        _count("length", "Tokens per window.", 256, "calibration.length", "selection.length", "final.length"),
        Option("seeds", "Calibration seeds of the final comparison.", "0,1,2", of=("seeds",), write=_comma,
               always=True),
        Option("profile", "A profile to look at; else one is measured.", of=("profile",)),
        Option("effort", "quick: one setting a method; full: the published grids.", "quick", of=("effort",),
               always=True),
        *EXPORT,
        *RUN,
    ),
}  # fmt: skip
# fields that a command does not look at: every setting draws the calibration windows by its own seed
IDLE = {"evaluate": ("calibration", "profile"), "prune": ("calibration.seed",)}


# --- request -> line -------------------------------------------------------------------------------------------------


def command_line(request: Asked, device: str | None = None, cache: Path | None = None, **more: object) -> str:
    """`python -m core ...` that asks for the same, quoted for this system's shell.

    Args:
        more: values of options by name, in place of what the request says; None: not said.

    Raises:
        UserError: no command can say it, and why.
    """
    name, more = _command_of(request), {"device": device, "cache": cache, **more}
    found = [name]
    for option in OPTIONS[name]:
        found += option.said(more[option.name] if option.name in more else option.value(request))
    unsaid = next(_unsaid(request, name), None)
    if unsaid:
        raise UserError(f"`{name}` has no option for {unsaid}")
    return quoted((*PROGRAM, *found))


def quoted(line: Iterable[str]) -> str:
    """Words as this system's shell reads them."""
    return subprocess.list2cmdline(list(line)) if sys.platform == "win32" else shlex.join(line)


def alone(request: StudyRequest, setting: Setting) -> StudyRequest:
    """A study of one setting, which a command can ask for."""
    return request.model_copy(update={"settings": (setting,)})


def _command_of(request: Asked) -> str:
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
    """Every field of nested values with its default, which is that of any text for a text."""
    usual = WindowRequest() if isinstance(value, WindowRequest) else None
    for name, field in type(value).model_fields.items():
        found = getattr(value, name)
        if isinstance(found, Spec):
            yield from _leaves(found, f"{path}{name}.")
        else:
            yield f"{path}{name}", found, getattr(usual, name) if usual else field.default
