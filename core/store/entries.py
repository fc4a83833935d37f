"""Kinds of stored entries, and the file of one: `kind/KEY.safetensors`.

Arrays are the fields of its result. The metadata holds its spec and provenance as JSON, and a hash over all of it. A
view has no arrays, so that the header is the whole file.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from core.base import PROJECT, Spec, brief, key_of
from core.requests import (
    JOBS,
    ActivationSpec,
    CumulativeSpec,
    DifferenceSpec,
    EvaluatedSpec,
    FloorSpec,
    OutsideSketchSpec,
    PerturbedSpec,
    RemovalSpec,
    ScoreSpec,
    SketchSpec,
    TensorSketchSpec,
    WeightSpec,
    ZeroShotSpec,
)
from core.store import results
from core.store.files import UNPARSED, Corrupt, content, write_file
from core.store.results import Arrays, decode, encode

UNITS = {  # kind of entry -> its spec, and its result
    "perturbed": (PerturbedSpec, results.Perturbed),
    "activation": (ActivationSpec, results.Activation),
    "floor": (FloorSpec, results.Floor),
    "weights": (WeightSpec, results.Weights),
    "scores": (ScoreSpec, results.Scores),
    "removal": (RemovalSpec, results.Removal),
    "sketch": (SketchSpec, results.Sketch),
    "outside": (OutsideSketchSpec, results.OutsideSketch),
    "cumulative": (CumulativeSpec, results.Cumulative),
    "tensors": (TensorSketchSpec, results.TensorSketch),
    "difference": (DifferenceSpec, results.Difference),
    "evaluated": (EvaluatedSpec, results.Losses),
    "zeroshot": (ZeroShotSpec, results.ZeroShot),
}
KINDS: dict[str, tuple[Any, Any]] = {**{row.kind: (row.view, None) for row in JOBS}, **UNITS}
KIND_OF = {spec: kind for kind, (spec, _) in KINDS.items()}
VIEW_KINDS = tuple(row.kind for row in JOBS)
HOME = PROJECT / "cache"  # whose folder `demo` holds the committed entries
SUFFIX = ".safetensors"
RECORD = "entry"  # the only key of the metadata: of several the library writes the order at random


@dataclass(frozen=True)
class Entry:
    """A stored spec with its file, provenance and result."""

    path: Path
    spec: Any  # its kind decides the class
    provenance: dict
    result: Any = None  # None for a view

    @property
    def key(self) -> str:
        return self.path.stem

    @property
    def kind(self) -> str:
        """`profile`, `study` and so on."""
        return self.path.parent.name

    @cached_property
    def committed(self) -> bool:
        """True if it ships with the project; such entries cannot be deleted."""
        return self.path.parent.parent.resolve() == (HOME / "demo").resolve()


def file_of(root: Path, spec: Spec) -> Path:
    """File of a spec's entry in a cache folder."""
    return root / KIND_OF[type(spec)] / f"{spec.key}{SUFFIX}"


def write_entry(path: Path, spec: Spec, result: object | None, provenance: dict, durable: bool = True) -> None:
    """Write an entry in one step; a reader sees the old file or the new one."""
    record, arrays = json.loads(_json({"spec": spec.model_dump(mode="json"), "provenance": provenance})), encode(result)
    write_file(path, save(arrays, {RECORD: _json(record | {"sha256": content_hash(record, arrays)})}), durable)


def read(path: Path, kind: str, key: str) -> Entry | None:
    """Read an entry of a kind and a key, or a part of it, and check its hash; None if another version wrote it.

    Raises:
        Corrupt: the file is damaged, or its spec does not hash to the key.
        FileNotFoundError: there is none, as where another process has just deleted it.
        Unreadable: the file cannot be read now.
    """
    spec_class, result_class = KINDS[kind]
    try:
        data = content(path)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        record, arrays = json.loads(header["__metadata__"][RECORD]), load(data)
        if record.pop("sha256") != content_hash(record, arrays):
            raise ValueError("its content does not fit its hash")
        if key_of(spec_class, record["spec"]) != key:
            raise ValueError("its spec does not hash to its name")
        provenance = dict(record["provenance"])
    except (SafetensorError, AttributeError, *UNPARSED) as error:
        raise Corrupt(f"it is not what was written: {brief(str(error))}") from error
    try:
        spec = spec_class.model_validate_json(json.dumps(record["spec"]))
    except ValidationError:
        return None
    return Entry(path, spec, provenance, decode(arrays, result_class)) if spec.key == key else None


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def content_hash(record: object, arrays: Arrays) -> str:
    """SHA-256 over a JSON value, and names, shapes and numbers of arrays."""
    total = hashlib.sha256(_json([record, {name: array.shape for name, array in arrays.items()}]).encode())
    for name in sorted(arrays):
        total.update(arrays[name].tobytes())
    return total.hexdigest()
