"""Study files: a sound one with odd values, and text that is no TOML."""

import contextlib

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from core.requests import StudyRequest, read_study, write_study
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed

SOUND = {
    "model": "demo", "profile": "demo", "targets": [0.5, 0.7], "pruners": ["wanda"], "repairs": ["none"], "seeds": [0],
    "settings": ["uniform", "owl m=5 lam=0.08"], "points": ["uniform pattern=2:4:0.5"],
    "calibration": {"source": "demo", "documents": "0-5", "sequences": 4, "length": 16},
    "evaluation": {"source": "demo:evaluation", "windows": 4, "length": 16, "tasks": ["x"], "examples": 5},
}  # fmt: skip


@fuzz
@given(st.data())
def test_a_study_file(tmp_path_factory, data):
    path, text = tmp_path_factory.getbasetemp() / "study.toml", data.draw(st.text(max_size=60))
    if data.draw(st.integers(0, 3)):
        with contextlib.suppress(TypeError, ValueError, AttributeError):  # TOML has no such value
            text = tomli_w.dumps(data.draw(changed(SOUND, 3)))
    path.write_text(text, encoding="utf-8", errors="replace")
    found = answered(lambda: read_study(path))
    assert found is None or isinstance(found, StudyRequest)
    if found:
        answered(lambda: write_study(found))
