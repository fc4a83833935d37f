"""Claims of the literature: profiles whose answer is known hold, contradict or leave open what is said."""

import numpy as np
import pytest

from core.results.comparison import FAILS, HOLDS, OPEN
from core.show.report.claims import CLAIMED, MEASURED
from tests.bench import claims
from tests.bench.claims import judge

LAYERS, SEQUENCES = 9, 12
NOISE = np.random.default_rng(0).standard_normal((LAYERS, SEQUENCES))


def test_too_few_sequences_decide_nothing():
    assert judge(np.full((1, 7), 1.0) + 0.01 * NOISE[:1, :7]) == OPEN
    assert judge(np.full((1, 8), 1.0) + 0.01 * NOISE[:1, :8]) == HOLDS


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
                assert (found.tested.verdict, found.tested.counts) == (
                    written.tested.verdict,
                    written.tested.counts,
                )
                assert found.tested.rows.keys() == written.tested.rows.keys()
                for name, row in found.tested.rows.items():
                    assert row == pytest.approx(written.tested.rows[name], rel=1e-6)
