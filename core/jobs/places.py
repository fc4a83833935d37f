"""Where the shares of a run may go: the table of engines, a row each, and how a place is written.

A place stands where the name of a device stands, `ray:10.0.0.1:6379, 8 shares, cuda`: a run that is spread waits in the
queue of its place, and is watched, cancelled and resumed as any other.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from core.specs.base import load
from core.specs.errors import UserError
from core.specs.formats import either

USUAL = 8  # shares


@dataclass(frozen=True)
class EngineRow:
    """What runs shares."""

    name: str
    about: str
    opens: str  # where its class lies: see `core.jobs.on_machine` for what it has
    needs: str = ""  # the package that has to be installed for it


ENGINES = (
    EngineRow(
        "machine", "this machine, a process for each GPU or as many as in `machine:2`", "core.jobs.on_machine:Machine"
    ),
    EngineRow("ray", "a Ray cluster, a GPU or a core each; `ray:ADDRESS` names one", "core.jobs.on_ray:Ray", "ray"),
    EngineRow("slurm", "Slurm, as an array; `slurm:PARTITION` names where", "core.jobs.on_slurm:Slurm", "submitit"),
)
BY_NAME = {row.name: row for row in ENGINES}


@dataclass(frozen=True)
class Place:
    """An engine, its address, how many shares it is given, and the device that each of them runs on."""

    engine: str
    address: str
    shares: int
    device: str

    def __str__(self) -> str:
        where = f"{self.engine}:{self.address}" if self.address else self.engine
        return f"{where}, {self.shares} shares, {self.device}"

    def open(self, *about: Any) -> Any:
        """The engine, which is a context."""
        return load(BY_NAME[self.engine].opens)(self, *about)


def read(device: str) -> Place | None:
    """The place that stands where a device is named; None for a device."""
    where, *more = device.split(", ")
    if len(more) != 2:
        return None
    engine, _, address = where.partition(":")
    return Place(engine, address, int(more[0].split()[0]), more[1])


def place(typed: str, shares: int | None, device: str) -> Place:
    """What `--engine-on` names.

    Raises:
        UserError: there is no such engine, its package is not installed, or nobody says how many processes.
    """
    engine, _, address = typed.partition(":")
    if engine not in BY_NAME or "," in address:
        raise UserError(
            f"--engine-on {typed!r}: give {either(BY_NAME)}, with an address after a colon where it has one"
        )
    if shares is not None and shares < 1:
        raise UserError(f"--shares {shares}: give 1 or more")
    needs = BY_NAME[engine].needs
    if needs and importlib.util.find_spec(needs) is None:
        raise UserError(f"--engine-on {engine} needs the package {needs}: install it with `pip install {needs}`")
    if engine == "machine":
        address = address or str(len(gpus()) if device == "cuda" else 0)
        if not address.isdecimal() or not int(address):
            raise UserError(f"--engine-on {typed!r} does not say how many processes: give a number, as in machine:2")
        shares = shares or int(address)
    return Place(engine, address, shares or USUAL, device)


def gpus() -> list[str]:
    """The GPUs of this machine that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [each for each in visible.split(",") if each.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout
    return [str(index) for index, _ in enumerate(line for line in told.splitlines() if line.startswith("GPU "))]
