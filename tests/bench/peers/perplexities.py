"""The loss of windows beside lm-eval's own likelihoods of the same windows."""

import numpy as np
import torch
from lm_eval.models.huggingface import HFLM

from core.models import evaluate, reference, windows_per_batch
from tests.bench.peers.timing import in_turn, ratio, short


def table(loaded, tokens, rounds):
    """A row for each; the first row is the heads. tokens: (windows, length)."""
    length = tokens.shape[1]
    harness = HFLM(
        pretrained=loaded.model, tokenizer=loaded.tokenizer, max_length=length - 1, batch_size=windows_per_batch(tokens)
    )
    ran = in_turn(
        {
            "this product": lambda: evaluate(loaded, tokens, reference(loaded, tokens), dense=True).nll,
            "lm-eval": lambda: by_harness(harness, tokens),
        },
        rounds,
    )
    own = ran["this product"]
    rows = [
        [name, f"{each.median:.2f}", f"{ratio(each, own):.2f}", f"{np.exp(each.found.mean()):.4f}",
         short(np.abs(each.found - own.found).max())]
        for name, each in ran.items()
    ]  # fmt: skip
    return [["", "seconds", "times this product", "perplexity", "loss apart by, nats"], *rows]


@torch.inference_mode()
def by_harness(harness, tokens):
    """Mean loss of each window, as its rolling likelihood scores one: the first token is its context."""
    asked = [(("", str(at)), ids[:1], ids[1:]) for at, ids in enumerate(tokens.tolist())]
    found = harness._loglikelihood_tokens(asked, disable_tqdm=True)
    return -np.array([likelihood for likelihood, _ in found]) / (tokens.shape[1] - 1)
