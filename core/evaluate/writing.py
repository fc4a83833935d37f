"""What a dense and a pruned model write after a prompt, while somebody waits.

The model is pruned by masks that are kept, not layer after layer: Wanda's scores are those of the dense model's inputs,
whatever was pruned before a layer. That takes seconds where the walk of `core.measure.pruning`, by which models are
evaluated and exported, takes a minute.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from itertools import takewhile

import torch
from transformers import GenerationConfig

from core.ask.lab import Prompt
from core.base.errors import UserError
from core.evaluate.resolving import profile_of, sparsities
from core.measure.linears import Masks
from core.measure.pruning import Plan, check
from core.models.anatomy import prunable
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
        how = asked.setting
        base = how.allocation.base
        needed = base.profiled or how.allocation.correction.strength
        profile = profile_of(asked.profile, self.loaded.source, self.store) if needed else None
        share = sparsities(how, self.loaded, profile)
        dense = self.dense(asked.prompt, asked.tokens)
        with masked(self.loaded, how.pruner, share, self.masks):
            return Generated(dense=dense, pruned=continuation(self.loaded, asked.prompt, asked.tokens))


@contextmanager
def masked(loaded: Loaded, pruner: str, sparsity: Sequence, masks: Masks) -> Iterator[None]:
    """While inside, the model has its pruned weights; afterwards the very tensors it had.

    Args:
        sparsity: (layers,) or (layers, linears).
    """
    stacks = [prunable(layer) for layer in loaded.layers]
    with ExitStack() as undo:
        for index, (stack, shares) in enumerate(zip(stacks, check(Plan(pruner, sparsity), stacks), strict=True)):
            for linear, share in zip(stack, shares.tolist(), strict=False):  # a layer may have fewer than another
                weight = masks.weight(linear, index, pruner, share)
                undo.callback(setattr, linear.module.weight, "data", linear.module.weight.data)
                linear.module.weight.data = weight
        yield


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
