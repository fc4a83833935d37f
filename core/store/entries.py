"""Kinds of stored entries, and the file of one: `kind/KEY.safetensors`.

Arrays are the fields of its result. The metadata holds its spec and provenance as JSON, and a hash over all of it. A
view has no arrays, so that the header is the whole file.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from core.base import Fields, Spec, brief, key_of
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
from core.store.files import UNPARSED, Corrupt, content, write_file
from core.store.results import Arrays, encode

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
KINDS: dict[str, tuple[Any, Any]] = {**{row.kind: (row.view, None) for row in JOBS}, **UNITS}
KIND_OF = {spec: kind for kind, (spec, _) in KINDS.items()}
VIEW_KINDS = tuple(row.kind for row in JOBS)


SUFFIX = ".safetensors"
RECORD = "entry"  # the only key of the metadata: of several the library writes the order at random


def file_of(root: Path, spec: Spec) -> Path:
    """File of a spec's entry in a cache folder."""
    return root / KIND_OF[type(spec)] / f"{spec.key}{SUFFIX}"


def write_entry(path: Path, spec: Spec, result: object | None, provenance: dict, durable: bool = True) -> None:
    """Write an entry in one step; a reader sees the old file or the new one."""
    record, arrays = json.loads(_json({"spec": spec.model_dump(mode="json"), "provenance": provenance})), encode(result)
    write_file(path, save(arrays, {RECORD: _json(record | {"sha256": _digest(record, arrays)})}), durable)


def read_entry(path: Path, spec_class: type[Spec], key: str) -> tuple[Fields, dict, Arrays]:
    """Read a file and check its hash: fields of the spec, provenance, arrays.

    Raises:
        Corrupt: the file is damaged, or its spec does not hash to the key.
        FileNotFoundError: there is none, as where another process has just deleted it.
        Unreadable: the file cannot be read now.
    """
    try:
        data = content(path)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        record, arrays = json.loads(header["__metadata__"][RECORD]), load(data)
        if record.pop("sha256") != _digest(record, arrays):
            raise ValueError("its content does not fit its hash")
        if key_of(spec_class, record["spec"]) != key:
            raise ValueError("its spec does not hash to its name")
        return record["spec"], dict(record["provenance"]), arrays
    except (SafetensorError, AttributeError, *UNPARSED) as error:
        raise Corrupt(f"it is not what was written: {brief(str(error))}") from error


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(record: Fields, arrays: Arrays) -> str:
    """SHA-256 over spec, provenance, and names, shapes and numbers of arrays."""
    total = hashlib.sha256(_json([record, {name: array.shape for name, array in arrays.items()}]).encode())
    for name in sorted(arrays):
        total.update(arrays[name].tobytes())
    return total.hexdigest()
