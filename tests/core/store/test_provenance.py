"""What leaves this machine names files and says no folder."""

import pytest

from core.show.report import reports
from core.store.deleting import delete
from core.store.packs import pack
from core.store.provenance_schema import without_folders
from tests.core.packing import TOLD, members, save


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


def test_packs_and_reports_say_no_folder(here):
    spec = here.by_key(save(here, "profile")).spec
    delete(here, here.by_key(spec.key))
    told = {"model_source": "/home/tell-tale/m", "text_source": "file:/home/tell-tale/t.txt"}
    here.save(spec, None, TOLD | told | {"request": {"text": {"source": "file:/home/tell-tale/t.txt"}}})
    save(here, "profile")  # its units; the view stays as it is
    entry = here.by_key(spec.key)
    assert not any(b"tell-tale" in data for data in members(pack(here, entry)).values())
    page = reports.html(here, entry)
    assert "tell-tale" not in page and "file:t.txt" in page
