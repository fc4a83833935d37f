"""Pass 1 against the straightforward computation."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from core.measure import weights
from core.measure.first_pass import clean_statistics
from core.models import replay
from tests import tiny

pytestmark = pytest.mark.usefixtures("inference")

SEQUENCES, LENGTH = 3, 14


def found(family, covariance=False):
    text = tiny.windows(SEQUENCES, LENGTH)
    return text.tokens, *clean_statistics(tiny.loaded(family), text.tokens, (), covariance, lambda _: None)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_norms_influence_and_loss(family):
    ids, activation, _ = found(family)
    of = tiny.loaded(family)
    for sequence, row in enumerate(ids):
        calls = replay.record(of.model, of.layers, row[None])
        for layer, call in enumerate(calls):
            norm = call.exit[0].double().norm(dim=-1)
            influence = 1 - cosine_similarity(call.entry[0].double(), call.exit[0].double(), dim=-1)
            cell = (layer, sequence)
            assert activation.norm[cell] == pytest.approx(float(norm[1:].mean()), rel=1e-5)
            assert activation.log_norm[cell] == pytest.approx(float(norm[1:].log().mean()), rel=1e-5)
            assert activation.norm_first[cell] == pytest.approx(float(norm[0]), rel=1e-5)
            assert activation.block_influence[cell] == pytest.approx(float(influence[1:].mean()), rel=1e-4, abs=1e-6)
        loss = float(of.model(input_ids=row[None], labels=row[None]).loss)
        assert activation.nll[sequence] == pytest.approx(loss, rel=1e-5)


def test_the_root_squares_to_the_covariance_without_position_0():
    ids, _, moments = found("llama", covariance=True)
    of = tiny.loaded("llama")
    streams = [replay.record(of.model, of.layers, row[None]) for row in ids]
    for layer in range(tiny.LAYERS):
        rows = torch.cat([calls[layer].exit[0, 1:] for calls in streams]).double()
        expected = torch.cov(rows.T, correction=0)
        root = moments.root[layer].double()
        torch.testing.assert_close(root, root.T, rtol=1e-4, atol=1e-6)
        squared = root @ root
        scale = expected.trace() / squared.trace()
        torch.testing.assert_close(squared * scale, expected, rtol=1e-3, atol=1e-4 * float(expected.diag().max()))


@pytest.mark.parametrize("weight", [torch.eye(16), torch.zeros(8, 16)])
def test_a_spectrum_without_a_tail_has_no_exponent(weight):
    assert np.isnan(weights.alpha_hill(weights.spectrum(weight)))
    assert np.isnan(weights.alpha_peak(weights.spectrum(weight)))
