"""What a measurement has done of what it planned, and how it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.models.progress import Progress, Report


@dataclass
class Account:
    """Work counted as the FLOP of float32 matrix products that take as long: see `core.models.effort`."""

    report: Report
    planned: float = 0.0
    done: float = 0.0
    told: float = 0.0  # the most that was reported: a part that is begun again takes nothing back
    flop: float = 0.0  # computed so far
    parts: int = 0  # saved so far

    def add(self, work: float, flop: float = 0.0) -> None:
        """Count what is finished."""
        self.done, self.flop = self.done + work, self.flop + flop

    def say(self, line: str, layer: int | None = None, work: float = 0.0, flop: float = 0.0) -> None:
        """Tell where it is. work, flop: what was done of a part that is not finished."""
        self.told = max(self.told, self.done + work)
        done, total, computed = (int(each / 1e6) for each in (self.told, self.planned, self.flop + flop))
        self.report(Progress(line, done, total, layer, self.parts, computed))

    def by_sequence(self, what: str, count: int, work: float, flop: float = 0.0) -> Callable[[int], None]:
        """A step told of every sequence that was run. work, flop: those of one."""

        def step(index: int) -> None:
            self.add(work, flop)
            self.say(f"{what}: sequence {index + 1} of {count}")

        return step

    def by_layer(self, what: str, layers: int, work: float) -> Callable[[int], None]:
        """A step told of every layer that was looked at. work: that of all, which is no FLOP of the cost."""

        def step(layer: int) -> None:
            self.add(work / layers)
            self.say(f"{what}: layer {layer}", layer)

        return step
