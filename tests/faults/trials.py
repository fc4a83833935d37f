"""Kill a command at a step, run it again, and see whether anything was lost. A fork a run: torch is loaded once."""

import contextlib
import gc
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from typing import NamedTuple

import transformers.modeling_utils

from core.store import KINDS, SUFFIX, TEMPORARY, TRAINING, encode, read
from tests.faults.commands import COMMANDS, do_little, prepared
from tests.faults.steps import Steps, nothing

VOLATILE = {"seconds", "seconds_pruning", "created", "commit"}  # of provenance
UNITS = [kind for kind, (_, form) in KINDS.items() if form]
FINISHED = re.compile(rf"(parts/\w+/[\d-]+|({'|'.join(UNITS)})/\w+)")
KILLED = (-signal.SIGKILL, -signal.SIGPROF)


class Ran(NamedTuple):
    """How a run ended, what it said where it failed, and what it did."""

    code: int  # exit code, or the negative number of the signal that ended it
    said: str
    steps: list
    finished: list  # parts and units that got their name
    loaded: list  # modules that it had when it ended by itself
    seconds: float  # of the processor, without those of processes that it began


class Trials:
    """One command on one bench; each trial begins with the same folder at the same place."""

    def __init__(self, name, folder):
        self.command = COMMANDS[name]
        (folder / "bench").mkdir()
        self.bench = prepared(folder / "bench")
        self.start = folder / "start"
        for step in self.command.before:
            code = self._forked(step, nothing).code
            assert code == 0, f"{step.__name__} ended with {code}"
        shutil.copytree(self.bench.root, self.start)
        for name in self.run().loaded:  # every trial would load the same modules again
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.freeze()  # what the forks share, they need not copy to count
        self.whole = self.run()
        assert self.whole.code == 0, self.whole.said
        self.results = results(self.bench)

    def run(self, fault=nothing, seconds=0.0, anew=True):
        """The command in a process of its own, with a fault, or ended after so many seconds of the processor."""
        if anew:
            shutil.rmtree(self.bench.root)
            shutil.copytree(self.start, self.bench.root)
        return self._forked(self.command.run, fault, seconds)

    def kill(self, **how):
        """What was lost by a kill, in words; empty where nothing was, None where the run ended before it.

        A machine that is busy takes more steps: how fast it was is only written down after a second.
        """
        first = self.run(**how)
        if first.code not in (0, *KILLED):
            return f"was not killed, and ended with {first.code}: {first.said}"
        return self.again(first) or (None if first.code == 0 else "")

    def again(self, first):
        """What is lost when the command is run again after a run that was cut short, in words."""
        broken = [each for each in entries(self.bench) if not sound(each)]
        again = self.run(anew=False)
        if again.code not in ((0, 2) if self.command.gone else (0,)):
            return f"cannot be run again: {again.said.splitlines()[-1] if again.said else again.code}"
        return self._lost(broken, first, again)

    def _lost(self, broken, first, again):
        found = results(self.bench)
        names = found.keys() | self.results.keys()
        differing = sorted(name for name in names if found.get(name) != self.results.get(name))
        twice = sorted(set(first.finished) & set(again.finished))
        hidden = [path.name for path in self.bench.root.rglob(".*") if TEMPORARY.fullmatch(path.name)]
        said = {"broken": broken, "differs": differing, "computed twice": twice, "left behind": hidden}
        return "; ".join(f"{what}: {', '.join(map(str, each[:3]))}" for what, each in said.items() if each)

    def _forked(self, step, fault, seconds=0.0):
        with contextlib.ExitStack() as files:
            told, errors, loaded = (files.enter_context(tempfile.TemporaryFile()) for _ in range(3))
            child = os.fork()
            if child == 0:
                signal.setitimer(signal.ITIMER_PROF, seconds)  # then the system ends it, as `kill -9` does
                _child(self.bench, step, fault, told.fileno(), errors.fileno(), loaded.fileno())
            _, status = os.waitpid(child, 0)
            lines, said, modules = map(_whole_text, (told, errors, loaded))
            steps = [line.split(" ", 1)[1] for line in lines.splitlines()]
            finished = [name for name in steps if FINISHED.fullmatch(name.removeprefix(f"{self.bench.cache}/"))]
            seconds, *modules = modules.splitlines() or [0]
            return Ran(os.waitstatus_to_exitcode(status), said, steps, finished, modules, float(seconds))


def _whole_text(file):
    file.seek(0)
    return file.read().decode()


def _child(bench, step, fault, told, errors, loaded):
    """Run a step as a process of its own would, and leave."""
    code = 1
    try:
        os.dup2(errors, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        do_little()
        steps = Steps(bench.root, fault, told)
        save = transformers.modeling_utils.safe_save_file

        def counted(tensors, path, *rest, **more):
            steps.native(path)
            save(tensors, path, *rest, **more)

        transformers.modeling_utils.safe_save_file = counted
        code = step(bench)
        os.write(loaded, "\n".join([str(time.process_time()), *sys.modules]).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def entries(bench):
    """Every entry and part that has its name and should be whole."""
    kinds = [bench.cache / kind for kind in KINDS] + [*bench.cache.glob("parts/[!.]*")]  # hidden: being deleted
    return (path for folder in kinds for path in folder.glob(f"[!.]*{SUFFIX}") if path.name != TRAINING)


def sound(path):
    """True if an entry reads back under its kind and name, or a part as a unit of the name of its folder."""
    folder = path.parent.name
    for kind, key in [(folder, path.stem)] if folder in KINDS else [(unit, folder) for unit in UNITS]:
        with contextlib.suppress(Exception):
            return bool(read(path, kind, key))
    return False


def results(bench):
    """Every result and every file outside the cache, but for what is new each time; hidden ones apart."""
    kept = [*(bench.cache / kind for kind in KINDS), bench.cache / "parts", bench.root / "out"]
    files = [path for folder in kept for path in folder.rglob("*")] + [*bench.root.glob("*")]
    return {path.relative_to(bench.root).as_posix(): _content(path) for path in files if path.is_file()}


def _content(path):
    if path.parent.name not in KINDS:
        return path.read_bytes()
    entry = read(path, path.parent.name, path.stem)
    kept = {name: value for name, value in entry.provenance.items() if name not in VOLATILE}
    return entry.spec, kept, {name: array.tobytes() for name, array in encode(entry.result).items()}
