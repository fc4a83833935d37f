"""How profiles are called in lists."""

import pytest

from core.base import Described, distinct, profile_names

DEMO = "SmolLM2-135M-Instruct, dequantised Q4_1 (demo)"


@pytest.mark.parametrize(
    ("model", "text", "name"),
    [
        (DEMO, "c4_en_train_first1000.jsonl, documents 0-599", "SmolLM2-135M · C4"),
        (f"random: {DEMO}, untrained twin", "demo text, calibration half", "SmolLM2-135M, untrained · demo text"),
        ("Qwen/Qwen2-1.5B", "allenai/c4 (train)", "Qwen/Qwen2-1.5B · C4"),
        ("tiny-it", "my-notes.jsonl", "tiny · my-notes"),
        ("gemma-3-270m-it-q4_k_m.gguf, dequantised", "demo text, calibration half", "gemma-3-270m · demo text"),
        ("SmolLM2-135M-Instruct.Q2_K.gguf", "c4", "SmolLM2-135M · C4"),
        ("tiny", "Salesforce/wikitext (test)", "tiny · WikiText-2"),
    ],
)
def test_a_profile_is_called_by_model_text_and_what_it_knows(model, text, name):
    about = Described(model, text, 16, 256, "2026-12-01 10:00:00", "noise, pruning")
    assert profile_names.profile(about) == f"{name} · noise, pruning"


def test_no_two_profiles_are_called_alike_and_only_what_differs_is_added():
    first = Described("m-Instruct", "c4, documents 0-599", 16, 256, "2026-12-01 10:00:00", "noise")
    assert profile_names.profile(first._replace(beside="wanda-50")) == "m · C4 · against wanda-50"
    known = [first, first._replace(model="m"), first._replace(text="c4, documents 600-799"), first._replace(length=64)]
    found = distinct(map(profile_names.forms, [*known, first._replace(created="2026-12-01 11:00:00")]))
    assert len(set(found)) == len(found)
    assert found[1] == "m · C4 · noise · m" and found[3] == "m · C4 · noise · 16 × 64"
    assert found[0] == "m · C4 · noise · 16 × 256 · 2026-12-01 10:00:00"
