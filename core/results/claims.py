"""Claims of the literature about damage in a network: what came of testing each. Pure numpy."""

import math
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from core.base import Estimate, frozen
from core.results import comparison
from core.store import Array

HOLDS, FAILS, OPEN = "holds", "does not hold", "not decided"


@frozen
class Outcome:
    """A claim tested on one model."""

    verdict: str
    rows: dict[str, Estimate]  # what was measured, in words -> its mean and 95 % interval over sequences or seeds
    counts: Annotated[
        dict[str, str], Field(alias="counted")
    ]  # how many layers amplify, in words: `layers`, and with the first token too


def intervals(rows: Mapping[str, Array], factors: bool = True) -> dict[str, Estimate]:
    """Mean of each row's samples with its 95 % interval.

    Args:
        factors: the samples are logs of factors, whose geometric mean is wanted.
    """
    means = {name: comparison.mean(samples) for name, samples in rows.items()}
    return {name: row.map(math.exp) for name, row in means.items()} if factors else means
