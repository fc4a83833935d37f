"""What a pruned model writes, while somebody waits: pruned by masks that are kept, not layer after layer.

Wanda's scores are those of the dense model's inputs, whatever was pruned before a layer: that takes seconds where the
walk of `core.pruning.walk` takes a minute. What is evaluated and exported is pruned by the walk.
"""

from __future__ import annotations

import time
from collections import OrderedDict

import numpy as np
import torch

from core.evaluation.resolving import profile_of, sparsities
from core.evaluation.writing import continuation
from core.models.loading import Loaded
from core.pruning.masks import Masks, masked
from core.specs.errors import UserError
from core.specs.formats import either
from core.specs.lab import Prompt
from core.specs.pruners import PRUNERS
from core.store.cache import Store
from core.store.scenes import Generated

KEPT = 32  # dense continuations


class Writer:
    """A model that continues prompts, dense and pruned."""

    def __init__(self, loaded: Loaded, store: Store, masks: Masks):
        self.loaded, self.store, self.masks = loaded, store, masks
        self.dense: OrderedDict[tuple[str, int], str] = OrderedDict()

    @torch.inference_mode()
    def write(self, asked: Prompt) -> Generated:
        """Continue a prompt with the dense and with the pruned model.

        Raises:
            UserError: a prompt without room to continue, or a setting that cannot be, or not while somebody waits.
        """
        began = time.perf_counter()
        how = asked.setting
        if how.repair or how.pattern or not PRUNERS[how.pruner].keeps_weights:
            fast = either(name for name, row in PRUNERS.items() if row.keeps_weights)
            raise UserError(f"the lab prunes by {fast}, without repair or pattern: the Prune page has everything else")
        base = how.allocation.base
        needed = base.profiled or how.allocation.correction.strength
        profile = profile_of("demo", self.loaded.source, self.store) if needed else None
        share = np.array(sparsities(how, self.loaded, profile))
        dense = self._dense(asked.prompt, asked.tokens)
        with masked(self.loaded, how.pruner, share, self.masks) as zeros:
            pruned = continuation(self.loaded, asked.prompt, asked.tokens)
        seconds = round(time.perf_counter() - began, 2)
        return Generated(asked=asked, dense=dense, pruned=pruned, sparsity=round(zeros, 4), seconds=seconds)

    def _dense(self, prompt: str, tokens: int) -> str:
        key = prompt, tokens
        if key not in self.dense:
            self.dense[key] = continuation(self.loaded, prompt, tokens)
            while len(self.dense) > KEPT:
                self.dense.popitem(last=False)
        self.dense.move_to_end(key)
        return self.dense[key]
