"""Checks that a saved folder loads back as the model it was saved from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from core.base import UserError, per_cent
from core.methods import Pattern
from core.models import (
    FOREIGN,
    Layers,
    Loaded,
    anatomy,
    checkpoint_pieces,
    is_streamed,
    load_tokenizer,
    placement,
    read_by_layers,
)
from core.store import Array

SENTENCE = (
    "At 7:45 the café by the lock opened, and a heron, who had read about bread, came in and asked for 2 loaves; "
    "“Fish?” said the baker, «не сегодня», 今日はない 🙂\n\tand closed the door."
)
LONGEST = 64  # tokens of it that are run
TOLERANCE = 1e-6  # of the largest logit
ROUNDED = 1e-4  # the same, and of a weight, where a file keeps some weights rounded


def off_plan(layers: Layers, planned: Array, before: Array | None, pattern: Pattern | None) -> list[str]:
    """Sentences on linears whose zeros differ from the plan by more than one weight per row, or are off the pattern.

    Args:
        planned: (layers, linears) fraction of zeros; NaN where a layer has fewer linears than another.
        before: (layers, linears) fraction of zeros in the dense weights, as quantised ones have some: a row may keep
            them beside the planned ones. None: none.
        pattern: followed by every linear with planned zeros.

    Raises:
        UserError: a layer cannot be pruned.
    """

    def breaks_pattern(weight):
        if weight.shape[1] % pattern.of:
            return True
        return bool(((weight != 0).unflatten(-1, (-1, pattern.of)).sum(-1) > pattern.remaining).any())

    zeros = anatomy.per_weight(layers, anatomy.zero_fraction)
    slack = anatomy.per_weight(layers, lambda weight: 1 / weight.shape[1]) + 1e-9
    most = planned + slack + (0 if before is None else before)
    wrong = [
        f"layer {layer} {anatomy.prunable_linears(layers[layer])[column].name} has "
        f"{per_cent(zeros[layer, column], 4)} zeros where {per_cent(planned[layer, column], 4)} were planned"
        for layer, column in np.argwhere((zeros < planned - slack) | (zeros > most))
    ]
    if pattern and (broken := int(((anatomy.per_weight(layers, breaks_pattern) == 1) & (planned > 0)).sum())):
        wrong.append(f"{broken} linears are not in the pattern {pattern.name}")
    return wrong


def load_back(
    folder: Path, file: str | None = None, dtype: torch.dtype | str = "auto"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the folder's model and tokenizer as any user would.

    Args:
        file: name of a GGUF file in it, which holds both.
    """
    options = {"local_files_only": True, "trust_remote_code": False, "gguf_file": file}
    return (
        AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **options).eval(),
        AutoTokenizer.from_pretrained(folder, **options),
    )


def reload(loaded: Loaded, folder: Path, file: str | None = None, packed: bool = False) -> tuple[list[str], float]:
    """Load a saved folder and compare it with the model in memory.

    Both run on one device, the CPU if it holds the model: numbers of two devices never agree to the last bit.

    Args:
        file: a GGUF file in it that holds the weights, up to the rounding of norms that are kept with 1 added.
        packed: True if compressed-tensors unpacks the weights on the first forward.

    Returns:
        Sentences on every difference, empty if there is none; and the largest difference of logits on a fixed sentence,
        relative to the largest logit.
    """
    if is_streamed(loaded.layers):  # memory cannot hold it twice
        source = replace(loaded.source, folder=folder)
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        model, tokenizer = read_by_layers(source, config, loaded.spec.dtype, None).eval(), load_tokenizer(source)
    else:
        model, tokenizer = load_back(folder, file, loaded.model.dtype if file or packed else "auto")
    ids = _ids(loaded.tokenizer)[: min(loaded.longest or LONGEST, LONGEST)]
    with _where_alike(loaded, model):
        difference = _relative(_logits(loaded.model, ids), _logits(model, ids))
        unlike = _unlike_tokens(loaded.tokenizer, tokenizer, file)
        unlike += _unlike_weights(loaded, model, ROUNDED if file else 0)
    if file:
        if difference > ROUNDED and not unlike:
            raise UserError(
                f"a GGUF file does not hold all that this {loaded.config.model_type} is, as its windows of attention: "
                f"its logits would differ by {difference:.2g} of the largest one, so export it with format dense"
            )
        return unlike, difference
    if difference > TOLERANCE:
        unlike.append(f"the logits differ by {difference:.2g} of the largest one")
    configs = [vars(each) for each in (model.config, model.config.get_text_config())]
    foreign = () if packed else FOREIGN
    unlike += [f"config.json has {name}" for name in foreign if any(each.get(name) is not None for each in configs)]
    return unlike, difference


def _ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return tokenizer(SENTENCE)["input_ids"]


def _unlike_tokens(ours: PreTrainedTokenizerBase, theirs: PreTrainedTokenizerBase, file: str | None) -> list[str]:
    ids = _ids(ours)
    if file:  # which stores no tokenizer class
        return [] if ids == _ids(theirs) else ["the tokenising of a sentence differs"]
    pairs = {
        "the tokenising of a sentence": (ids, _ids(theirs)),
        "the text of its tokens": (ours.decode(ids), theirs.decode(ids)),
        "the vocabulary": (ours.get_vocab(), theirs.get_vocab()),
        "the map of special tokens": (ours.special_tokens_map, theirs.special_tokens_map),
        "the chat template": (ours.chat_template, theirs.chat_template),
    }
    return [f"{what} differs" for what, (mine, other) in pairs.items() if mine != other]


def _unlike_weights(loaded: Loaded, model: PreTrainedModel, slack: float) -> list[str]:
    def alike(mine, other):
        comparable = other is not None and mine.dtype == other.dtype
        return comparable and torch.allclose(mine, other.to(mine.device), rtol=slack, atol=slack)

    names = [each.state_dict().keys() for each in (loaded.model, model)]
    names[1] -= {name for name in names[1] if name.endswith(("weight_scale", "weight_shape"))}  # only used to unpack
    if names[0] != names[1]:
        return [f"other weights than in memory: {', '.join(sorted(names[0] ^ names[1])[:3])}"]
    both = zip(*map(checkpoint_pieces, (loaded.model, model)), strict=True)
    wrong = [name for mine, other in both for name in mine if not alike(mine[name], other.get(name))]
    return [f"{len(wrong)} weights differ, {wrong[0]} among them"] if wrong else []


@torch.inference_mode()
def _logits(model: PreTrainedModel, ids: list[int]) -> Tensor:
    return model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits[0].cpu().double()


def _relative(ours: Tensor, theirs: Tensor) -> float:
    """Largest absolute difference over the largest absolute logit; non-finite logits must be so in both."""
    alike = (ours == theirs) | (ours.isnan() & theirs.isnan())
    if alike.all():
        return 0.0
    largest = (ours - theirs)[~alike].abs().max() / ours.abs().max()
    return float(largest.nan_to_num(nan=float("inf")))


@contextmanager
def _where_alike(loaded: Loaded, model: PreTrainedModel) -> Iterator[None]:
    """While inside, both models are on the CPU; if one is streamed, the other is placed like it."""
    where = loaded.model.device
    if is_streamed(loaded.layers):
        placement.place(model, anatomy.decoder_layers(model), where)
        yield
        return
    loaded.model.to("cpu")
    try:
        yield
    finally:
        loaded.model.to(where)
