"""The kinds of stored entries, and the files of one: spec, provenance, arrays."""

import json
from pathlib import Path

from core.base import key_of
from core.requests import (
    JOBS,
    ActivationSpec,
    CumulativeSpec,
    DifferenceSpec,
    EvaluatedSpec,
    FloorSpec,
    PerturbedSpec,
    RemovalSpec,
    ScoreSpec,
    WeightSpec,
    ZeroShotSpec,
)
from core.store import results
from core.store.files import UNPARSED, Corrupt, Files, verified

UNITS = {  # kind of entry -> its spec, and its result
    "perturbed": (PerturbedSpec, results.Perturbed),
    "activation": (ActivationSpec, results.Activation),
    "floor": (FloorSpec, results.Floor),
    "weights": (WeightSpec, results.Weights),
    "scores": (ScoreSpec, results.Scores),
    "removal": (RemovalSpec, results.Removal),
    "cumulative": (CumulativeSpec, results.Cumulative),
    "difference": (DifferenceSpec, results.Difference),
    "evaluated": (EvaluatedSpec, results.Losses),
    "zeroshot": (ZeroShotSpec, results.ZeroShot),
}
KINDS = {row.kind: (row.view, None) for row in JOBS} | UNITS
KIND_OF = {spec: kind for kind, (spec, _) in KINDS.items()}
VIEW_KINDS = tuple(row.kind for row in JOBS)


def read_folder(path: Path) -> tuple[Files, dict]:
    """The verified files of an entry whose spec hashes to its name, and its provenance.

    Raises:
        Corrupt: it does not, or a file is missing or differs.
        Unreadable: a file cannot be read now.
    """
    files = verified(path)
    try:
        spec, provenance = (json.loads(files[name]) for name in ("spec.json", "provenance.json"))
        key = key_of(KINDS[path.parent.name][0], spec)
    except UNPARSED as error:
        raise Corrupt("spec.json or provenance.json cannot be read") from error
    if key != path.name or not isinstance(provenance, dict):
        raise Corrupt("spec.json does not hash to the folder's name")
    return files, provenance
