"""The command line as one table: the options of every command, read from the fields of the requests that they fill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from core.ask import grammar
from core.ask.allocations import AllocationRequest
from core.ask.inputs import OfModel
from core.ask.measurements import MeasureRequest
from core.ask.perturbations import PRESETS
from core.ask.requests import BestRequest
from core.ask.settings import Setting, uniform
from core.ask.studies import StudyRequest
from core.ask.typed import absolute, fraction, numbers, span
from core.base.errors import UserError
from core.base.formats import capital, either
from core.base.paths import resolved
from core.base.spec import Spec, number, word
from core.kinds.treatments import PRUNERS, REPAIRS

ROLES = ("calibration", "selection", "final")  # texts of a search


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
        told: request -> what several options say, by name, where that is more than a field; None: nothing to say.
        write: value -> text.
        read: what was typed -> value, where that is more than its kind.
        least: the smallest number that may be given.
        always: written also where it is as usual, so that the line means the same when the usual changes.
        argument: it has a place in the line, not a name.
    """

    name: str
    help: str
    default: Any = None
    kind: Any = str
    of: tuple[str, ...] = ()
    told: Callable[[Any], Mapping[str, Any]] | None = None
    write: Callable[[Any], str] = word
    read: Callable[[Any], Any] | None = None
    least: int | None = None
    always: bool = False
    argument: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    def given(self, typed: Any) -> Any:
        """What was typed, as a request says it; None: nothing.

        Raises:
            UserError: it cannot be.
        """
        if typed is not None and self.least is not None and typed < self.least:
            raise UserError(f"{self.flag} {typed}: give {self.least} or more")
        return self.read(typed) if self.read and typed is not None else typed

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
        return [part for one in each for part in (self.flag, self.write(one))]


def _field(request: Any, path: str) -> Any:
    for name in path.split("."):
        request = request[int(name)] if name.isdecimal() else getattr(request, name)
    return request


def _says(form: type[Spec], *of: str, at: str = "", name: str = "", **more: Any) -> Option:
    """An option that says a field: its name, help, type, default and least value are the field's, but for `more`.

    Args:
        of: paths of the field, and of others that are always alike.
        at: where the form stands in the request.
    """
    *into, last = of[0].split(".")
    usual: Spec = form.model_construct()
    for part in into:
        usual = getattr(usual, part)
    field = type(usual).model_fields[last]
    forms = get_args(field.annotation) or (field.annotation,)
    derived = {
        "help": f"{capital(field.description or either(map(str, forms)))}.",
        "default": getattr(usual, last, ...),
        "kind": next((kind for kind in (bool, int, float) if kind in forms), str),
        "least": next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None),
    }
    return Option(name or last, of=tuple(at + path for path in of), **derived | more)


# --- what is more than a field ---------------------------------------------------------------------------------------


def _measured(request: MeasureRequest) -> dict[str, Any]:
    """A preset by its name, else perturbations; then every one gets every seed, which may be more than was asked.

    Standard and paper perturb alike: the amount of text tells them apart, where it can.
    """
    text, asked = request.text, request.measurements
    alike = {name: each for name, each in PRESETS.items() if each.measurements == asked}
    exact = [name for name, each in alike.items() if (each.sequences, each.length) == (text.sequences, text.length)]
    preset = next(iter((*exact, *alike)), None)
    usual = PRESETS[preset or "quick"]
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
    sources = {role: getattr(request, role).source for role in ROLES}
    return sources if len({*sources.values()}) > 1 else {"text": request.final.source}


def _percent(loss: float) -> str:
    """As the command line reads it: above 1 only with its sign."""
    return number(loss) if loss <= 1 else f"{100 * loss:.15g}%"


def _comma(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _names(typed: Iterable[str]) -> tuple[str, ...]:
    """Each once, whether they were separated by commas or by repeating the option."""
    return tuple(dict.fromkeys(filter(None, (name.strip() for each in typed for name in each.split(",")))))


# --- the table -------------------------------------------------------------------------------------------------------

CACHE = Option("cache", "Folder for results, in place of cache/.", kind=Path)
JSON = Option("json", "One JSON object on stdout, nothing else there.", False, bool)
DEVICE = Option("device", "cpu, cuda, cuda:1, mps or auto.", "auto", always=True)
ACCEPT = Option("accept_imported", "Let imported results answer too; else they are only shown.", False, bool)
RUN = (DEVICE, CACHE, ACCEPT, JSON)
SPREAD = (
    Option("part", "One share of the work, as in 2/8; whoever does the last one makes the whole."),
    Option("engine_on", "Spread the work in shares by Ray: ray for this machine, ray:ADDRESS for a cluster."),
    Option("shares", "How many shares, 8 if not said.", None, int),
)
MODEL = (_says(OfModel, "model", always=True, read=absolute), _says(OfModel, "revision"), _says(OfModel, "dtype"))
EXPORT = (
    Option("export", "Write the pruned model to this folder too."),
    Option("overwrite", "Replace an earlier export there.", False, bool),
)
METHOD = 'METHOD:TARGET, as in uniform:0.7 or "owl m=5 lam=0.08 strength=0.04:0.7", or a .json file'
ONE_LENGTH = "Tokens per window, of calibration and evaluation."

_source = partial(_says, always=True, read=absolute)
_documents = partial(_says, write=lambda documents: "{}-{}".format(*documents), read=span)
_count = partial(_says, always=True)
_window = (
    partial(_source, MeasureRequest, "text.source", name="text"),
    partial(_documents, MeasureRequest, "text.documents"),
)
_pruner = partial(_says, help=f"{either(PRUNERS)}.", always=True)


def _judged(text: str, documents: str) -> tuple[Option, ...]:
    """What a pruned model is evaluated on."""
    says = partial(_says, StudyRequest)
    return (
        _source(StudyRequest, "evaluation.text.source", name=text, help="Text for the perplexity."),
        _documents(StudyRequest, "evaluation.text.documents", name=documents, help="Its documents, as in 800-999."),
        _count(StudyRequest, "evaluation.text.sequences", name="windows", help="How many windows of it."),
        says("evaluation.tasks", help="Zero-shot tasks; repeatable, or separated by commas.", default=[],
             kind=list[str], told=_pruned, read=_names),
        says("evaluation.tasks_from", read=lambda folder: str(resolved(folder))),
        says("evaluation.examples", help="Examples per task, a seeded sample; 0 for all.", least=0, told=_pruned,
             read=lambda count: count or None),
    )  # fmt: skip


OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "measure": (
        *MODEL,
        *(option() for option in _window),
        Option("preset", f"{', '.join(PRESETS)}.", "quick", of=("measurements",), told=_measured, always=True),
        Option("perturb", "In place of the preset's; repeatable.", [], list[str], told=_measured),
        _says(MeasureRequest, "text.sequences", default=None, told=_measured),
        _says(MeasureRequest, "text.length", default=None, told=_measured),
        Option("seeds", "Noise seeds, as in 0,1.", told=_measured),
        Option("positions", "Where noise goes: after_first or all."),
        _says(MeasureRequest, "removal"),
        Option("engine", "wavefront, or hooks: one full forward per injection.", "wavefront"),
        *(_says(MeasureRequest, f"text.{name}") for name in ("seed", "packing", "bos")),
        *SPREAD,
        *RUN,
    ),
    "compare": (
        Option("model", f"The reference: {MODEL[0].help}", ..., of=("model",), argument=True, read=absolute),
        Option("other", "The checkpoint to hold against it, of the same architecture and vocabulary.", ...,
               of=("measurements.0.perturbation.source",), argument=True, read=absolute),
        *MODEL[1:],
        *(option() for option in _window),
        *(_count(MeasureRequest, f"text.{name}") for name in ("sequences", "length", "seed")),
        *RUN,
    ),
    "allocate": (
        Option("profile", "A profile's key, or demo.", "demo", of=("profile",), always=True),
        Option("allocation", f"{METHOD}.", "uniform:0.7", of=("allocation",), always=True, read=grammar.read_allocation,
               write=lambda asked: asked if isinstance(asked, str) else grammar.write(asked)),
        Option("judge", "Harm that the estimate sums: drift, kl or nll.", "drift", of=("judge",)),
        Option("judge_pruner", "Whose pruning that harm is of; else the curves', or the first measured.",
               of=("judge_pruner",)),
        CACHE,
        JSON,
    ),
    "prune": (
        *MODEL,
        _pruner(Setting, "pruner", at="settings.0."),
        _says(Setting, "repair", at="settings.0.", help=f"{either(REPAIRS)}: solve the weights that stay anew."),
        Option("allocation", f"{METHOD}; else uniform:0.7, or what the pattern fixes.", told=_pruned),
        _says(Setting, "pattern", at="settings.0."),
        _says(Setting, "true_sequential", at="settings.0."),
        _says(StudyRequest, "profile"),
        _source(StudyRequest, "calibration.source", name="calibration", help="Calibration text."),
        _documents(StudyRequest, "calibration.documents"),
        _count(StudyRequest, "calibration.sequences", help="How many calibration windows."),
        _count(StudyRequest, "calibration.length", "evaluation.text.length", help=ONE_LENGTH),
        _count(Setting, "calibration_seed", at="settings.0.", name="seed"),
        *_judged("evaluate", "evaluate_documents"),
        *EXPORT,
        *RUN,
    ),
    "evaluate": (
        *MODEL,
        *_judged("text", "documents"),
        _count(StudyRequest, "evaluation.text.length"),
        *RUN,
    ),
    "study": (
        Option("file", "A .toml file; see the README for what it holds.", ..., Path, ("file",), argument=True),
        *SPREAD,
        *RUN,
    ),
    "best": (
        *MODEL,
        _says(BestRequest, "target"),
        _says(BestRequest, "max_loss", kind=str, write=_percent, read=fraction),
        _pruner(BestRequest, "pruner"),
        _says(BestRequest, "repair", help=f"{either(REPAIRS)}: tried on the winner; none: not."),
        Option("text", "One text: 60 % of its documents calibrate, 20 % select, 20 % judge.", told=_roles),
        *(
            _says(BestRequest, f"{role}.source", name=role, help=f"Text to {does} on.", default=None, told=_roles,
                  read=absolute)
            for role, does in zip(ROLES, ("calibrate and profile", "select", "judge"), strict=True)
        ),
        _count(BestRequest, "calibration.sequences", help="How many calibration windows."),
        _count(BestRequest, "selection.sequences", "final.sequences", name="windows",
               help="How many windows to select on, and as many to judge on."),
        _count(BestRequest, *(f"{role}.length" for role in ROLES)),
        _says(BestRequest, "seeds", default="0,1,2", write=_comma, always=True, read=numbers),
        _says(BestRequest, "profile"),
        _says(BestRequest, "effort", help="quick: one setting a method; full: the published grids.", always=True),
        *EXPORT,
        *RUN,
    ),
}  # fmt: skip
# fields that a command does not look at: every setting draws the calibration windows by its own seed
IDLE = {
    "evaluate": ("calibration", "profile"),
    "prune": ("calibration.seed",),
}
