"""The one grammar: what is written reads back."""

import pytest
from hypothesis import given

from core.base import UserError
from core.requests import grammar, read_recipe, recipe_names
from tests.builders.strategies import allocations, settings


@given(allocations)
def test_an_allocation_reads_back(asked):
    assert grammar.read_allocation(grammar.write(asked)) == asked


@given(settings)
def test_a_setting_reads_back(asked):
    assert read_recipe(asked.name) == asked and read_recipe(asked.name).key == asked.key


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
def test_only_what_is_not_as_usual_is_written(text, said):
    assert read_recipe(text).name == said


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("owl", "METHOD:TARGET"), ("owl:x", "'x'"), ("pear:0.5", "pear"), ("manual:0.5", "manual"),
        ("owl m:0.5", "name=value"), ("owl m=5 m=7:0.5", "twice"), ("owl repair=glue:0.5", "refit"),
        ("owl beta=1:0.5", "by, repair, pattern, sequential"),
        ("owl by=hand:0.5", "hand"), ("owl sequential=perhaps:0.5", "perhaps"), ("owl pattern=2:4:0.5", "2:4"),
    ],
)  # fmt: skip
def test_what_cannot_be_gets_one_sentence(text, named, sentence):
    with pytest.raises(UserError) as error:
        read_recipe(text)
    sentence(error.value, named)


def test_an_allocation_takes_no_words_of_a_setting():
    with pytest.raises(UserError, match="uniform has no parameter 'by'"):
        grammar.read_allocation("uniform by=wanda:0.5")


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
        ("uniform pruner_windows=9:0.5", "Uniform, 50 % zeros, Wanda, the pruner reads 9 windows"),
        ("uniform repair=refit pruner_windows=9:0.5", "Uniform, 50 % zeros, Wanda, refit, the pruner reads 9 windows"),
        ("depth_ramp beta=0.05 high=0.9:0.5", "Depth ramp, beta 0.05, high 0.9, 50 % zeros, Wanda"),
        ("response granularity=linear currency=bits:3", "Response per matrix, 3 bits, quantised"),
        ("response pruner=gptq currency=bits:3", "Response, pruner gptq, 3 bits, quantised"),
    ],
)
def test_a_setting_has_one_name_on_screen(text, shown):
    assert recipe_names.setting(read_recipe(text)) == shown
