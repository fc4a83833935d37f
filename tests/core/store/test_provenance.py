"""What leaves this machine names files and says no folder."""

import pytest

from core.base import without_folders
from core.show.report import reports
from tests.builders.entries import PROVENANCE, save


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/home/tell-tale/m", "m"), ("file:/home/tell-tale/a b.txt", "file:a b.txt"), ("~/m.gguf", "m.gguf"),
        (r"C:\Users\tell-tale\m", "m"), ("random:/home/tell-tale/m", "random:m"), ("org/name", "org/name"),
        ("demo", "demo"), ("torch 2/3", "torch 2/3"),
    ],
)  # fmt: skip
def test_a_path_is_its_last_name(text, said):
    assert without_folders(text) == said


def test_a_report_says_no_folder(empty):
    spec = empty.by_key(save(empty, "profile")).spec
    told = {"model_source": "/home/tell-tale/m", "text_source": "file:/home/tell-tale/t.txt"}
    empty.save(spec, None, PROVENANCE | told | {"request": {"text": {"source": "file:/home/tell-tale/t.txt"}}})
    entry = empty.by_key(spec.key)
    page = reports.html(empty, entry)
    assert "tell-tale" not in page and "file:t.txt" in page
