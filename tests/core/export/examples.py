"""A small pruned model, the card that goes with it, and an export of it."""

from dataclasses import replace

import numpy as np
import torch

from core.export import Card, Contents, export
from core.models import Source, anatomy, loading, locate
from tests import tiny

CARD = Card(
    title="Tiny, 50% zeros",
    base_model="tiny | llama",
    base_source="someone/tiny",
    licence="apache-2.0",
    recipe={"pruner": "magnitude", "pattern": None, "sparsity": [0.5, 0.25, 0.5, 0.0], "base": {"kind": "uniform"}},
    numbers=[("perplexity", "12.345", "24 windows of 512 tokens"), ("dense perplexity", "11.5", "the same")],
)
SPARSITY = np.array([0.5, 0.25, 0.5, 0.0])


def pruned(family, dtype="float32", sparsity=SPARSITY):
    """A fresh model of a folder with the least weights of each row zeroed."""
    source = Source(f"tiny {family}", tiny.folder(family), None, f"tiny-{family}", None)
    return with_zeros(loading.load(source, dtype), sparsity)


def read(path, store, dtype="float32"):
    return loading.load(locate(str(path), store), dtype)


def with_zeros(loaded, sparsity=SPARSITY):
    """The model with the least weights of each row zeroed."""
    for layer, share in zip(loaded.layers, sparsity, strict=True):
        for linear in anatomy.prunable_linears(layer):
            zero_rows(linear.weight, share)
    return loaded


def write(loaded, folder, planned=SPARSITY, before=None, form="dense", formats=None, title=CARD.title, **options):
    """Export a model to `out` in a folder."""
    card = replace(CARD, title=title)
    return export.export(loaded, folder / "out", card, Contents(planned, before, form, formats), **options)


@torch.inference_mode()
def logits(model):
    return model(input_ids=tiny.windows().tokens, use_cache=False).logits


def zero_rows(weight, share):
    least = weight.abs().argsort(dim=1)[:, : int(share * weight.shape[1])]
    weight.scatter_(1, least, 0)
