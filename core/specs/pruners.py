"""The pruners: a row each. The kernel, a file of its own in core/pruning, is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from core.specs.base import load

Statistic = Literal["none", "norm", "second_moment"]  # of a linear's inputs: nothing, (in,) or (in, in)


@dataclass(frozen=True)
class PrunerRow:
    """What is known of a pruner."""

    label: str
    kernel: str  # where `(weight, statistic, sparsity, pattern, warn) -> weight` lies
    statistic: Statistic  # of the inputs: what statistics are collected, memory and costs follow from it
    about: str
    formula: str  # TeX: what decides which weights go
    paper: str = ""
    modifier: str = ""  # of llm-compressor, where that has the pruner too

    @property
    def reads_text(self) -> bool:
        """Whether it looks at the linears' inputs, and so at a calibration text."""
        return self.statistic != "none"

    @cached_property
    def prune(self) -> Callable[..., Any]:
        """The kernel; it loads torch."""
        return load(self.kernel)


PRUNERS = {
    "magnitude": PrunerRow(
        "magnitude",
        "core.pruning.magnitude:magnitude",
        "none",
        "A pruner that zeroes the smallest weights of each linear, whatever they are multiplied with.",
        r"\text{score}_{jk} = |W_{jk}|",
    ),
    "wanda": PrunerRow(
        "Wanda",
        "core.pruning.wanda:wanda",
        "norm",
        "A pruner that zeroes, in every row of a linear, the weights whose size times the length of their input over "
        "the calibration text is least, and changes no other.",
        r"\text{score}_{jk} = |W_{jk}| \cdot \lVert X_k \rVert_2",
        paper="Sun et al., arXiv 2306.11695",
        modifier="WandaPruningModifier",
    ),
    "sparsegpt": PrunerRow(
        "SparseGPT",
        "core.pruning.sparsegpt:sparsegpt",
        "second_moment",
        "A pruner that zeroes the weights whose loss costs the output of the linear least, and changes those that stay "
        "to make up for it.",
        r"\text{score}_{jk} = W_{jk}^2 / U_{kk}^2,\quad U^\top U = H^{-1},\quad H = \tfrac 2 n X X^\top",
        paper="Frantar & Alistarh, arXiv 2301.00774",
        modifier="SparseGPTModifier",
    ),
}
USUAL = "wanda"
PRUNER_LABELS = {name: row.label for name, row in PRUNERS.items()}
WITHOUT_TEXT = tuple(name for name, row in PRUNERS.items() if not row.reads_text)


def place(name: str) -> tuple[bool, int]:
    """Where a pruner stands in a list: the usual one first, then as in the table."""
    return name != USUAL, list(PRUNERS).index(name)


def _known(name: str) -> str:
    if name not in PRUNERS:
        raise ValueError(f"known are {', '.join(PRUNERS)}")
    return name


Pruner = Annotated[str, AfterValidator(_known)]
