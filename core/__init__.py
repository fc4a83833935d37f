"""Measure how a language model's later layers amplify or absorb a perturbation, and spend a sparsity budget by it."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """`core.experiment`, the documented entry; it loads torch, so only when it is asked for."""
    if name == "experiment":
        return import_module("core.jobs.execute")
    raise AttributeError(f"module 'core' has no attribute {name!r}")
