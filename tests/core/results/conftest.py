"""What the tests of results share: a profile, and studies of its model."""

import pytest

from core.requests import Recipe
from tests.builders import profiles as builders


@pytest.fixture
def profile(empty):
    """Of six layers, with response curves and all that allocators look at."""
    return builders.stored(empty, preset="paper", prunable=True, removal=True)


@pytest.fixture
def study(empty, profile):
    """Evaluate settings, or allocations by the default pruner; they looked at the profile, or at the one named."""

    def save(*asked, saw=None, **how):
        settings = [each if isinstance(each, Recipe) else Recipe(allocation=each) for each in asked]
        return builders.study(empty, settings, of=profile.spec, profile=saw or profile.key, **how)

    return save
