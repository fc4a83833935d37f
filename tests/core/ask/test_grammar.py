"""The one grammar: what is written reads back."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from core.ask import grammar, naming
from core.ask.allocations import AllocationRequest, Control, Correction
from core.ask.settings import Setting, read_setting, uniform
from core.base.errors import UserError
from core.kinds import BASES, Manual
from core.kinds.owl import OUTLIER_THRESHOLDS
from core.kinds.patterns import pattern as read_pattern
from core.kinds.treatments import OF_ONE_LAYER, PRUNERS, REPAIRS

shares = st.floats(0, 1, exclude_max=True)
drivers = st.sampled_from(["gaussian:0.3", "gaussian:0.01@all", "residual:wanda:0.7", "skip"])
corrections = st.builds(
    Correction,
    strength=st.floats(0, 0.5),
    driver=drivers,
    control=st.sampled_from(get_args(Control)),
    seed=st.integers(0, 99),
    clip=st.floats(1e-6, 1e6),
)
UNPLAIN = {"m": OUTLIER_THRESHOLDS, "pruner": list(OF_ONE_LAYER)}  # parameters whose types do not say what they may be


def values(name: str, field: FieldInfo) -> st.SearchStrategy:
    """Everything that a parameter of an allocator may be."""
    if name in UNPLAIN or field.annotation is not float:
        return st.sampled_from(UNPLAIN.get(name) or get_args(field.annotation))
    said = {key: getattr(each, key) for each in field.metadata for key in ("ge", "le", "lt") if hasattr(each, key)}
    greatest = said.get("le", said.get("lt"))
    return st.floats(said.get("ge"), greatest, exclude_max="lt" in said, allow_nan=False, allow_infinity=False)


bases = st.one_of(
    *(
        st.builds(form, **{name: values(name, field) for name, field in form.model_fields.items() if name != "kind"})
        for form in BASES.values()
        if not form.by_hand
    )
)
bounded = st.builds(AllocationRequest, base=bases, target=shares, low=shares, high=shares, correction=corrections)
loose = bounded.map(lambda asked: asked.model_copy(update={"correction": Correction(), "unclipped": True}))
allocations = st.one_of(bounded, loose)
whole = {
    "pruner": st.sampled_from(list(PRUNERS)),
    "repair": st.sampled_from([None, *REPAIRS]),
    "true_sequential": st.booleans(),
    "calibration_seed": st.integers(0, 10**6),
}
patterned = st.sampled_from(["2:4", "4:8", "1:4", "1:32"]).flatmap(
    lambda name: st.builds(
        Setting, pattern=st.just(name), allocation=st.just(uniform(read_pattern(name).sparsity)), **whole
    )
)
settings = st.one_of(st.builds(Setting, allocation=allocations, **whole), patterned)


@given(allocations)
def test_an_allocation_reads_back(asked: AllocationRequest) -> None:
    assert grammar.read_allocation(grammar.write(asked)) == asked
    assert grammar.method(grammar.words(asked), asked.target) == asked


@given(settings)
def test_a_setting_reads_back(asked: Setting) -> None:
    assert read_setting(asked.name) == asked and read_setting(asked.name).key == asked.key


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uniform:0.7", "uniform:0.7"),
        ("owl:0.7", "owl m=5 lam=0.08:0.7"),
        ("owl lam=0.08 m=5.0:.7", "owl m=5 lam=0.08:0.7"),
        ("dlp unclipped=true by=wanda sequential=no:0.5", "dlp alpha=0.15 unclipped=yes:0.5"),
        ("response pruner=magnitude by=sparsegpt:0.6", "response objective=kl pruner=magnitude by=sparsegpt:0.6"),
        ("uniform pattern=02:4 calibration_seed=1:0.5", "uniform pattern=2:4 calibration_seed=1:0.5"),
        ("uniform strength=0.04:0.5", "uniform strength=0.04 driver=gaussian:0.3:0.5"),
        ("uniform driver=skip:0.5", "uniform driver=skip:0.5"),
    ],
)
def test_only_what_is_not_as_usual_is_written(text: str, said: str) -> None:
    assert read_setting(text).name == said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("owl", "METHOD:TARGET"), ("owl:x", "'x'"), ("pear:0.5", "pear"), ("manual:0.5", "manual"),
        ("owl m:0.5", "name=value"), ("owl m=5 m=7:0.5", "twice"), ("owl repair=glue:0.5", "refit"),
        ("owl beta=1:0.5", "by, repair, pattern, sequential"),
        ("owl by=hand:0.5", "hand"), ("owl sequential=perhaps:0.5", "perhaps"), ("owl pattern=2:4:0.5", "2:4"),
    ],
)  # fmt: skip
def test_what_cannot_be_gets_one_sentence(text: str, named: str, sentence: Callable) -> None:
    with pytest.raises(UserError) as error:
        read_setting(text)
    sentence(error.value, named)


def test_an_allocation_takes_no_words_of_a_setting() -> None:
    with pytest.raises(UserError, match="uniform has no parameter 'by'"):
        grammar.read_allocation("uniform by=wanda:0.5")


def test_what_was_set_by_hand_has_a_name_and_no_line() -> None:
    asked = Setting(allocation=AllocationRequest(base=Manual(sparsity=(0.4, 0.6)), target=0.5), calibration_seed=2)
    assert asked.name == "manual calibration_seed=2:0.5"
    with pytest.raises(UserError):
        read_setting(asked.name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("owl m=7 by=sparsegpt:0.7", "OWL, m 7, 70 % zeros, SparseGPT"),
        (
            "owl strength=0.04 control=shuffled seed=2 clip=1 calibration_seed=1:0.7",
            "OWL, shuffled 0.04 (2), clip 1, 70 % zeros, Wanda, calibration seed 1",
        ),
        ("uniform pattern=2:4 sequential=yes:0.5", "Uniform, 50 % zeros, Wanda, 2:4, true-sequential"),
        ("uniform by=alps repair=refit:0.5", "Uniform, 50 % zeros, ALPS, refit"),
        ("depth_ramp beta=0.05 high=0.9:0.5", "Depth ramp, beta 0.05, high 0.9, 50 % zeros, Wanda"),
    ],
)
def test_a_setting_has_one_name_on_screen(text: str, shown: str) -> None:
    assert naming.whole(read_setting(text)) == shown
