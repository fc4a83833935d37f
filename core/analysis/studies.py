"""A study in memory: what every setting cost, beside the dense model and its uniform twin. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis.comparison import Interval, paired, percent
from core.specs.errors import UserError
from core.specs.formats import helped
from core.specs.settings import Setting
from core.specs.studies import Point, StudySpec
from core.store.cache import Entry, Store
from core.store.results import Array, Evaluated, ZeroShot


@dataclass(frozen=True, eq=False)
class Measured:
    """One point of a study with what was measured of it; `evaluated` is None while it is still to come."""

    point: Point
    evaluated: Evaluated | None
    tasks: dict[str, ZeroShot]  # task name -> answers
    about: dict  # provenance of the losses

    @property
    def setting(self) -> Setting | None:
        return self.point.setting

    @property
    def name(self) -> str:
        return self.setting.name if self.setting else "dense"

    @property
    def perplexity(self) -> float:
        """`exp` of the mean loss; NaN where a loss is."""
        if self.evaluated is None:
            return float("nan")
        with np.errstate(over="ignore"):
            return float(np.exp(self.evaluated.nll.mean()))

    @property
    def kl(self) -> float:
        """Mean KL divergence from the dense model, nats."""
        return float("nan") if self.evaluated is None else float(self.evaluated.kl.mean())

    @property
    def agreement(self) -> float:
        """Fraction of tokens whose likeliest next token is the dense model's."""
        return float("nan") if self.evaluated is None else float(self.evaluated.agreement.mean())

    @property
    def broken(self) -> int | None:
        """First layer whose output is not finite, where the losses are not; None too if only the logits are not."""
        layer = self.about.get("broken")
        return None if layer is None or layer >= len(self.evaluated.zeros) else layer

    @property
    def trouble(self) -> str:
        """Why the perplexity is not a finite number, in words; empty where it is one."""
        if self.evaluated is None or np.isfinite(self.perplexity):
            return ""
        if self.perplexity == np.inf:
            return "beyond what can be written"
        return "not a number, " + ("after the last layer" if self.broken is None else f"from layer {self.broken} on")

    @property
    def warnings(self) -> list[str]:
        """What pruning had to be helped along with, and what put an end to it, in sentences."""
        return list(self.about.get("warnings", []))

    @property
    def helped(self) -> str | None:
        """The same in words; None where all went well."""
        return helped(self.warnings, self.stopped)

    @property
    def stopped(self) -> list[str]:
        """What put an end to pruning; empty where it came to its end."""
        return [self.about["stopped"]] if self.about.get("stopped") else []

    @property
    def planned(self) -> Array | None:
        """Sparsity per layer, or per layer and linear; None for the dense model."""
        return None if self.point.pruned is None else np.array(self.point.pruned.sparsity)


def together(points: Sequence[Measured]) -> str | None:
    """What pruning several points had to be helped along with, and what put an end to it, each once."""
    warnings = [text for each in points for text in each.warnings]
    stopped = [text for each in points for text in each.stopped]
    return helped(list(dict.fromkeys(warnings)), list(dict.fromkeys(stopped)))


@dataclass(frozen=True, eq=False)
class Study:
    """All points of a study, as far as they are measured."""

    spec: StudySpec
    provenance: dict
    points: tuple[Measured, ...]

    @property
    def complete(self) -> bool:
        return all(each.evaluated is not None for each in self.points)

    @property
    def dense(self) -> Measured:
        return next(each for each in self.points if each.setting is None)

    @property
    def pruned(self) -> tuple[Measured, ...]:
        """Every point but the dense one, that is measured."""
        return tuple(each for each in self.points if each.setting is not None and each.evaluated is not None)

    def of(self, setting: Setting) -> Measured | None:
        """The measured point of a setting."""
        return next((each for each in self.pruned if each.setting == setting), None)

    def twin(self, measured: Measured) -> Measured | None:
        """The uniform setting that a point is compared with."""
        return self.of(measured.setting.uniform)

    def base(self, measured: Measured) -> Measured | None:
        """A corrected point's own base; None for others, and if it is not in the study."""
        plain = measured.setting.base
        return None if plain is None else self.of(plain)


def against(measured: Measured, other: Measured) -> Interval:
    """Change of perplexity in per cent, `measured` against `other`, paired over windows.

    Raises:
        UserError: they were measured on different windows.
    """
    return percent(paired(measured.evaluated.nll, other.evaluated.nll))


def load(store: Store, entry: Entry) -> Study:
    """Read a stored study."""
    return read(store, entry.spec, entry.provenance)


def read(store: Store, spec: StudySpec, told: dict | None = None) -> Study:
    """Read a study as far as it is measured: what a running job has finished is there already."""
    return Study(spec, told or {}, tuple(_point(store, spec, each) for each in spec.points))


def profile_key(store: Store, typed: str | None) -> str | None:
    """The profile that a study's allocations looked at by its whole key, however it was named."""
    try:
        return store.profile(typed).key if typed else None
    except UserError:
        return typed


def _point(store: Store, spec: StudySpec, point: Point) -> Measured:
    unit = spec.evaluated(point)
    path = store.path(unit)
    entry = store.entry(path) if path else None
    tasks = {each.task.name: store.load(each) for each in spec.zero_shot(point)}
    return Measured(
        point,
        store.load(unit),
        {name: found for name, found in tasks.items() if found is not None},
        entry.provenance if entry else {},
    )
