"""Checks of tiny models that were pruned, repaired or trained."""

import torch

from core.models import anatomy
from tests import tiny


def assert_only_linears_changed(of, before):
    """Embeddings, the head still tied to them or not, norms and biases are bit-equal; no gradient, no hook is left."""
    linears = {id(linear.module.weight) for layer in of.layers for linear in anatomy.prunable_linears(layer)}
    for name, each in of.model.named_parameters():
        assert id(each) in linears or torch.equal(each, before[name]), name
        assert not each.requires_grad and each.grad is None, name
    tied = of.model.get_output_embeddings().weight is of.model.get_input_embeddings().weight
    assert tied == of.model.config.get_text_config().tie_word_embeddings
    assert not any("forward" in vars(layer) for layer in of.layers)
    tiny.assert_untouched(of.model, tiny.state(of.model))


def assert_in_pattern(of, dtype):
    """Every linear is 2:4, in its dtype."""
    for weight in tiny.weights(of).values():
        assert weight.dtype == dtype
        assert ((weight != 0).view(len(weight), -1, 4).sum(-1) <= 2).all()
