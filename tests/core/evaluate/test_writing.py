"""What is written while somebody waits: the dense model's text, and that of the model pruned by kept masks."""

import numpy as np
import pytest
import torch

from core.evaluate.talking import Talker
from core.evaluate.writing import Writer, continuation, masked
from core.kinds.treatments import Treatment
from core.measure.answers import Lab
from core.measure.linears import pruned
from core.measure.pruning import restored
from core.models import anatomy
from core.store.cache import Store
from tests import tiny
from tests.core.ask.asked import prompt


@pytest.fixture
def writer(empty: Store) -> Writer:
    loaded = tiny.loaded("llama")
    return Writer(Talker(loaded, Lab(loaded).masks), empty)


@torch.inference_mode()
def by_hand(writer: Writer, sparsity: float) -> str:
    """The model pruned in place by the norms of its dense inputs."""
    with restored(writer.talker.loaded):
        for index, layer in enumerate(writer.talker.loaded.layers):
            for linear in anatomy.linears(layer):
                found = pruned(linear, index, Treatment("wanda"), {"norm": writer.talker.masks.norms(index)}, sparsity)
                linear.module.weight.copy_(found)
        return continuation(writer.talker, "The heron", 8)


def test_both_models_continue_the_prompt(writer: Writer) -> None:
    before = tiny.state(writer.talker.loaded.model)
    found = writer.write(prompt("The heron", "uniform:0.5", 8))
    assert found.dense == continuation(writer.talker, "The heron", 8)
    assert found.pruned == by_hand(writer, 0.5) != found.dense
    tiny.assert_untouched(writer.talker.loaded.model, before)
    whole = writer.write(prompt("The heron", "uniform:0.0", 8))
    assert whole.pruned == whole.dense == found.dense


@pytest.mark.parametrize("each", [False, True], ids=["layers", "linears"])
def test_a_model_is_pruned_for_a_while(each: bool, writer: Writer) -> None:
    layers = writer.talker.loaded.layers
    before = tiny.state(writer.talker.loaded.model)
    own = [linear.module.weight.data_ptr() for layer in layers for linear in anatomy.linears(layer)]
    share = np.array([0.2, 0.4, 0.6, 0.8])
    share = np.repeat(share[:, None], 7, axis=1) if each else share
    with (
        pytest.raises(RuntimeError, match="half way"),
        masked(writer.talker.loaded, "wanda", share, writer.talker.masks),
    ):
        for index, layer in enumerate(layers):
            for linear in anatomy.linears(layer):
                found = 1 - int(linear.weight.count_nonzero()) / linear.weight.numel()
                assert found == pytest.approx(0.2 * (index + 1), abs=1 / linear.weight.shape[1])
        raise RuntimeError("half way")
    tiny.assert_untouched(writer.talker.loaded.model, before)
    assert own == [linear.module.weight.data_ptr() for layer in layers for linear in anatomy.linears(layer)]


@pytest.mark.parametrize(
    ("allocation", "named"),
    [("uniform by=sparsegpt", "wanda"), ("uniform pattern=2:4", "pattern"), ("owl", "not of tiny llama")],
)
def test_what_cannot_be_written_at_once_is_refused(allocation: str, named: str, empty_demo: Writer, refused) -> None:
    with refused(named):
        empty_demo.write(prompt("The heron", f"{allocation}:0.5", 4))


@pytest.fixture
def empty_demo(tmp_path) -> Writer:
    """With the committed profile, which is another model's, at hand."""
    loaded = tiny.loaded("llama")
    return Writer(Talker(loaded, Lab(loaded).masks), Store(tmp_path))
