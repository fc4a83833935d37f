"""What drowns in rounding is said to."""

from dataclasses import replace

import numpy as np
import pytest

from core.plan.gains import gains_of
from core.results.propagation import matrix
from core.show.words import gain_sentences
from core.store.results import Floor
from tests.builders.profiles import stored

LAYERS, NAME = 6, "gaussian:0.3"


@pytest.fixture
def profile(empty):
    return stored(empty)


def floored(profile, share):
    """The profile with a noise floor of so much of the drift at the last layer, per injection layer."""
    drift = matrix(profile.seeds(NAME)) * share[:, None]
    return replace(profile, floor=Floor(drift=drift, half_precision=np.full(LAYERS, 0.25)))


def test_layers_below_ten_times_the_floor_are_named(profile):
    share = np.array([0.05, 0.2, 0.3, 0.05, 0.05, 0.05])
    found = floored(profile, share)
    assert gain_sentences.drowned(found, NAME).tolist() == (share > 0.1).tolist()
    said = gain_sentences.of_perturbation(found, NAME)
    assert (
        said.startswith(gain_sentences.finding(gains_of(profile.seeds(NAME)))) and "layers 1 and 2 is below 10" in said
    )
    assert "every layer" in gain_sentences.of_perturbation(floored(profile, np.ones(LAYERS)), NAME)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_half_precision_tells_its_floor_and_its_distance(dtype, profile):
    spec = profile.spec.model_copy(update={"model": profile.spec.model.model_copy(update={"dtype": dtype})})
    found = floored(replace(profile, entry=replace(profile.entry, spec=spec)), np.full(LAYERS, 0.05))
    said = gain_sentences.rounding(found)
    if dtype == "float32":
        assert said == ""
        return
    assert dtype in said and "25 %" in said
    assert f"{np.nanmedian(found.floor.drift[:, -1]):.2g}" in said
