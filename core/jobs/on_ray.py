"""Shares as tasks of a Ray cluster, each with one GPU or one core."""

from __future__ import annotations

import os
from typing import Any, Self

from core.jobs.carried import carried
from core.jobs.places import Place
from core.specs.errors import UserError


class Ray:
    """An engine, see `core.jobs.on_machine`. The project and the cache lie at the same place on every node."""

    def __init__(self, place: Place, root: str, accept_imported: bool):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        import ray

        self.ray, self.told, self.tasks = ray, (root, accept_imported), {}
        try:
            ray.init(address=place.address or None, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except ConnectionError as error:
            raise UserError(f"no Ray cluster answers at {place.address}: start one with `ray start --head`") from error
        needs: dict[str, Any] = {"num_gpus": 1} if place.device == "cuda" else {"num_cpus": 1}
        lost = {"max_retries": 0}  # `core.jobs.spreading` starts it again
        self.share = ray.remote(**needs, **lost)(carried())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ray.shutdown()

    def start(self, keys: list[str]) -> None:
        root, accept = self.told
        self.tasks |= {key: self.share.remote(root, key, accept) for key in keys}

    def ended(self, key: str) -> bool:
        return key not in self.tasks or bool(self.ray.wait([self.tasks[key]], timeout=0)[0])

    def stop(self, key: str) -> None:
        self.ray.cancel(self.tasks[key], force=True)
