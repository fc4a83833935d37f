"""What leaves this machine names files and says no folder."""

import pytest

from core.base import without_folders


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
