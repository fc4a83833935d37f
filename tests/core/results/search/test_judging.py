"""What is answered, from losses that are invented: who won, whether that holds, and what is said of it."""

import re
from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import UserError
from core.requests import BestRequest, Recipe, grammar, read_recipe
from core.results import BestProvenance, SeedResult, Study, best, candidates, search_plan
from core.show.words import study_lines
from core.store import Losses

TOLD = BestProvenance.model_construct(forecasts={})


def invented(words, losses, seed=0, target=0.5, pruner="wanda"):
    setting = Recipe(pruner=pruner, allocation=grammar.read_allocation(f"{words}:{target}"), calibration_seed=seed)
    evaluated = Losses(nll=losses, kl=losses, agreement=losses, zeros=np.zeros((1, 1)))
    pruned = SimpleNamespace(calibration=None if pruner == "magnitude" else "a text")
    return SeedResult(setting, pruned, evaluated, {}, {})


def test_the_winner_has_the_least_loss_and_what_breaks_never_wins():
    means = {"owl lam=0.05": 2.0, "owl lam=0.08": 2.1, "dlp": 2.2, "uniform": 2.3, "alphapruning": np.nan}
    points = tuple(invented(words, np.full(8, mean)) for words, mean in means.items())
    assert candidates.choose(Study(None, {}, points)).name == "owl m=5 lam=0.05:0.5"
    predicted = {points[0].setting: 2.5, points[1].setting: 1.9}
    assert candidates.choose(Study(None, {}, points), None, predicted) == points[1].setting, "2.25 and 2.0"
    with pytest.raises(UserError, match="not finite"):
        candidates.choose(Study(None, {}, points[-1:]))


@hypothesis.settings(max_examples=25)  # each is six bootstraps
@given(st.floats(-0.2, 0.2), st.floats(0, 0.3), st.sampled_from([5, 8, 20]))
def test_uniform_is_the_answer_unless_the_winner_is_certainly_better(shift, noise, windows):
    draw = np.random.default_rng(7)
    base = 3 + draw.random(windows)
    points = ()
    for seed in (0, 1, 2):
        noisy = base + shift + noise * draw.standard_normal(windows)
        points += invented("uniform", base + 0.01 * seed, seed), invented("owl", noisy, seed)
    winner = points[1].setting
    spec = SimpleNamespace(winner=winner, max_loss=None)
    found = best.Best(spec, TOLD, None, Study(None, {}, points))
    interval = found.against_uniform
    assert found.answer == (winner if interval.windows.certain and interval.windows.high < 0 else winner.uniform)
    assert ("does not hold" in study_lines.answer(found)) == (found.answer != winner)
    assert study_lines.answer(found).startswith(f"Use {'OWL' if found.answer == winner else 'uniform'} at 50 %: ")
    assert "owl" not in study_lines.answer(found)
    assert interval.seeds.n == 3 and (
        not interval.windows.certain or "3 calibration seeds" in study_lines.answer(found)
    )


def test_more_lost_than_was_allowed_is_said():
    """No target is known at which uniform kept within the loss: its loss at the winner's target stands as it is."""
    base = 3 + np.random.default_rng(7).random(8)
    dense = SeedResult(None, None, Losses(base, base, base, base), {}, {})
    points = (dense, invented("uniform", base + np.log(1.25)), invented("owl", base + np.log(1.26)))
    spec = SimpleNamespace(winner=points[2].setting, max_loss=0.2)
    study = Study(None, {}, points)
    found = best.Best(spec, TOLD, study, study)
    assert found.answer == found.fallback == found.uniform
    assert re.search(r"; 20 % .* by 5 points\.", study_lines.loss(found))
    lower = Study(None, {}, (*points, invented("uniform", base, target=0.3)))
    assert best.Best(spec, TOLD, lower, lower).fallback.allocation.target == 0.3
    unasked = best.Best(SimpleNamespace(**vars(spec) | {"max_loss": None}), TOLD, lower, lower)
    assert unasked.answer == found.uniform


@pytest.mark.parametrize(
    ("pruner", "alone"), [("alps", {"residual:alps:0.3", "residual:alps:0.9"}), ("gguf", set()), ("left_out", {"skip"})]
)
def test_a_search_measures_layers_alone_and_sketches_linears_on_little_text(pruner, alone):
    asked = search_plan.profile_request(BestRequest(target=0.5, pruner=pruner))
    names = {each.perturbation.name for each in asked.measurements}
    assert names >= alone | {"gaussian:0.3"} and asked.sketch and (len(names) > 1) == bool(alone)
    assert (asked.text.sequences, asked.text.length) == (4, 128)


def test_magnitude_is_judged_with_one_seed():
    asked = BestRequest(target=0.5, pruner="magnitude", repair="none")
    winner = read_recipe("depth_ramp by=magnitude:0.5")
    judged = search_plan.final_request(asked, None, [winner, winner.replace(repair="refit")]).settings
    assert [(each.repair, each.calibration_seed) for each in judged] == [(None, 0), *(("refit", n) for n in range(3))]
    assert len(search_plan.final_request(asked, None, [winner.replace(pruner="wanda")]).settings) == 3
