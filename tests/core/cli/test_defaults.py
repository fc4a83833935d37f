"""What is asked where nothing is said: every entry reads no more of the demo text than there is of it."""

import pytest

from core.models import windows
from core.requests import PRESETS, BestRequest, Recipe, StudyRequest, WindowRequest, read_study
from core.results import text_splits
from tests.lines import request_of_line


def drawn(asked, bundled):
    """How many windows a request gets; a request for more than there are is refused."""
    return windows.windows(asked, bundled).spec.sequences


def reads(request):
    """Every text that a request reads."""
    if isinstance(request, StudyRequest):
        return [request.calibration, request.evaluation.text]
    cut = text_splits.split(request, lambda source: len(windows.read(source).documents))
    return [cut.calibration, cut.selection, cut.final]


def test_commands_and_study_files_ask_for_the_usual(tmp_path):
    usual = StudyRequest(settings=(Recipe(),))
    assert request_of_line("python -m core prune") == usual
    assert request_of_line("python -m core evaluate") == StudyRequest()
    file = tmp_path / "study.toml"
    file.write_text("", encoding="utf-8")
    assert read_study(file) == usual
    file.write_text("[calibration]\nseed = 1\n[evaluation]\ntasks = ['arc_easy']", encoding="utf-8")
    assert read_study(file).evaluation.text == usual.evaluation.text
    assert read_study(file).calibration == usual.calibration.replace(seed=1)


@pytest.mark.bundled
def test_requests_that_name_no_text_read_what_there_is(bundled):
    asked = [*reads(StudyRequest()), *reads(BestRequest(target=0.7))]
    asked += [WindowRequest(sequences=each.sequences, length=each.length) for each in PRESETS.values()][:-1]
    assert list(PRESETS)[-1] == "paper", "which is for a longer text"
    assert [drawn(each, bundled) for each in asked] == [each.sequences for each in asked]
