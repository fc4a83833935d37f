"""Charts of another checkpoint: what is in the figures, and the numbers beside them."""

import numpy as np
import pytest

from core.requests.measurements import Measurement
from core.requests.perturbations import perturbation
from core.results.checkpoints import compared
from core.show.figures import LIGHT, charts
from core.show.figures.charts import COMPARED, GROUPS
from core.show.figures.style import ChartSubject
from core.show.words import gain_sentences
from core.store import profiles
from core.store.cache import Store
from tests import synthetic

NAME = "checkpoint:0123456789abcdef"


def made(root, layers):
    """A stored comparison, read back."""
    asked = (Measurement(perturbation=perturbation(NAME)),)
    spec = synthetic.profile_spec(layers, 8, "quick").model_copy(update={"measurements": asked})
    return profiles.load(Store(root), Store(root).profile(synthetic.save_profile(root, spec, layers)))


@pytest.mark.parametrize("layers", [2, 12, 80])
def test_every_chart_is_whole_and_says_what_the_analysis_found(layers, tmp_path):
    profile = made(tmp_path, layers)
    found = compared(profile)
    charts = [row.draw(ChartSubject(profile, NAME, layers - 1)) for row in GROUPS[COMPARED]]
    worst, parting, cost, weighed = gain_sentences.of_checkpoint(found)
    assert [chart.finding for chart in charts] == [worst, weighed, f"{parting} {cost}"]
    for row, chart in zip(GROUPS[COMPARED], charts, strict=True):
        assert chart.title == row.question and len(chart.table)
        assert "nan" not in chart.finding and "inf" not in chart.finding
        chart.figure.to_json()


def test_the_layer_that_stands_out_has_the_colour_of_its_own(tmp_path):
    asked = ChartSubject(made(tmp_path, 12), NAME, 0)
    chart = charts.harm(asked)
    [bars] = chart.figure.data
    assert [at for at, colour in enumerate(bars.marker.color) if colour == LIGHT.accent] == [6]
    np.testing.assert_allclose(bars.y, compared(asked.profile).harm)
    assert chart.table["stands out"].tolist() == [at == 6 for at in range(12)]


def test_errors_of_none_are_blank_and_others_read_in_per_cent(tmp_path):
    profile = made(tmp_path, 12)
    profile.others[NAME].difference.error[3] = 0
    cells = charts.weights(ChartSubject(profile, NAME, 0)).figure.data[0]
    assert np.isnan(cells.z[:, 3]).all() and np.isfinite(np.delete(cells.z, 3, axis=1)).all()
    assert cells.colorbar.ticktext[0] == "5.0 %" and cells.colorbar.ticktext[-1] == "15 %"
    assert float(cells.customdata[2][6][1]) == pytest.approx(15) and 10 ** cells.z[2, 6] == pytest.approx(15)
