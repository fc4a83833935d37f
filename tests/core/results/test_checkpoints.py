"""Which layer and which tensor went wrong: what stands out of errors that all layers share, and what costs most."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import UserError
from core.results import Compared, checkpoints
from core.show import words
from core.show.words import checkpoint_sentences
from tests import synthetic
from tests.builders import profiles as builders

OTHER = "0123456789abcdef"
LAYERS, TENSORS = 12, 4


def made(error, scale=None, kl=None):
    """A comparison with these weights, and this harm of each layer."""
    layers, tensors = error.shape
    [single] = builders.seeds(f"checkpoint:{OTHER}", layers)
    if kl is not None:
        single = replace(single, kl=np.repeat(kl[:, None], 8, axis=1))
    weights = replace(synthetic.difference(layers), error=error, scale=np.ones_like(error) if scale is None else scale)
    names = tuple(f"linear {index}" for index in range(tensors))
    return Compared("other", names, ("embedding",), single, synthetic.cumulative(layers, 8), weights)


@given(
    layer=st.integers(0, LAYERS - 1), tensor=st.integers(0, TENSORS - 1), seed=st.integers(0, 2**32 - 1),
    shared=st.sampled_from([0.0, 0.005, 0.09]), fault=st.sampled_from(["scale", "3 bits", "permute"]),
)  # fmt: skip
def test_a_fault_is_named_first_out_of_an_error_that_all_share(layer, tensor, seed, shared, fault):
    """Whatever harm the layers do; the shared error differs from layer to layer as real quantisation does."""
    rng = np.random.default_rng(seed)
    across = shared * (1 + 0.2 * rng.uniform(size=(LAYERS, TENSORS)))
    scale = 1 - shared**2 / 2 + 0.002 * (shared > 0.05) * rng.uniform(-1, 1, (LAYERS, TENSORS))
    if fault == "scale":
        scale[layer, tensor] *= 1.05
    else:
        across[layer, tensor] = np.hypot(across[layer, tensor], {"3 bits": 0.2, "permute": 1.41}[fault])
    found = made(np.hypot(across, scale - 1), scale, rng.lognormal(-9, 2, LAYERS))
    assert found.ranking[0] == layer and found.tensor(layer) == tensor and found.odd.sum() == 1
    assert checkpoint_sentences.worst(found).startswith(f"Layer {layer} stands out: its linear {tensor} differs by ")


@given(seed=st.integers(0, 2**32 - 1))
def test_where_nothing_stands_out_layers_are_ranked_by_harm(seed):
    rng = np.random.default_rng(seed)
    kl = rng.lognormal(-7, 1, LAYERS)
    found = made(0.09 * (1 + 0.2 * rng.uniform(size=(LAYERS, TENSORS))), kl=kl)
    assert found.ranking == np.argsort(-kl).tolist() and not found.odd.any()
    assert checkpoint_sentences.worst(found).startswith(
        f"No layer's weights stand out. Layer {kl.argmax()} does the most harm"
    )
    assert found.tensor(0) == found.weights.error[0].argmax()


@given(seed=st.integers(0, 2**32 - 1), shared=st.sampled_from([0.0, 0.09]))
def test_rounding_that_only_some_layers_have_does_not_stand_out(seed, shared):
    """As of norms that a file keeps plus 1; what is no rounding still does."""
    rng = np.random.default_rng(seed)
    error = np.full((LAYERS, TENSORS), shared)
    error[:, 0] = 9e-6 * rng.uniform(size=LAYERS) * (rng.uniform(size=LAYERS) < 0.3)
    assert not made(error).odd.any()
    error[4, 0] = 1e-4
    assert np.flatnonzero(made(error).odd).tolist() == [4]


def test_a_profile_tells_its_checkpoint_by_the_name_that_was_typed(empty):
    profile = builders.stored(empty, f"checkpoint:{OTHER}", "gaussian:0.3", layers=LAYERS)
    found = checkpoints.compared(profile)
    assert found.called == "other" and found.tensors == synthetic.LINEARS
    assert words.by_positions(profile).keys() == {f"checkpoint:{synthetic.OTHER}", "gaussian:0.3"}
    said = checkpoint_sentences.worst(found)
    assert said.startswith(f"Layer {LAYERS // 2} stands out: its {synthetic.LINEARS[2]} differs by 15 %, ")
    assert checkpoint_sentences.cost(found).startswith("All of other costs 0.0")
    with pytest.raises(UserError, match="choose Layer of other"):
        checkpoints.compared(profile, "gaussian:0.3")
