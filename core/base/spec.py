"""The base of all requests and stored units: a frozen, complete, self-checking value that is its own cache key.

And the types of numbers that they lead to.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.base.errors import UserError, brief
from core.base.formats import legible
from core.base.paths import Fields

Array = NDArray[Any]  # of float64, unless it says otherwise
Flags = NDArray[np.bool_]
Positions = Literal["after_first", "all"]  # the tokens that a perturbation changes
SpecT = TypeVar("SpecT", bound="Spec")
Row = TypeVar("Row")
Model = TypeVar("Model", bound=BaseModel)
NO_TEXT = "input should be a valid string, unable to parse raw data as a unicode string"  # pydantic's


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def frozen(record: type[Row]) -> type[Row]:
    """A frozen dataclass of arrays, which are not compared as one value."""
    return dataclass(frozen=True, eq=False)(record)


class Estimate(NamedTuple):
    """A value between the ends of its interval, floats or arrays alike; ends are NaN where too little is known."""

    value: Any
    low: Any
    high: Any
    n: int = 0  # windows, sequences or seeds that it is the mean of; 0 where it is no mean

    @property
    def certain(self) -> bool:
        """True where there is an interval."""
        return not (isnan(self.low) or isnan(self.high))

    def map(self, change: Callable[[Any], Any]) -> Self:
        """The value and both ends changed by a rising function."""
        return self._replace(value=change(self.value), low=change(self.low), high=change(self.high))


class Spec(BaseModel):
    """A frozen value that refuses unknown fields and hashes to a key.

    Its key hashes `identity`, not the name of its class: a class that is renamed keeps its old name there.
    """

    __slots__ = ("_key",)  # no part of the value: a changed copy begins without one
    # A longest string, for only then pydantic looks whether it is one: half of a surrogate pair is none.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=2**20)
    unkeyed: ClassVar[frozenset[str]] = frozenset()  # fields that make no other result
    identity: ClassVar[str] = "Spec"  # not inherited: a class that states none is identified by its own name

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "identity" not in vars(cls):
            cls.identity = cls.__name__

    @property
    def key(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON with the identity of the class."""
        try:
            return object.__getattribute__(self, "_key")
        except AttributeError:
            object.__setattr__(self, "_key", key_of(type(self), self.model_dump(mode="json")))
            return object.__getattribute__(self, "_key")

    @model_validator(mode="after")
    def _checked(self) -> Self:
        self.check()
        return self

    def check(self) -> None:
        """Refuse combinations of fields that cannot be.

        Raises:
            ValueError: one sentence: what was wrong, and what would be right.
        """

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, without checking them again."""
        return self.model_copy(update=changes)


class View(Spec):
    """A spec that looks at stored units; the store keeps of itself only what it is and where it came from."""

    @property
    def units(self) -> tuple[Spec, ...]:
        """Every stored unit that the view looks at, each once."""
        return ()

    is_incomplete: ClassVar[bool] = False  # True if this version measures more of the same, which is then added

    @property
    def is_outdated(self) -> bool:
        """True if a unit was measured by an earlier version of its pruner."""
        return any(getattr(unit, "is_outdated", False) for unit in self.units)

    def record(self, provenance: Fields) -> Fields:
        """Fields of `runs --json` beside the provenance."""
        return {}


def optional_field(default: Any, description: str, **limits: Any) -> Any:
    """A field added after results were stored: omitted from the JSON at its default, so existing keys do not change."""
    return Field(default, description=description, exclude_if=lambda value: value == default, **limits)


def key_of(form: type[Spec], content: dict) -> str:
    """The key of a spec from its JSON, whatever version of the program wrote that."""
    content = {name: value for name, value in content.items() if name not in form.unkeyed}
    return digest(json.dumps({"is": form.identity, **content}, sort_keys=True, separators=(",", ":")))[:16]


def digest(text: str) -> str:
    """The SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def number(value: float) -> str:
    """The shortest text that reads back as the same number: `0.3`, `1`, `1e-07`."""
    return repr(float(value)).removesuffix(".0")


def word(value: object) -> str:
    """A value as text: a number as `number` writes it, a boolean as `yes` or `no`, anything else by str."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)


def look_up(table: Mapping[str, Row], name: str, what: str) -> Row:
    """Find a row of a table by its name.

    Raises:
        UserError: there is none, and what there is.
    """
    if name not in table:
        raise UserError(f"there is no {what} {brief(name)}: known are {', '.join(table)}")
    return table[name]


def checked(form: type[Model], /, **values: object) -> Model:
    """Build a spec, turning pydantic's report into one sentence.

    Raises:
        UserError: the first thing that was wrong.
    """
    try:
        return form(**values)
    except ValidationError as error:
        first = error.errors()[0]
        loc = map(str, first["loc"])
        where = legible(".".join(part if re.fullmatch(r"\S{1,80}", part) else brief(part) for part in loc))
        message = first["msg"].removeprefix("Value error, ")
        message = (message[:1].lower() + message[1:]).replace(NO_TEXT, "half of a sign, or bytes that are no UTF-8")
        value = brief(first["input"])
        got = "" if value in message else f" (got {value})"
        raise UserError(f"{where}: {message}{got}" if where else message) from error


def with_changes(default: SpecT, changes: Fields) -> SpecT:
    """A checked copy with some fields changed; a mapping changes the fields of a spec inside it.

    Raises:
        UserError: the first thing that was wrong.
    """
    return checked(type(default), **_over(default, changes))


def _over(default: Spec, changes: Fields) -> Fields:
    """Fields of a spec, and of specs inside it, after some changes."""
    within = {name: getattr(default, name, None) for name, value in changes.items() if isinstance(value, Mapping)}
    inner = {name: _over(spec, changes[name]) for name, spec in within.items() if isinstance(spec, Spec)}
    return dict(default) | dict(changes) | inner
