"""Shares as the tasks of a Slurm array, submitted through submitit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self

from core.jobs.carried import carried
from core.jobs.places import Place
from core.specs.errors import UserError

CLUSTER = "slurm"
MINUTES = 24 * 60  # that a share may take, unless SBATCH_TIMELIMIT says otherwise


class Slurm:
    """An engine, see `core.jobs.on_machine`. The project and the cache lie at the same place on every node."""

    def __init__(self, place: Place, root: str, accept_imported: bool):
        import submitit

        if CLUSTER == "slurm" and shutil.which("sbatch") is None:
            raise UserError("--engine-on slurm: there is no sbatch on this machine, so run it where jobs are submitted")
        self.told, self.tasks = (root, accept_imported), {}
        self.executor = submitit.AutoExecutor(folder=Path(root) / "slurm", cluster=CLUSTER)
        needs = {"gpus_per_node": 1} if place.device == "cuda" else {}
        if place.address:
            needs["slurm_partition"] = place.address
        self.executor.update_parameters(name="absorption", timeout_min=MINUTES, **needs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start(self, keys: list[str]) -> None:
        root, accept = self.told
        count = len(keys)
        tasks = self.executor.map_array(carried(), [root] * count, keys, [accept] * count)
        self.tasks |= dict(zip(keys, tasks, strict=True))

    def ended(self, key: str) -> bool:
        return key not in self.tasks or self.tasks[key].done()

    def stop(self, key: str) -> None:
        self.tasks[key].cancel()
