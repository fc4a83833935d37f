"""What a dense and a pruned model write after a prompt, while somebody waits.

The model is pruned by masks that are kept, not layer after layer: Wanda's scores are those of the dense model's inputs,
whatever was pruned before a layer. That takes seconds where the walk of `core.measure.pruning`, by which models are
evaluated and exported, takes a minute.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial

import torch

from core.ask.lab import Prompt, Talk
from core.base.errors import UserError
from core.evaluate.resolving import profile_of, sparsities
from core.evaluate.talking import Talker, Writing
from core.measure.linears import Masks
from core.measure.pruning import Plan, check
from core.models.anatomy import prunable
from core.models.loading import Loaded
from core.store.cache import Store
from core.store.scenes import Generated

KEPT = 32  # dense continuations


class Writer:
    """A model that continues prompts, dense and pruned."""

    def __init__(self, talker: Talker, store: Store):
        self.talker, self.store = talker, store
        self.dense = lru_cache(KEPT)(partial(continuation, talker))

    @torch.inference_mode()
    def write(self, asked: Prompt) -> Generated:
        """Continue a prompt with the dense and with the pruned model.

        Raises:
            UserError: a prompt without room to continue, or a setting that cannot be.
        """
        how = asked.setting
        base = how.allocation.base
        needed = base.profiled or how.allocation.correction.strength
        loaded = self.talker.loaded
        profile = profile_of(asked.profile, loaded.source, self.store) if needed else None
        share = sparsities(how, loaded, profile)
        dense = self.dense(asked.prompt, asked.tokens)
        with masked(loaded, how.pruner, share, self.talker.masks):
            return Generated(dense=dense, pruned=continuation(self.talker, asked.prompt, asked.tokens))


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
def continuation(talker: Talker, prompt: str, tokens: int) -> str:
    """The likeliest continuation of a prompt by the model as it is, without the prompt.

    It ends early at an end token, and where the logits are not finite, for nothing is likeliest among them.

    Args:
        tokens: the most to write.

    Raises:
        UserError: a prompt that leaves no room for the continuation.
    """
    asked = Talk(prompt=prompt, tokens=tokens)
    text, longest, end = Writing(talker.loaded, asked), talker.loaded.longest, None
    if longest is not None and len(text.prompt) + tokens > longest:
        raise UserError(
            f"a prompt of {len(text.prompt)} tokens and {tokens} to be written exceed the {longest} that the model's "
            f"positions allow: shorten it to {max(0, longest - tokens)} tokens, or ask for fewer"
        )
    while end is None:
        end = text.write(talker) or text.end(asked)
    return "".join(step.dense or "" for step in text.steps)
