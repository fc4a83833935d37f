"""One command writer: every line reads back as what it asks, and what no line can say is refused."""

import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import UserError
from core.methods import Manual
from core.requests import (
    PRESETS,
    AllocationRequest,
    BestRequest,
    EvaluationRequest,
    MeasureRequest,
    Recipe,
    StudyRequest,
    WindowRequest,
    command_line,
    expanded,
    grammar,
    line,
    measurements,
    perturbation,
    quoted,
    read_recipe,
)
from core.results import split, whole_line
from core.show.report import request_of_profile
from core.store import Store
from tests.lines import options_of, request_of_line

ROOT = Path(__file__).resolve().parents[3]
C4 = WindowRequest(source="allenai/c4", documents=(0, 599), sequences=9, length=64)
JUDGED = EvaluationRequest(text=C4, tasks=("rte", "boolq"), tasks_from=str(Path("/tasks").resolve()), examples=None)
ODD_TEXT = WindowRequest(source="demo:evaluation", documents=(0, 5), packing="document", bos="every", length=32, seed=3)
NOISE = measurements.measurements([perturbation("gaussian:0.25@all"), perturbation("skip")], (0, 2))
SETTINGS = [
    "uniform:0.7",
    "owl m=5 lam=0.08 strength=0.04 driver=gaussian:0.3 by=sparsegpt calibration_seed=1:0.6",
    "uniform pattern=2:4 sequential=yes:0.5",
    "uniform low=0.1 pattern=2:4:0.5",
    "response objective=kl pruner=wanda+refit repair=refit:0.6",
    "uniform repair=distill pruner_windows=8 recover_tokens=9000 recover_dtype=bfloat16 recover_text=own:0.7",
]
REQUESTS = [
    *(
        MeasureRequest(
            text=WindowRequest(sequences=each.sequences, length=each.length),
            measurements=each.measurements,
            sketch=sketch,
        )
        for each in PRESETS.values()
        for sketch in {each.sketch, True}
    ),
    MeasureRequest(model="random:demo", revision="main", dtype="bfloat16", text=ODD_TEXT, measurements=NOISE),
    *(StudyRequest(settings=(read_recipe(each),)) for each in SETTINGS),
    StudyRequest(
        model="org/name", revision="v1", dtype="float16", profile="0123456789abcdef", calibration=C4,
        settings=(read_recipe(SETTINGS[1]),), evaluation=JUDGED,
    ),
    StudyRequest(),
]  # fmt: skip


@pytest.mark.parametrize("request_", REQUESTS, ids=command_line)
def test_a_line_asks_for_the_same(request_):
    assert request_of_line(command_line(request_)) == request_


def test_device_cache_and_what_no_request_holds_are_said_too():
    told = {"engine": "hooks", "device": "cuda:1", "cache": Path("my cache")}
    _, values = options_of(command_line(REQUESTS[0], **told))
    assert vars(values).items() >= told.items()
    told = {"allocation": "a b/recipe.json", "export": "again"}
    _, values = options_of(command_line(StudyRequest(settings=(Recipe(),)), **told))
    assert vars(values).items() >= told.items()


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (StudyRequest(settings=(Recipe(), Recipe(calibration_seed=1))), "study file"),
        (StudyRequest(settings=(Recipe(),), calibration=C4), "no option for this (calibration|evaluation)"),
        (StudyRequest(evaluation=EvaluationRequest(seed=3)), "this evaluation"),
        (StudyRequest(settings=(Recipe(allocation=AllocationRequest(base=Manual(sparsity=(0.7,)))),)), "by hand"),
        (BestRequest(target=0.5, calibration=WindowRequest(documents=(0, 5), length=256)), "this calibration"),
    ],
)
def test_what_no_option_says_is_refused(request_, named):
    with pytest.raises(UserError, match=named):
        command_line(request_)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_words_are_quoted_for_a_shell(words):
    assert shlex.split(quoted(words)) == words


def test_windows_quotes_in_its_own_way(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    words = ["python", "-m", "core", "allocate", "--profile", "demo", "--allocation", "owl m=5 lam=0.08:0.7"]
    written = line("allocate", profile="demo", allocation=grammar.read_allocation("owl:0.7"))
    assert written == subprocess.list2cmdline(words) and '"owl m=5 lam=0.08:0.7"' in written


def test_tasks_are_repeated_or_separated_by_commas_with_spaces():
    line = "python -m core evaluate --tasks ' arc_easy, boolq,' --tasks 'rte '"
    assert request_of_line(line).evaluation.tasks == ("arc_easy", "boolq", "rte")


# --- a whole search ------------------------------------------------------------------------------------------------

ONE = WindowRequest(source="allenai/c4", sequences=9, length=64)
SEARCHES = {
    "the demo": BestRequest(target=0.7),
    "one text": BestRequest(max_loss=0.125, calibration=ONE, selection=ONE, final=ONE),
    "a text for each": BestRequest(
        target=0.55, pruner="sparsegpt", seeds=(3, 1), profile="0123456789abcdef", revision="main",
        dtype="bfloat16", calibration=ONE, selection=ONE.replace(source="third/text"),
        final=ONE.replace(source="other/text"),
    ),
    "two roles share": BestRequest(
        max_loss=1.5, calibration=ONE, selection=ONE, final=ONE.replace(source="other/text")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEARCHES)
def test_the_line_of_a_search_asks_the_same(name):
    stored = split(SEARCHES[name], lambda source: 23)
    again = request_of_line(whole_line(stored))
    assert again == SEARCHES[name] and split(again, lambda source: 23) == stored


def text(role, **how):
    stored = split(SEARCHES["one text"], lambda source: 23)
    return stored.model_copy(update={role: getattr(stored, role).replace(**how)})


@pytest.mark.parametrize(
    "request_",
    [
        text("final", length=128), text("selection", sequences=12), text("calibration", bos="every"),
        text("final", documents=(20, 30)), text("final", documents=(0, 0)), text("calibration", documents=None),
    ],
)  # fmt: skip
def test_a_search_that_the_options_cannot_say_has_no_line(request_):
    assert whole_line(request_) is None


def test_make_demo_measures_the_profiles_that_studies_look_at():
    """On the same windows and in the stored order; the standard preset has grown, and `mixed` is measured no more."""
    said = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [each for each in said.replace("\\\n", " ").splitlines() if " core measure " in each]
    requests = [request_of_line(f"python {each[each.index('-m core') :]}") for each in lines]
    studies = [tomllib.loads(path.read_text("utf-8")) for path in (ROOT / "tests/bench/studies").rglob("*.toml")]
    store = Store(ROOT / "cache/demo")
    keys = {store.profile(each.get("profile", "demo")).key for each in studies}
    assert len(keys) >= 7
    for entry in map(store.profile, keys):
        told, linears = request_of_profile(entry), entry.provenance["linears"]
        kept = tuple(each for each in told.measurements if each.pruner != "mixed")
        alike = [each for each in requests if windows(each) == windows(told)]
        if entry.spec.text == store.profile("demo").spec.text:
            assert any({*kept} <= {*each.measurements} for each in alike)
        else:
            assert kept in [expanded(each.measurements, linears) for each in alike], entry.key


def windows(request):
    text = request.text
    return Path(request.model).name, text.documents, text.sequences, text.length, text.bos, request.removal
