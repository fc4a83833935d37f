"""What is asked where nothing is said: every entry reads no more of the demo text than there is of it."""

import json
import re
import shlex
from pathlib import Path

import pytest

from core.models import windows
from core.requests import BestRequest, Recipe, StudyRequest, WindowRequest
from core.requests.perturbations import PRESETS
from core.requests.study_file import read_study
from core.results import text_splits
from tests.lines import request_of_line

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [shlex.split(line, comments=True)[3:] for line in re.findall(r"^python -m core .*", README, re.MULTILINE)]
ASKING = [line for line in LINES if line[0] in ("prune", "evaluate", "best")]
USUAL = [["prune"], ["evaluate"], ["best", "--target", "0.6"]]


def drawn(asked, bundled):
    """How many windows a request gets; a request for more than there are is refused."""
    return windows.windows(asked, bundled).spec.sequences


def reads(request):
    """Every text that a request reads."""
    if isinstance(request, StudyRequest):
        return [request.calibration, request.evaluation.text]
    cut = text_splits.split(request, lambda source: len(windows.read(source).documents))
    return [cut.calibration, cut.selection, cut.final]


@pytest.mark.bundled
@pytest.mark.parametrize("line", [*USUAL, *ASKING], ids=" ".join)
def test_a_command_line_asks_for_no_more_than_there_is(line, bundled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pieces = [json.dumps({"text": piece}) for piece in windows.read("demo").documents] * 4
    (tmp_path / "calibration.jsonl").write_text("\n".join(pieces), encoding="utf-8")  # a text of one's own
    for window in reads(request_of_line(shlex.join(["python", "-m", "core", *line]))):
        assert drawn(window, bundled) == window.sequences >= 8


def test_commands_and_study_files_ask_for_the_usual(tmp_path):
    usual = StudyRequest(settings=(Recipe(),))
    assert request_of_line("python -m core prune") == usual
    assert request_of_line("python -m core evaluate") == StudyRequest()
    file = tmp_path / "study.toml"
    file.write_text("", encoding="utf-8")
    assert read_study(file) == usual
    file.write_text("[calibration]\nseed = 1\n[evaluation]\ntasks = ['arc_easy']", encoding="utf-8")
    assert read_study(file).evaluation.text == usual.evaluation.text
    assert read_study(file).calibration == usual.calibration.model_copy(update={"seed": 1})


@pytest.mark.bundled
def test_requests_that_name_no_text_read_what_there_is(bundled):
    asked = [*reads(StudyRequest()), *reads(BestRequest(target=0.7))]
    asked += [WindowRequest(sequences=each.sequences, length=each.length) for each in PRESETS.values()][:-1]
    assert list(PRESETS)[-1] == "paper", "which is for a longer text"
    assert [drawn(each, bundled) for each in asked] == [each.sequences for each in asked]
