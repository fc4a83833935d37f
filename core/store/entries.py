"""The kinds of stored entries, and the files of one: spec, provenance, arrays, and a mark where it was imported."""

from __future__ import annotations

import json
from pathlib import Path

from core.ask.jobs import JOBS
from core.ask.measurements import (
    ActivationSpec,
    CumulativeSpec,
    DifferenceSpec,
    FloorSpec,
    PerturbedSpec,
    RemovalSpec,
    ScoreSpec,
    WeightSpec,
)
from core.ask.studies import EvaluatedSpec, ZeroShotSpec
from core.base.spec import Spec, key_of
from core.store import results
from core.store.files import Corrupt, verified
from core.store.upgrade import upgraded

UNITS: dict[str, tuple[type[Spec], type]] = {
    "perturbed": (PerturbedSpec, results.Perturbed),
    "activation": (ActivationSpec, results.Activation),
    "floor": (FloorSpec, results.Floor),
    "weights": (WeightSpec, results.Weights),
    "scores": (ScoreSpec, results.Scores),
    "removal": (RemovalSpec, results.Removal),
    "cumulative": (CumulativeSpec, results.Cumulative),
    "difference": (DifferenceSpec, results.Difference),
    "evaluated": (EvaluatedSpec, results.Evaluated),
    "zeroshot": (ZeroShotSpec, results.ZeroShot),
}
KINDS: dict[str, tuple[type[Spec], type | None]] = {row.kind: (row.view, None) for row in JOBS} | UNITS
KIND_OF = {spec: kind for kind, (spec, _) in KINDS.items()}
VIEW_KINDS = tuple(row.kind for row in JOBS)
MARK = "imported"  # a file beside those of an imported entry: the SHA-256 of each pack it came in, a line each


def packs_of(path: Path) -> tuple[str, ...]:
    """The SHA-256 of each pack that a folder came in."""
    try:
        return tuple((path / MARK).read_text(encoding="ascii").split())
    except FileNotFoundError:
        return ()


def read_folder(path: Path) -> tuple[dict[str, bytes], dict]:
    """The verified files of an entry whose spec hashes to its name, and its provenance.

    Raises:
        Corrupt: it does not, or a file is missing or differs.
    """
    files = verified(path)
    try:
        spec, provenance = (json.loads(files[name]) for name in ("spec.json", "provenance.json"))
        key = key_of(KINDS[path.parent.name][0], spec)
    except (KeyError, ValueError, TypeError) as error:
        raise Corrupt("spec.json or provenance.json cannot be read") from error
    if key != path.name or not isinstance(provenance, dict):
        raise Corrupt("spec.json does not hash to the folder's name")
    return upgraded(path, files), provenance
