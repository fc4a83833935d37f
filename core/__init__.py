"""Measure how a language model's later layers amplify or absorb a perturbation, and spend a sparsity budget by it."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

# Of processes that run models. Threads wait for each other awake for a tenth of a millisecond, then give their core to
# the lab, or to another run: if they slept at once, a layer would take 1.15 times as long on two cores. Half a
# millisecond spares a sketch a tenth more, and pages beside it take 1.5 times as long. No bars are drawn.
ENVIRONMENT = {"GOMP_SPINCOUNT": "3000", "TQDM_DISABLE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}

# Modules that scripts import by the names that earlier versions gave them, and that the README told.
MOVED = {
    "core.ask": "core.requests",
    "core.results.evaluations": "core.results.study_results",
    "core.show.words.findings": "core.show.words.gain_sentences",
}


class _Moved(MetaPathFinder, Loader):
    """Import of a module by its earlier name: the same module, not a copy."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        moved = fullname in MOVED or fullname.startswith("core.ask.")
        return ModuleSpec(fullname, self, is_package=fullname == "core.ask") if moved else None

    def create_module(self, spec: ModuleSpec) -> Any:
        module = import_module(MOVED.get(spec.name) or spec.name.replace("core.ask", MOVED["core.ask"]))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: Any) -> None:
        module.__spec__ = module.__spec__.loader_state  # the import system has put the earlier name's in its place


sys.meta_path.append(_Moved())


def lazily(room: str, **files: str) -> Callable[[str], Any]:
    """`__getattr__` of a room: its public names, by the files that they lie in, which load (torch too) on first use."""
    file_of = {name: file for file, names in files.items() for name in names.split()}

    def public(name: str) -> Any:
        if name not in file_of:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{file_of[name]}"), name)

    public.file_of = file_of  # type: ignore[attr-defined]  # the test of imports follows names to files
    return public


def __getattr__(name: str) -> Any:
    """`core.experiment`, the documented entry; it loads torch, so only when it is asked for."""
    if name == "experiment":
        return import_module("core.jobs.execute")
    raise AttributeError(f"module 'core' has no attribute {name!r}")
