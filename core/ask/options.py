"""What an option of a command is, and what requests say by options where that is more than a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.ask import grammar, presets
from core.ask.allocations import AllocationRequest
from core.ask.measurements import MeasureRequest
from core.ask.requests import BestRequest
from core.ask.settings import uniform
from core.ask.studies import StudyRequest
from core.base.errors import UserError
from core.base.spec import Spec, number, word


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


# --- what is more than a field ---------------------------------------------------------------------------------------


def measured(request: MeasureRequest) -> dict[str, Any]:
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
    seeds = comma(dict.fromkeys(each.seed for each in asked))
    perturb = list(dict.fromkeys(each.perturbation.name for each in asked))
    return found | {"perturb": perturb, "seeds": None if seeds == "0" else seeds}


def pruned(request: StudyRequest) -> dict[str, Any]:
    """The allocation, unless a pattern fixes it, and tasks."""
    found = {"tasks": comma(request.evaluation.tasks) or None, "examples": request.evaluation.examples or 0}
    for setting in request.settings:
        if not setting.pattern or setting.allocation != uniform(setting.allocation.target):
            found["allocation"] = grammar.write(setting.allocation)
    return found


def roles(request: BestRequest) -> dict[str, str]:
    """One text for all roles, or one for each."""
    sources = {role: getattr(request, role).source for role in ("calibration", "selection", "final")}
    return sources if len({*sources.values()}) > 1 else {"text": request.final.source}


def allocated(request: Allocating) -> dict[str, Any]:
    """An allocation in one word; what was set by hand in parts."""
    asked, base = request.allocation, request.allocation.base
    if not base.by_hand:
        return {"allocation": grammar.write(asked)}
    if base.per_linear:
        raise UserError("numbers per linear that were set by hand fit no option: prune with them from their .json file")
    found = asked.model_dump(exclude={"base", "correction"}, exclude_defaults=True) | {"target": asked.target}
    found |= {"base": base.kind, "sparsity": ",".join(map(number, base.sparsity))}
    return found | asked.correction.model_dump(exclude_defaults=True)


def span_words(documents: tuple[int, int]) -> str:
    return f"{documents[0]}-{documents[1]}"


def percent_words(loss: float) -> str:
    """As the command line reads it: above 1 only with its sign."""
    return number(loss) if loss <= 1 else f"{100 * loss:.15g}%"


def comma(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def names(typed: Iterable[str]) -> tuple[str, ...]:
    """Each once, whether they were separated by commas or by repeating the option."""
    return tuple(dict.fromkeys(filter(None, (name.strip() for each in typed for name in each.split(",")))))


def examples(count: int) -> int | None:
    if count < 0:
        raise UserError(f"--examples {count}: give a number of examples per task, or 0 for all")
    return count or None
