"""Pass 1 against the straightforward computation."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

from core.measure import clean_statistics, weights
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
    calls = replay.record(of.model, of.layers, ids)
    before, after = (torch.stack([getattr(call, side) for call in calls]).double() for side in ("entry", "exit"))
    norm = after.norm(dim=-1)  # (layers, sequences, tokens)
    influence = 1 - cosine_similarity(before, after, dim=-1)
    losses = [float(of.model(input_ids=row[None], labels=row[None]).loss) for row in ids]
    for each, expected, atol in (
        (activation.norm, norm[..., 1:].mean(-1), 0),
        (activation.log_norm, norm[..., 1:].log().mean(-1), 0),
        (activation.norm_first, norm[..., 0], 0),
        (activation.block_influence, influence[..., 1:].mean(-1), 1e-6),
        (activation.nll, losses, 0),
    ):
        np.testing.assert_allclose(each, expected, rtol=1e-4, atol=atol)


def test_the_root_squares_to_the_covariance_without_position_0():
    ids, _, moments = found("llama", covariance=True)
    of = tiny.loaded("llama")
    for layer, call in enumerate(replay.record(of.model, of.layers, ids)):
        expected = torch.cov(call.exit[:, 1:].flatten(0, 1).double().T, correction=0)
        root = moments.root[layer].double()
        torch.testing.assert_close(root, root.T, rtol=1e-4, atol=1e-6)
        squared = root @ root
        scale = expected.trace() / squared.trace()
        torch.testing.assert_close(squared * scale, expected, rtol=1e-3, atol=1e-4 * float(expected.diag().max()))


@pytest.mark.parametrize("weight", [torch.eye(16), torch.zeros(8, 16)])
def test_a_spectrum_without_a_tail_has_no_exponent(weight):
    assert np.isnan(weights.alpha_hill(weights.spectrum(weight)))
    assert np.isnan(weights.alpha_peak(weights.spectrum(weight)))
