"""The command line as one table: each command's options, read from the request fields that they fill."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from core.base import Spec, capital, either, number, word
from core.methods import DEFAULT_PRUNER, PRUNERS, REPAIRS
from core.requests import grammar
from core.requests.export_and_search import BestRequest
from core.requests.inputs import OfModel
from core.requests.measurements import MeasureRequest
from core.requests.perturbations import PRESETS
from core.requests.recipes import TRAINED, Recipe
from core.requests.studies import StudyRequest

ROLES = ("calibration", "selection", "final")  # texts of a search

CommandRequest = MeasureRequest | StudyRequest | BestRequest


class Option(NamedTuple):
    """One option of a command.

    Attributes:
        name: of its value; the line writes `--true-sequential` for `true_sequential`.
        of: request fields that it fills, all with one value; empty if the command reads it in another way.
        write: value -> text.
        least: smallest number allowed.
        always: written at its default too, so that the line means the same when the default changes.
        argument: it has a place in the line, not a name.
    """

    name: str
    help: str
    default: Any = None
    kind: Any = str
    of: tuple[str, ...] = ()
    write: Callable[[Any], str] = word
    least: int | None = None
    always: bool = False
    argument: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    def line(self, value: Any) -> list[str]:
        """Words that say a value, or a text as it is; none for the default."""
        if value is None or (value == self.default and not self.always):
            return []
        if self.kind is bool:
            return [self.flag]
        values = value if self.kind == list[str] else [value]
        texts = [one if isinstance(one, str) else self.write(one) for one in values]
        return texts if self.argument else [part for text in texts for part in (self.flag, text)]


def field_at(request: Any, path: str) -> Any:
    """Value at a path of a request, as in `settings.0.pruner`."""
    for name in path.split("."):
        request = request[int(name)] if name.isdecimal() else getattr(request, name)
    return request


def _fills(request: Spec, *of: str, name: str = "", **more: Any) -> Option:
    """An option that fills a field, with the field's name, help, type, default and least value unless `more` says else.

    Args:
        request: a request of the command with its defaults.
        of: paths of the field, and of others that get the same value.
    """
    into, _, last = of[0].rpartition(".")
    holder = field_at(request, into) if into else request
    field = type(holder).model_fields[last]
    forms = get_args(field.annotation) or (field.annotation,)
    derived = {
        "help": f"{capital(field.description or either(map(str, forms)))}.",
        "default": getattr(holder, last),
        "kind": next((kind for kind in (bool, int, float) if kind in forms), str),
        "least": next((limit.ge for limit in field.metadata if hasattr(limit, "ge")), None),
    }
    return Option(name or last, of=of, **derived | more)


def _comma(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _percent(loss: float) -> str:
    """A share as `fraction` reads it back: above 1 with a percent sign."""
    return number(loss) if loss <= 1 else f"{100 * loss:.15g}%"


# --- the table -------------------------------------------------------------------------------------------------------

_switch = partial(Option, default=False, kind=bool)
_argument = partial(Option, default=..., argument=True)
CACHE = Option("cache", "Folder for results, in place of cache/.", kind=Path)
JSON = _switch("json", "One JSON object on stdout, nothing else there.")
DEVICE = Option("device", "cpu, cuda, cuda:1, mps or auto.", "auto", always=True)
AT_MOST = Option(
    "at_most",
    "Bytes of all weights in place of the target, as in 100MB; zeros count as a bitmask, bits with their scales.",
)
FORMAT = Option("format", "dense, compressed-tensors, gguf, or gguf with a type, as in gguf:Q4_0.", "dense")
FORCE = _switch("force", "Replace the file if it is there.")
OVERWRITE = _switch("overwrite", "Replace an earlier export there.")
RUN = (DEVICE, CACHE, JSON)
SPREAD = (
    Option("part", "One share of the work, as in 2/8; the last share to finish makes the whole."),
    Option("engine_on", "Spread the work in shares by Ray: ray for this machine, ray:ADDRESS for a cluster."),
    Option("shares", "How many shares, 8 if not said.", None, int),
)
MODEL = (_fills(OfModel(), "model", always=True), _fills(OfModel(), "revision"), _fills(OfModel(), "dtype"))
METHOD = 'METHOD:TARGET, as in uniform:0.7 or "owl m=5 lam=0.08 strength=0.04:0.7", or a .json file'
ONE_LENGTH = "Tokens per window, of calibration and evaluation."

_documents: dict[str, Any] = {"write": lambda documents: "{}-{}".format(*documents)}
_of_profile = partial(_fills, MeasureRequest(measurements=PRESETS["quick"].measurements))
_of_study = partial(_fills, StudyRequest(settings=(Recipe(),)))
_of_best = partial(_fills, BestRequest(target=0.7), always=True)
_window = _of_profile("text.source", name="text", always=True), _of_profile("text.documents", **_documents)
REPAIRED = f"{either(REPAIRS)}, or several as in refit_dense+distill"
_pruner: dict[str, Any] = {"help": f"{either(PRUNERS)}.", "always": True}
_treated = (
    _of_study("settings.0.pruner", **_pruner),
    _of_study("settings.0.repair", help=f"{REPAIRED}: solve or train the remaining weights again."),
    *(_of_study(f"settings.0.{name}") for name in TRAINED),
)


_calibrated = (
    _of_study("calibration.source", name="calibration", always=True),
    _of_study("calibration.documents", **_documents),
    _of_study("calibration.sequences", help="How many calibration windows.", always=True),
    _of_study("calibration.length", "evaluation.text.length", help=ONE_LENGTH, always=True),
)


def _judged(text: str, documents: str) -> tuple[Option, ...]:
    """Options for the text and the tasks that a pruned model is evaluated on."""
    return (
        _of_study("evaluation.text.source", name=text, always=True),
        _of_study("evaluation.text.documents", name=documents, **_documents),
        _of_study("evaluation.text.sequences", name="windows", always=True),
        _of_study("evaluation.tasks", help="Zero-shot tasks; repeatable, or separated by commas.", kind=list[str]),
        _of_study("evaluation.tasks_from"),
        _of_study("evaluation.examples", least=0),
    )


OPTIONS = {  # of every command
    "measure": (
        *MODEL,
        *_window,
        Option("preset", f"{', '.join(PRESETS)}.", "quick", always=True),
        Option("perturb", "In place of the preset's perturbations; repeatable.", (), list[str],
               write=lambda chosen: chosen.name),
        _of_profile("text.sequences", default=None, always=True),
        _of_profile("text.length", default=None, always=True),
        Option("seeds", "Noise seeds, as in 0,1.", write=_comma),
        _of_profile("removal"),
        _of_profile("sketch"),
        _of_profile("kquants"),
        Option("engine", "wavefront, or hooks: one full forward per injection.", "wavefront",
               Literal["wavefront", "hooks"]),
        *(_of_profile(f"text.{name}") for name in ("seed", "packing", "bos")),
        *SPREAD,
        *RUN,
    ),
    "compare": (
        _argument("model", f"The reference: {MODEL[0].help}", of=("model",)),
        _argument("other", "The checkpoint to compare with it, of the same architecture and vocabulary.",
                  of=("measurements.0.perturbation.source",)),
        *MODEL[1:],
        *_window,
        *(_of_profile(f"text.{name}") for name in ("sequences", "length", "seed")),
        _switch("exact", "Measure every linear alone too, in place of its sketch."),
        Option("plan", "A file for the same formats with more bits in the three worst tensors, to export.", None, Path),
        *RUN,
    ),
    "allocate": (
        Option("profile", "A profile's key, or demo.", "demo", always=True),
        Option("allocation", f"{METHOD}.", "uniform:0.7", always=True, write=grammar.write),
        Option("pruner", f"{either(PRUNERS)}: the pruner to predict for.", DEFAULT_PRUNER),
        Option("repair", f"{REPAIRED}: the repair to predict for."),
        Option("anchors", "Key of the study whose settings predict; else the best protocol's."),
        Option("max_loss", "In place of the target: the largest rise of the perplexity that is predicted, as in 10%."),
        AT_MOST,
        CACHE,
        JSON,
    ),
    "anchors": (
        Option("profile", "The profile whose curves predict.", "demo", always=True),
        *_treated,
        *_calibrated,
        *_judged("evaluate", "evaluate_documents")[:3],
        *RUN,
    ),
    "prune": (
        *MODEL,
        *_treated,
        Option("allocation", f"{METHOD}; else uniform:0.7, or what the pattern fixes.", of=("settings.0.allocation",),
               always=True, write=grammar.write),
        AT_MOST,
        _of_study("settings.0.pattern"),
        _of_study("settings.0.true_sequential"),
        _of_study("profile"),
        *_calibrated,
        _of_study("imatrix"),
        _of_study("settings.0.calibration_seed", name="seed", always=True),
        *_judged("evaluate", "evaluate_documents"),
        Option("export", "Write the pruned model to this folder too."),
        FORMAT,
        OVERWRITE,
        *RUN,
    ),
    "evaluate": (
        *MODEL,
        *_judged("text", "documents"),
        _of_study("evaluation.text.length", always=True),
        *RUN,
    ),
    "study": (
        _argument("file", "A .toml file; see the README for what it holds.", kind=Path),
        *SPREAD,
        *RUN,
    ),
    "best": (
        *MODEL,
        _of_best("target", kind=str, default=None, write=number, help="The sparsity that is wanted, as in 0.6 or 60%; "
                 "of few bits how many, as in 3.5."),
        _of_best("max_loss", kind=str, write=_percent),
        _of_best("at_most", kind=str, write=lambda size: f"{number(size / 1e6)}MB"),
        _of_best("pruner", **_pruner),
        _of_best("repair", help=f"{REPAIRED}, but for distill: tried on the winner; none: not."),
        _of_best("recover_minutes"),
        _of_best("recover_dtype"),
        Option("text", "One text: 60 % of its documents calibrate, 20 % select, 20 % judge.",
               of=tuple(f"{role}.source" for role in ROLES)),
        *(_of_best(f"{role}.source", name=role, help=f"Text of the {role} alone.", default=None) for role in ROLES),
        _of_best("calibration.sequences", help="How many calibration windows."),
        _of_best("selection.sequences", "final.sequences", name="windows",
                 help="How many windows to select on, and as many to judge on."),
        _of_best(*(f"{role}.length" for role in ROLES)),
        _of_best("seeds", default="0,1,2", write=_comma),
        _of_best("profile"),
        _of_best("folder", name="export", help="Write the answer to this folder too."),
        OVERWRITE._replace(of=("overwrite",)),
        *RUN,
    ),
    "show": (
        _argument("key", "A profile's key, the beginning of one, or demo."),
        Option("gains", "Every layer of a perturbation, as in gaussian:0.3."),
        Option("matrix", "Drift matrix of a perturbation, as in gaussian:0.3."),
        _switch("sketch", "How far off the sketch was on what was measured too."),
        _switch("tokens", "The token ids, where the text is at hand."),
        CACHE,
        JSON,
    ),
    "report": (
        _argument("key", "Of a profile, a study or a best setting, or its beginning, or demo."),
        Option("out", "The file to write, as in report.html.", ..., Path),
        FORCE,
        CACHE,
        JSON,
    ),
    "export": (
        _argument("key", "Of a study or a best setting, or the beginning of one."),
        Option("to", "The folder to write.", ..., Path),
        Option("setting", "Which one of a study: its name, or a part that no other name has."),
        FORMAT,
        OVERWRITE,
        DEVICE,
        CACHE,
        JSON,
    ),
    "runs delete": (
        _argument("key", "Key, or the beginning of one, of a profile, study, export or job."),
        _switch("yes", "Delete; without it, the command says what would go."),
        CACHE,
        JSON,
    ),
}  # fmt: skip
