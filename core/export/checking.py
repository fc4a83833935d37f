"""Whether a saved folder loads back as the model it was saved from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from core.models import anatomy
from core.models.loading import Loaded
from core.models.saving import FOREIGN
from core.specs.patterns import Pattern
from core.store.results import Array

SENTENCE = (
    "At 7:45 the café by the lock opened, and a heron, who had read about bread, came in and asked for 2 loaves; "
    "“Fish?” said the baker, «не сегодня», 今日はない 🙂\n\tand closed the door."
)
LONGEST = 64  # tokens of it that are run
TOLERANCE = 1e-6  # of the largest logit


@dataclass(frozen=True, eq=False)
class Counted:
    """Zeros of a model's linears. Arrays are (layers, linears), NaN where a layer has fewer linears than another."""

    linears: tuple[tuple[str, ...], ...]  # of each layer
    weights: Array
    zeros: Array

    @property
    def sparsity(self) -> Array:
        return self.zeros / self.weights


@dataclass(frozen=True, eq=False)
class Reloaded:
    """What a saved folder is, once loaded back."""

    differences: list[str]  # to the model in memory, in words; empty if it is the same
    difference: float  # largest difference of logits on a fixed sentence, relative to the largest logit
    counted: Counted
    two_of_four: bool  # whether every linear has two zeros in each four neighbouring inputs


def count(layers: Sequence[nn.Module]) -> Counted:
    """Count the zeros of every linear.

    Raises:
        UserError: a layer cannot be pruned.
    """
    stacks = [anatomy.prunable(layer) for layer in layers]
    return Counted(
        linears=tuple(tuple(linear.name for linear in stack) for stack in stacks),
        weights=anatomy.parameters(layers),
        zeros=anatomy.of_each(layers, lambda weight: int((weight == 0).sum())),
    )


def has_pattern(layers: Sequence[nn.Module], pattern: Pattern) -> Array:
    """(layers, linears) whether no group of consecutive inputs keeps more weights than the pattern allows.

    True where a layer has fewer linears than another.
    """
    return anatomy.of_each(layers, lambda weight: _follows(weight, pattern)) != 0


def off_plan(counted: Counted, layers: Sequence[nn.Module], planned: Array, before: Array | None) -> list[str]:
    """The linears whose zeros are not the planned ones within one weight per row, in words.

    Args:
        planned: (layers, linears) fraction of zeros; looked at only where there is a linear.
        before: (layers, linears) fraction of zeros the dense weights had, as quantised ones have: a row may keep them
            beside the planned ones. None: none.
    """
    slack = anatomy.of_each(layers, lambda weight: 1 / weight.shape[1]) + 1e-9
    most = planned + slack + (0 if before is None else before)
    wrong = np.argwhere((counted.sparsity < planned - slack) | (counted.sparsity > most))
    return [
        f"layer {layer} {counted.linears[layer][column]} has {100 * counted.sparsity[layer, column]:.4f} % zeros where "
        f"{100 * planned[layer, column]:.4f} % were planned"
        for layer, column in wrong
    ]


def load_back(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The folder's model and tokenizer, as anybody would load them."""
    options = {"local_files_only": True, "trust_remote_code": False}
    return (
        AutoModelForCausalLM.from_pretrained(folder, **options).eval(),
        AutoTokenizer.from_pretrained(folder, **options),
    )


def reload(loaded: Loaded, folder: Path) -> Reloaded:
    """Load a saved folder and compare it with the model in memory.

    Both run on the CPU, whatever device the model is on: numbers of two devices never agree to the last bit.
    """
    model, tokenizer = load_back(folder)
    layers = anatomy.decoder_layers(model)
    ids = _ids(loaded.tokenizer)[: min(loaded.longest or LONGEST, LONGEST)]
    with _on_cpu(loaded.model):
        found = [*_unlike_tokens(loaded.tokenizer, tokenizer), *_unlike_weights(loaded.model, model)]
        difference = _relative(_logits(loaded.model, ids), _logits(model, ids))
        mine, theirs = count(loaded.layers), count(layers)
    unlike = int((np.abs(mine.zeros - theirs.zeros) > 0).sum())
    if unlike:
        found.append(f"the zeros differ in {unlike} linears")
    if difference > TOLERANCE:
        found.append(f"the logits differ by {difference:.2g} of the largest one")
    found += [f"config.json has {name}" for name in FOREIGN if _has(model.config, name)]
    return Reloaded(found, difference, theirs, bool(has_pattern(layers, Pattern(2, 4)).all()))


def _follows(weight: Tensor, pattern: Pattern) -> bool:
    if weight.shape[1] % pattern.of:
        return False
    kept = (weight != 0).unflatten(-1, (-1, pattern.of)).sum(-1)
    return bool((kept <= pattern.kept).all())


def _has(config: Any, name: str) -> bool:
    return any(getattr(each, name, None) is not None for each in (config, config.get_text_config()))


def _ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return tokenizer(SENTENCE)["input_ids"]


def _unlike_tokens(ours: PreTrainedTokenizerBase, theirs: PreTrainedTokenizerBase) -> list[str]:
    ids = _ids(ours)
    pairs = {
        "the tokens of a sentence": (ids, _ids(theirs)),
        "the text of its tokens": (ours.decode(ids), theirs.decode(ids)),
        "the vocabulary": (ours.get_vocab(), theirs.get_vocab()),
        "the special tokens": (ours.special_tokens_map, theirs.special_tokens_map),
        "the chat template": (ours.chat_template, theirs.chat_template),
    }
    return [
        f"{what} differ" if what.endswith("tokens") else f"{what} differs" for what, (a, b) in pairs.items() if a != b
    ]


def _unlike_weights(ours: PreTrainedModel, theirs: PreTrainedModel) -> list[str]:
    mine, other = ours.state_dict(), theirs.state_dict()
    if mine.keys() != other.keys():
        return [f"other weights than in memory: {', '.join(sorted(mine.keys() ^ other.keys())[:3])}"]
    wrong = [name for name in mine if mine[name].dtype != other[name].dtype or not torch.equal(mine[name], other[name])]
    return [f"{len(wrong)} weights differ, {wrong[0]} among them"] if wrong else []


@torch.inference_mode()
def _logits(model: PreTrainedModel, ids: list[int]) -> Tensor:
    return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double()


def _relative(ours: Tensor, theirs: Tensor) -> float:
    """Largest absolute difference over the largest absolute logit; what is not finite must be so in both."""
    alike = (ours == theirs) | (ours.isnan() & theirs.isnan())
    if alike.all():
        return 0.0
    largest = (ours - theirs)[~alike].abs().max() / ours.abs().max()
    return float(largest.nan_to_num(nan=float("inf")))


@contextmanager
def _on_cpu(model: PreTrainedModel) -> Iterator[None]:
    where = model.device
    model.to("cpu")
    try:
        yield
    finally:
        model.to(where)
