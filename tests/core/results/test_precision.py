"""What drowns in rounding is said to."""

from dataclasses import replace

import numpy as np
import pytest

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
    assert gain_sentences.drowned(floored(profile, np.ones(LAYERS)), NAME).all()
