"""Shares on this machine: as many processes at once as the place says, each with a GPU or some cores of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from typing import Self

from core.jobs.places import Place, gpus
from core.jobs.queue import PROJECT

PROGRAM = (sys.executable, "-m", "core.jobs.share")


class Machine:
    """An engine. Every engine is a context with these four methods.

    Args:
        told: what a share is told beside its key: the cache folder, and whether imported results answer.
    """

    def __init__(self, place: Place, root: str, accept_imported: bool):
        self.place, self.root, self.accept = place, root, accept_imported
        self.waiting: deque[str] = deque()
        self.running: dict[int, tuple[str, subprocess.Popen]] = {}  # by slot

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for key, _ in list(self.running.values()):
            self.stop(key)

    def start(self, keys: list[str]) -> None:
        """Have shares run, some time; one that ended may be started again."""
        self.waiting.extend(keys)
        self._fill()

    def ended(self, key: str) -> bool:
        """Whether nothing works at a share any more, for better or worse."""
        self._fill()
        return key not in self.waiting and all(key != each for each, _ in self.running.values())

    def stop(self, key: str) -> None:
        """End what works at a share."""
        self.waiting = deque(each for each in self.waiting if each != key)
        for each, process in self.running.values():
            if each == key:
                process.kill()
                process.wait()

    def _fill(self) -> None:
        self.running = {slot: each for slot, each in self.running.items() if each[1].poll() is None}
        for slot in range(int(self.place.address)):
            if slot not in self.running and self.waiting:
                key = self.waiting.popleft()
                self.running[slot] = key, self._process(key, slot)

    def _process(self, key: str, slot: int) -> subprocess.Popen:
        command = [*PROGRAM, self.root, key, str(int(self.accept))]
        return subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **self._own(slot)}, stdin=subprocess.DEVNULL)

    def _own(self, slot: int) -> dict[str, str]:
        """What a process has for itself: a GPU, where they suffice in turn, or its part of the cores."""
        there = gpus() if self.place.device == "cuda" else []
        if there:
            return {"CUDA_VISIBLE_DEVICES": there[slot % len(there)]}
        cores = max(1, (os.cpu_count() or 1) // int(self.place.address))
        return {"OMP_NUM_THREADS": str(cores)}
