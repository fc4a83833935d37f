"""Checks of a stranger's results: units of a view fit together, numbers are numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.ask.measurements import ProfileSpec
from core.ask.studies import ZeroShotSpec
from core.base.spec import Spec, View
from core.kinds.owl import OUTLIER_THRESHOLDS
from core.store.pack_files import refuse
from core.store.results import Array, axes_of

SAME_LENGTH = {"injection": "layer", "read": "layer"}  # axes that are as long as another
NO_NUMBER = {"ratio", "ratio_q25", "ratio_q50", "ratio_q75", "orthogonal"}  # where a perturbation changed nothing
MINUS_INFINITY = {"log_drift"}  # there
SHORT_SPECTRUM = {"alpha_hill", "alpha_peak"}  # no exponent of a linear whose rank is too small
UNASKED = {"acc_norm"}  # of a task without it
COUNTED = {"zeros", "parameters"}  # numbers whatever pruning or half precision breaks
FRACTIONS = {"flips", "agreement", "zeros", "acc"}

Lengths = dict[object, tuple[int, str]]  # axis, of a task with the task -> its length, and the unit that has it


def check_unit(place: str, unit: Spec, result: object, known: Lengths) -> None:
    """Check one unit against its spec and against the units before it, whose lengths it adds to.

    Args:
        place: `kind/key`, for the refusal.

    Raises:
        UserError: an axis of another length, a number that is none, or one that cannot be.
    """
    for name, axes in axes_of(type(result)).items():
        array = getattr(result, name)
        for axis, length in zip(axes, array.shape, strict=True):
            _check_length(place, unit, SAME_LENGTH.get(axis, axis), length, known)
        _check_numbers(f"{place}/{name}.npy", unit, name, axes, array)
    pruned = getattr(unit, "pruned", None)
    if pruned is not None:
        for axis, length in zip(("layer", "linear"), np.shape(pruned.sparsity), strict=False):
            _check_length(place, unit, axis, length, known)


def check_linears(place: str, view: View, named: int, known: Lengths) -> None:
    """Check that a profile whose layers can be pruned names its linears, as many as a layer has at most.

    Raises:
        UserError: it names none, or more.
    """
    if isinstance(view, ProfileSpec) and view.prunable and not 0 < named <= known["linear"][0]:
        refuse(f"{place}/provenance.json", f"names {named} linears where a layer has {known['linear'][0]}")


def _check_length(place: str, unit: Spec, axis: str, length: int, known: Lengths) -> None:
    if axis in ("sequence", "window"):
        wanted, where = unit.text.sequences, "its spec"
    elif axis == "threshold":
        wanted, where = len(OUTLIER_THRESHOLDS), "every result"
    else:
        wanted, where = known.setdefault((axis, unit.task) if axis == "example" else axis, (length, place))
    if length != wanted or not length:
        refuse(place, f"has the length {length} along the axis {axis}, where {where} has {wanted}")
    if isinstance(unit, ZeroShotSpec) and axis == "example" and length > (unit.task.examples or length):
        refuse(place, f"answers {length} examples where its spec asks {unit.task.examples}")


def _check_numbers(file: str, unit: Spec, name: str, axes: tuple[str, ...], array: Array) -> None:
    if name in FRACTIONS and bool(np.any((array < 0) | (array > 1))):
        refuse(file, "holds a number outside 0 and 1, where only fractions may be")
    if name == "parameters" and bool(np.any(array < 1)):
        refuse(file, "holds a number below 1, where linears are counted")
    if not all(_sound(unit, name, axes, array)):
        refuse(file, "holds NaN or infinity where every result has a number")


def _sound(unit: Spec, name: str, axes: tuple[str, ...], array: Array) -> Iterator[bool]:
    """True for each kind of hole in an array that the program leaves itself, else False."""
    if axes[:2] == ("injection", "read"):  # below the diagonal nothing is read
        array = array[np.triu_indices(len(array))]
    nothing = np.isnan(array)
    if "linear" in axes:  # a layer may have fewer linears than another, but has one
        yield name in SHORT_SPECTRUM or not nothing.all(axis=1).any()
        array = array[~nothing]
    if name in NO_NUMBER | SHORT_SPECTRUM | UNASKED:
        array = array[~np.isnan(array)]
    if name in MINUS_INFINITY:
        array = array[array != -np.inf]
    broke = unit.model.dtype != "float32" or getattr(unit, "pruned", None) is not None  # noise or pruning overflows
    yield (broke and name not in COUNTED) or bool(np.isfinite(array).all())
