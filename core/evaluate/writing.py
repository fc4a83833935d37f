"""What a dense and a pruned model write after a prompt, while somebody waits.

The model is pruned by masks that are kept, not layer after layer: Wanda's scores are those of the dense model's inputs,
whatever was pruned before a layer. That takes seconds where the walk of `core.measure.pruning`, by which models are
evaluated and exported, takes a minute.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor
from transformers import GenerationConfig

from core.ask.lab import Prompt
from core.base.errors import UserError
from core.base.spec import Array
from core.evaluate.resolving import profile_of, sparsities
from core.measure.linears import Masks
from core.models.anatomy import Linear, prunable
from core.models.loading import Loaded
from core.store.cache import Store
from core.store.scenes import Generated

KEPT = 32  # dense continuations


class Writer:
    """A model that continues prompts, dense and pruned."""

    def __init__(self, loaded: Loaded, store: Store, masks: Masks):
        self.loaded, self.store, self.masks = loaded, store, masks
        self.dense = lru_cache(KEPT)(partial(continuation, loaded))

    @torch.inference_mode()
    def write(self, asked: Prompt) -> Generated:
        """Continue a prompt with the dense and with the pruned model.

        Raises:
            UserError: a prompt without room to continue, or a setting that cannot be.
        """
        began = time.perf_counter()
        how = asked.setting
        base = how.allocation.base
        needed = base.profiled or how.allocation.correction.strength
        profile = profile_of(asked.profile, self.loaded.source, self.store) if needed else None
        share = np.array(sparsities(how, self.loaded, profile))
        dense = self.dense(asked.prompt, asked.tokens)
        with masked(self.loaded, how.pruner, share, self.masks) as zeros:
            pruned = continuation(self.loaded, asked.prompt, asked.tokens)
        seconds = round(time.perf_counter() - began, 2)
        return Generated(asked=asked, dense=dense, pruned=pruned, sparsity=round(zeros, 4), seconds=seconds)


@contextmanager
def masked(loaded: Loaded, pruner: str, sparsity: Array, masks: Masks) -> Iterator[float]:
    """While inside, the model has its pruned weights; afterwards the very tensors it had. Gives the share of zeros.

    Args:
        sparsity: (layers,) or (layers, linears).
    """
    own: list[tuple[Linear, Tensor]] = []
    zeros = total = 0
    try:
        for index, layer in enumerate(loaded.layers):
            for column, linear in enumerate(prunable(layer)):
                share = float(sparsity[index] if sparsity.ndim == 1 else sparsity[index, column])
                weight = masks.weight(linear, index, pruner, share)
                own.append((linear, linear.module.weight.data))
                linear.module.weight.data = weight
                zeros, total = zeros + weight.numel() - int(weight.count_nonzero()), total + weight.numel()
        yield zeros / total
    finally:
        for linear, weight in own:
            linear.module.weight.data = weight


@torch.inference_mode()
def continuation(loaded: Loaded, prompt: str, tokens: int) -> str:
    """The likeliest continuation of a prompt, token by token (greedy), without the prompt.

    Nothing that the model's own generation settings ask for, such as a repetition penalty, is applied: it would hide
    what pruning does. It ends early at an end token, and where the logits are not finite, for nothing is likeliest
    among them.

    Args:
        tokens: the most tokens to write.

    Raises:
        UserError: a prompt that leaves no room for the continuation.
    """
    ids = loaded.tokenizer(prompt, return_tensors="pt")["input_ids"].to(loaded.model.device)
    if loaded.longest is not None and ids.shape[1] + tokens > loaded.longest:
        raise UserError(
            f"a prompt of {ids.shape[1]} tokens and {tokens} to be written exceed the {loaded.longest} that the "
            f"model's positions allow: shorten it to {max(0, loaded.longest - tokens)} tokens, or ask for fewer"
        )
    end = loaded.tokenizer.eos_token_id
    greedy = GenerationConfig(
        max_new_tokens=tokens,
        do_sample=False,
        num_beams=1,
        eos_token_id=end,
        pad_token_id=0 if end is None else end,  # never used: there is one prompt
        return_dict_in_generate=True,
        output_logits=True,
    )
    own, loaded.model.generation_config = loaded.model.generation_config, GenerationConfig()  # else it fills ours up
    try:
        written = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=greedy)
    finally:
        loaded.model.generation_config = own
    finite = takewhile(lambda logits: logits.isfinite().all(), written.logits)
    kept = written.sequences[0, : ids.shape[1] + len(list(finite))]
    # decoded together with the prompt, for some tokenizers drop a leading space
    before, after = (loaded.tokenizer.decode(each, skip_special_tokens=True) for each in (ids[0], kept))
    return after[len(before) :]
