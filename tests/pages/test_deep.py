"""Pages of a model of 80 layers: they stand, and the numbers of layers leave one another room."""

import pytest

from tests import synthetic
from tests.pages.opening import figures, opened_at

LAYERS, READABLE = 80, 8
DRAWN = {"absorption": 3, "allocate": 1, "prune": 0, "learn": 0, "runs": 0}  # charts of a page as it opens


@pytest.mark.parametrize("page", DRAWN)
def test_a_page_of_eighty_layers_is_readable(page, bare):
    key = synthetic.save_profile(bare.root, synthetic.profile_spec(LAYERS, 8, "quick", prunable=True), LAYERS)
    app = opened_at(page, profile=key)
    assert not app.error
    drawn = figures(app)
    assert len(drawn) == DRAWN[page]
    axes = [axis for each in drawn for name, axis in each["layout"].items() if name.startswith("xaxis")]
    assert all(1 < len(axis["tickvals"]) <= READABLE for axis in axes)
    assert all(max(axis["tickvals"]) >= LAYERS - 10 for axis in axes), "the last layers are numbered too"
