"""Claims of the literature: profiles whose answer is known hold, contradict or leave open what is said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from core.methods import Gaussian
from core.plan.gains import student
from core.requests.measurements import Measurement
from core.results.claims import FAILS, HOLDS, OPEN
from core.results.comparison import spearman
from core.show.report.claims import CLAIMED, MEASURED
from tests import synthetic
from tests.bench import claims
from tests.bench.claims import judge

LAYERS, SEQUENCES = 9, 12
EARLY = np.arange(LAYERS - 1) < LAYERS // 3
NOISE = np.random.default_rng(0).standard_normal((LAYERS - 1, SEQUENCES))


def of_gains(logs, kl=None):
    """A perturbation with these log gains of all layers but the last, and harm: (layers - 1, sequences)."""
    layers, sequences = len(logs) + 1, logs.shape[1]
    drift = np.full((layers, layers, sequences), np.nan)
    for layer in range(layers):
        drift[layer, layer:] = -1.0
    drift[:-1, -1] += logs
    found = synthetic.perturbed(layers, sequences, Measurement(perturbation=Gaussian(size=0.3)))
    harm = found.kl if kl is None else np.vstack([kl, np.ones(sequences)])
    return replace(found, log_drift=drift, kl=harm)


def profile(logs, **more):
    """A profile in which every perturbation has these gains."""
    return SimpleNamespace(layers=len(logs) + 1, seeds=lambda name: [of_gains(logs, **more)])


def spread(means):
    """Gains of these means with a small spread over sequences."""
    return np.broadcast_to(means, LAYERS - 1)[:, None] + 0.05 * NOISE


@pytest.mark.parametrize(
    ("means", "verdict"),
    [
        (np.where(EARLY, 0.4, -0.4), HOLDS),
        (np.where(EARLY, -0.4, 0.4), FAILS),
        (-0.4, FAILS),  # early layers absorb, whatever later ones do
        (np.where(EARLY, 0.02, -0.4), OPEN),  # within the band nobody amplifies
    ],
)
def test_early_layers_must_amplify_and_later_ones_absorb(means, verdict):
    found = claims.order(profile(spread(means)))
    assert found.verdict == verdict and len(found.rows) == 4
    early = found.rows["noise, first third"]
    assert early.low < early.value < early.high and early.n == SEQUENCES
    assert early.value == pytest.approx(np.exp(np.broadcast_to(means, LAYERS - 1)[EARLY].mean()), rel=0.05)


def test_one_layer_that_absorbs_small_noise_denies_that_all_amplify():
    means = np.full(LAYERS - 1, 0.4)
    assert claims.small(profile(spread(means))).verdict == HOLDS
    means[5] = 0.0
    assert claims.small(profile(spread(means))).verdict == OPEN
    means[5] = -0.3
    found = claims.small(profile(spread(means)))
    assert found.verdict == FAILS and found.rows["lowest layer"].high < 1 and len(found.counts) == 2


@pytest.mark.parametrize(("grown", "verdict"), [(1.0, HOLDS), (-1.0, FAILS), (0.0, OPEN)])
def test_error_grows_where_the_whole_checkpoint_drifts_further_at_its_end(grown, verdict):
    drift = np.linspace(0, grown, LAYERS)[:, None] + 0.05 * NOISE[:1]
    drift[-1] += 0.05 * NOISE[1]
    one = profile(spread(-0.2))
    one.others = {"checkpoint": SimpleNamespace(cumulative=SimpleNamespace(log_drift=drift))}
    found = claims.growth(one)
    assert found.verdict == verdict and found.rows["one layer alone"].high < 1
    assert found.rows["all layers"].value == pytest.approx(np.exp(grown), rel=0.1)


@pytest.mark.parametrize(
    ("norm", "noise", "verdict"), [(0.3, 0.01, HOLDS), (0.05, 0.01, FAILS), (0.6, 0.01, FAILS), (0.3, 0.5, OPEN)]
)
def test_the_norm_makes_up_what_is_said_or_more_or_less(norm, noise, verdict):
    direct = np.linspace(1, 2, SEQUENCES)
    table = pd.DataFrame({"direct effect": direct, "final norm": direct * (norm + noise * NOISE[0])})
    found = claims.repair(table.assign(**{"later layers": direct * 0.1}))
    assert found.verdict == verdict and found.rows["later layers"].value == pytest.approx(0.1)


@pytest.mark.parametrize(("sign", "verdict"), [(1, HOLDS), (-1, FAILS), (0, OPEN)])
def test_layers_that_amplify_suffer_more_where_harm_follows_gain(sign, verdict):
    logs = spread(np.linspace(-0.5, 0.5, LAYERS - 1))
    rng = np.random.default_rng(1)
    kl = np.exp(sign * 4 * logs + (0.1 if sign else 1.0) * rng.standard_normal(logs.shape))
    assert claims.suffering(profile(logs, kl=kl)).verdict == verdict


@pytest.mark.parametrize(("change", "verdict"), [(-0.2, HOLDS), (0.2, FAILS), (0.0, OPEN)])
def test_the_correction_is_judged_by_its_mean_over_seeds(change, verdict):
    def setting(name, losses, base=None):
        told = {
            seed: SimpleNamespace(evaluated=SimpleNamespace(nll=np.array([each]))) for seed, each in enumerate(losses)
        }
        return SimpleNamespace(name=name, results=told, base=base, control="none")

    bases = [setting(name, [3.0, 3.1, 3.05]) for name in ("OWL", "AlphaPruning")]
    moved = [setting("c", [3.0 + change + 0.01, 3.1 + change, 3.05 + change - 0.01], base) for base in bases]
    control = SimpleNamespace(control="reversed", base=bases[0])
    found = claims.protecting(SimpleNamespace(settings=[*bases, *moved, control]))
    assert found.verdict == verdict and list(found.rows) == ["mean", "OWL", "AlphaPruning"]
    assert found.rows["mean"].value == pytest.approx(np.exp(change)) and found.rows["mean"].n == 3


def test_too_few_sequences_decide_nothing():
    assert judge(np.full((1, 7), 1.0) + 0.01 * NOISE[:1, :7]) == OPEN
    assert judge(np.full((1, 8), 1.0) + 0.01 * NOISE[:1, :8]) == HOLDS


@pytest.mark.parametrize("means", [1, 4, 29])
def test_a_verdict_is_wrong_in_at_most_five_of_a_hundred(means):
    """With every mean at zero neither verdict is true."""
    rng = np.random.default_rng(means)
    drawn = [judge(rng.standard_normal((means, 8))) for _ in range(2000)]
    assert drawn.count(HOLDS) <= 0.035 * 2000 and drawn.count(FAILS) <= 0.035 * 2000  # 2.5 of 100 on either side


def test_intervals_of_rank_correlations_cover_their_mean():
    """Student's t over 8 sequences of 17 layers, for correlations from none to strong."""
    rng = np.random.default_rng(0)

    def correlations(slope, count):
        x = rng.standard_normal((count, 17))
        y = slope * x + rng.standard_normal(x.shape)
        return np.array([spearman(*each) for each in zip(x, y, strict=True)])

    for slope in (0.0, 0.5, 2.0):
        true = correlations(slope, 20_000).mean()
        _, low, high = student(correlations(slope, 8 * 1000).reshape(1000, 8))
        assert 0.92 < ((low < true) & (true < high)).mean() < 0.98


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
