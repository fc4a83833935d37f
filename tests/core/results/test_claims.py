"""Claims of the literature: verdicts are seldom wrong, intervals cover, and what is committed is what tests give."""

from types import SimpleNamespace

import numpy as np
import pytest

from core.results import FAILS, HOLDS, OPEN
from core.show.report import CLAIMED, MEASURED
from tests.bench import claims
from tests.bench.claims import judge
from tests.builders.profiles import with_gains

EARLY, NOISE = np.arange(8) < 3, 0.05 * np.random.default_rng(0).standard_normal((9, 12))


@pytest.mark.parametrize(
    ("means", "verdict"),
    [
        (np.where(EARLY, 0.4, -0.4), HOLDS),
        (np.where(EARLY, -0.4, 0.4), FAILS),
        (np.full(8, -0.4), FAILS),  # early layers absorb, whatever later ones do
        (np.where(EARLY, 0.02, -0.4), OPEN),  # within the band nobody amplifies
    ],
)
def test_early_layers_must_amplify_and_later_ones_absorb(means, verdict):
    logs = np.append(means, 0)[:, None] + NOISE
    found = claims.order(SimpleNamespace(layers=9, seeds=lambda _: [with_gains(logs)]))
    early = found.rows["noise, first third"]
    assert (found.verdict, len(found.rows), early.n) == (verdict, 4, 12) and early.low < early.value < early.high
    assert early.value == pytest.approx(np.exp(means[EARLY].mean()), rel=0.05)


@pytest.mark.parametrize("means", [1, 4, 29])
def test_a_verdict_is_wrong_in_at_most_five_of_a_hundred(means):
    """With every mean at zero neither verdict is true."""
    rng = np.random.default_rng(means)
    drawn = [judge(rng.standard_normal((means, 8))) for _ in range(2000)]
    assert drawn.count(HOLDS) <= 0.035 * 2000 and drawn.count(FAILS) <= 0.035 * 2000  # 2.5 of 100 on either side


def test_the_committed_outcomes_are_what_the_tests_give():
    """`python -m tests.bench.claims` writes them anew."""
    for title, of_models in claims.measured().items():
        for model, written in MEASURED.validate_json(CLAIMED.read_bytes())[title].items():
            found = of_models[model]
            assert (found is None) == (written is None)
            if found:
                assert (found.protocol, found.command) == (written.protocol, written.command)
                tested, before = found.tested, written.tested
                assert (tested.verdict, tested.counts) == (before.verdict, before.counts)
                assert tested.rows == {name: pytest.approx(row, rel=1e-6) for name, row in before.rows.items()}
