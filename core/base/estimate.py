"""The one form of a number with an interval."""

from collections.abc import Callable
from math import isnan
from typing import Any, NamedTuple


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

    def map(self, change: Callable[[Any], Any]) -> "Estimate":
        """The value and both ends changed by a rising function."""
        return self._replace(value=change(self.value), low=change(self.low), high=change(self.high))
