"""The command line as one table: the options of every command, by which `core.cli` is built and lines are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from core.ask import presets
from core.ask.allocations import AllocationRequest, Correction
from core.ask.options import (
    Option,
    allocated,
    comma,
    examples,
    measured,
    names,
    percent_words,
    pruned,
    roles,
    span_words,
)
from core.ask.texts import USUAL_CALIBRATION, USUAL_EVALUATION
from core.ask.typed import absolute, fraction, numbers, span
from core.base.formats import either
from core.base.paths import resolved
from core.kinds import BASES
from core.kinds.treatments import PRUNERS, REPAIRS, USUAL

SHORTEST = 8  # tokens of a window
CACHE = Option("cache", "Folder for results, in place of cache/.", kind=Path)
JSON = Option("json", "One JSON object on stdout, nothing else there.", False, bool)
DEVICE = Option("device", "cpu, cuda, cuda:1, mps or auto.", "auto", always=True)
ACCEPT = Option("accept_imported", "Let imported results answer too; else they are only shown.", False, bool)
RUN = (DEVICE, CACHE, ACCEPT, JSON)
PART = Option("part", "One share of the work, as in 2/8; whoever does the last one makes the whole.")
SPREAD = (
    PART,
    Option("engine_on", "Spread the work in shares by Ray: ray for this machine, ray:ADDRESS for a cluster."),
    Option("shares", "How many shares, 8 if not said.", None, int),
)
MODEL = (
    Option("model", "demo, a folder, a .gguf file, a Hub id; random:<any> for its untrained twin.", "demo",
           of=("model",), always=True, read=absolute),
    Option("revision", "Branch, tag or commit of a Hub model.", of=("revision",)),
    Option("dtype", "float32, bfloat16 or float16.", "float32", of=("dtype",)),
)  # fmt: skip
EXPORT = (
    Option("export", "Write the pruned model to this folder too."),
    Option("overwrite", "Replace an earlier export there.", False, bool),
)


def _source(name: str, help: str, default: str, field: str) -> Option:
    return Option(name, help, default, of=(field,), always=True, read=absolute)


def _role(name: str, does: str) -> Option:
    return Option(name, f"Text to {does} on.", of=(f"{name}.source",), told=roles, read=absolute)


def _documents(name: str, help: str, field: str) -> Option:
    return Option(name, help, of=(field,), write=span_words, read=span)


def _count(name: str, help: str, default: int, *of: str, least: int = 1) -> Option:
    return Option(name, help, default, int, of, always=True, least=least)


def _pruner(field: str) -> Option:
    return Option("pruner", f"{either(PRUNERS)}.", USUAL, of=(field,), always=True)


def _judged(text: str, documents: str) -> tuple[Option, ...]:
    """What a pruned model is evaluated on."""
    about = "Text for the perplexity: demo:evaluation, file:PATH, a Hub dataset."
    tasks = "Zero-shot tasks; repeatable, or separated by commas."
    return (
        _source(text, about, USUAL_EVALUATION.source, "evaluation.text.source"),
        _documents(documents, "Its documents, as in 800-999.", "evaluation.text.documents"),
        _count("windows", "How many windows of it.", USUAL_EVALUATION.sequences, "evaluation.text.sequences"),
        Option("tasks", tasks, None, list[str], ("evaluation.tasks",), pruned, read=names),
        Option("tasks_from", "Folder of task files; else the harness's own tasks.", of=("evaluation.tasks_from",),
               read=lambda folder: str(resolved(folder))),
        Option("examples", "Examples per task, a seeded sample; 0 for all.", 200, int, ("evaluation.examples",),
               pruned, read=examples),
    )  # fmt: skip


def _aliases() -> Iterator[Option]:
    """The parts of an allocation: its target and bounds, the parameters of every allocator, and the correction."""
    forms = {"": AllocationRequest, **{f"{kind}: ": form for kind, form in BASES.items()}, "Correction: ": Correction}
    for about, form in forms.items():
        for name, field in form.model_fields.items():
            if name in ("base", "correction", "kind"):
                continue
            kind = field.annotation if field.annotation in (float, int, bool) else str
            said = field.description or either(get_args(field.annotation))
            yield Option(name, f"{about}{said}.", False if kind is bool else None, kind, told=allocated)


BASE = Option("base", f"{', '.join(BASES)}; default: uniform.", told=allocated)
ALIASES = (BASE, *_aliases())
METHOD = 'METHOD:TARGET, as in uniform:0.7 or "owl m=5 lam=0.08:0.7", or a .json file'
LENGTH = "Tokens per window, of calibration and evaluation."

OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "measure": (
        *MODEL,
        _source("text", "demo, demo:evaluation, file:PATH, or a Hub dataset.", "demo", "text.source"),
        _documents("documents", "Documents to draw from, as in 0-599.", "text.documents"),
        Option("preset", f"{', '.join(presets.PRESETS)}.", "quick", of=("measurements",), told=measured, always=True),
        Option("perturb", "In place of the preset's; repeatable.", None, list[str], told=measured),
        Option("sequences", "How many windows; default: the preset's.", None, int, ("text.sequences",), measured),
        Option("length", "Tokens per window; default: the preset's.", None, int, ("text.length",), measured),
        Option("seeds", "Noise seeds, as in 0,1.", told=measured),
        Option("positions", "Where noise goes: after_first or all."),
        Option("removal", "What LSA looks at too: the errors of removed weights.", False, bool, ("removal",)),
        Option("engine", "wavefront, or hooks: one full forward per injection.", "wavefront"),
        Option("seed", "Draws the windows.", 0, int, ("text.seed",)),
        Option("packing", "joined or document; default: as suits the text.", of=("text.packing",)),
        Option("bos", "Start token: protocol (the tokenizer's way) or every.", "protocol", of=("text.bos",)),
        *SPREAD,
        *RUN,
    ),
    "compare": (
        Option("model", f"The reference: {MODEL[0].help}", ..., of=("model",), argument=True, read=absolute),
        Option("other", "The checkpoint to hold against it, of the same architecture and vocabulary.", ...,
               of=("measurements.0.perturbation.source",), argument=True, read=absolute),
        *MODEL[1:],
        _source("text", "demo, demo:evaluation, file:PATH, or a Hub dataset.", "demo", "text.source"),
        _documents("documents", "Documents to draw from, as in 0-599.", "text.documents"),
        _count("sequences", "How many windows.", presets.PRESETS["quick"].sequences, "text.sequences"),
        _count("length", "Tokens per window.", presets.PRESETS["quick"].length, "text.length", least=SHORTEST),
        _count("seed", "Draws the windows.", 0, "text.seed", least=0),
        *RUN,
    ),
    "allocate": (
        Option("profile", "A profile's key, or demo.", "demo", of=("profile",), always=True),
        Option("allocation", f"{METHOD}; the options from --base to --clip say its parts one by one.",
               of=("allocation",), told=allocated),
        *ALIASES,
        Option("judge", "Harm that the estimate sums: drift, kl or nll.", "drift", of=("judge",)),
        Option("judge_pruner", "Whose pruning that harm is of; else the curves', or the first measured.",
               of=("judge_pruner",)),
        CACHE,
        JSON,
    ),
    "prune": (
        *MODEL,
        _pruner("settings.0.pruner"),
        Option("repair", f"{either(REPAIRS)}: solve the weights that stay anew.", of=("settings.0.repair",)),
        Option("allocation", f"{METHOD}; else uniform:0.7, or what the pattern fixes.", told=pruned),
        Option("pattern", "N kept of M, as in 2:4; uniform.", of=("settings.0.pattern",)),
        Option("true_sequential", "Prune a layer group by group.", False, bool, ("settings.0.true_sequential",)),
        Option("profile", "The profile that the allocation looks at.", of=("profile",)),
        _source("calibration", "Calibration text.", USUAL_CALIBRATION.source, "calibration.source"),
        _documents("documents", "Its documents, as in 0-599.", "calibration.documents"),
        _count("sequences", "How many calibration windows.", USUAL_CALIBRATION.sequences, "calibration.sequences"),
        _count("length", LENGTH, USUAL_EVALUATION.length, "calibration.length", "evaluation.text.length",
               least=SHORTEST),
        _count("seed", "Draws the calibration windows.", 0, "settings.0.calibration_seed", least=0),
        *_judged("evaluate", "evaluate_documents"),
        *EXPORT,
        *RUN,
    ),
    "evaluate": (
        *MODEL,
        *_judged("text", "documents"),
        _count("length", "Tokens per window.", USUAL_EVALUATION.length, "evaluation.text.length", least=SHORTEST),
        *RUN,
    ),
    "study": (
        Option("file", "A .toml file; see the README for what it holds.", ..., Path, ("file",), argument=True),
        *SPREAD,
        *RUN,
    ),
    "best": (
        *MODEL,
        Option("target", "The sparsity that is wanted, as in 0.6.", None, float, ("target",)),
        Option("max_loss", "In its place: the largest rise of the perplexity, as in 20%.", of=("max_loss",),
               write=percent_words, read=fraction),
        _pruner("pruner"),
        Option("repair", f"{either(REPAIRS)}: tried on the winner; none: not.", "refit_dense", of=("repair",)),
        Option("text", "One text: 60 % of its documents calibrate, 20 % select, 20 % judge.", told=roles),
        _role("calibration", "calibrate and profile"),
        _role("selection", "select"),
        _role("final", "judge"),
        _count("sequences", "How many calibration windows.", 16, "calibration.sequences"),
        _count("windows", "How many windows to select on, and as many to judge on.", 12, "selection.sequences",
               "final.sequences"),
        _count("length", "Tokens per window.", 256, "calibration.length", "selection.length", "final.length",
               least=SHORTEST),
        Option("seeds", "Calibration seeds of the final comparison.", "0,1,2", of=("seeds",), write=comma,
               always=True, read=numbers),
        Option("profile", "A profile to look at; else one is measured.", of=("profile",)),
        Option("effort", "quick: one setting a method; full: the published grids.", "quick", of=("effort",),
               always=True),
        *EXPORT,
        *RUN,
    ),
}  # fmt: skip
# fields that a command does not look at: every setting draws the calibration windows by its own seed
IDLE = {
    "evaluate": ("calibration", "profile"),
    "prune": ("calibration.seed",),
}
