"""From a text to token windows that anybody with the same text gets again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from core.ask.inputs import TextSpec, WindowRequest
from core.base.errors import UserError
from core.base.formats import several
from core.models.loading import Loaded, Reader, tokenizer_hash
from core.models.texts import MOST_ENCODED, Text, check_size, read


@dataclass(frozen=True, eq=False)
class Windows:
    """Token windows: what they are, and the tokens themselves."""

    spec: TextSpec
    tokens: Tensor  # (sequences, length) int64
    label: str
    files: tuple[Path, ...]


def windows(request: WindowRequest, loaded: Loaded | Reader) -> Windows:
    """Draw the asked windows with the model's tokenizer.

    Raises:
        UserError: the text is too short (the message says how many windows it has), the length exceeds the model's
            positions, the tokenizer gives tokens that the model has not, or a start token is asked of one without.
    """
    if loaded.longest and request.length > loaded.longest:
        raise UserError(
            f"length {request.length} exceeds the {loaded.longest} positions of {loaded.source.label}: ask for less"
        )
    text = read(request.source, request.documents)
    packing = request.packing or text.packing
    start = _start(loaded.tokenizer) if request.bos == "every" else None
    body = request.length - (start is not None)
    encoded = _encode(text, packing, request.bos, loaded.tokenizer)
    highest = max((int(ids.max()) for ids in encoded if len(ids)), default=0)
    if highest >= loaded.vocabulary:
        raise UserError(
            f"the tokenizer of {loaded.source.label} gives token {highest}, and the model has {loaded.vocabulary}: "
            "they do not belong together"
        )
    draw = _from_documents if packing == "document" else _from_joined
    starts = draw(encoded, body, request, text.label)
    spec = TextSpec(
        content=text.content, tokenizer=loaded.tokenizer_hash, packing=packing, bos=request.bos,
        length=request.length, windows=starts, start=None if loaded.source.tells_tokenizer else start,
    )  # fmt: skip
    return Windows(spec, _cut(encoded, starts, body, start), text.label, text.files)


def tokens(
    spec: TextSpec, source: str, documents: tuple[int, int] | None, tokenizer: PreTrainedTokenizerBase
) -> Tensor:
    """The tokens of a stored text spec, (sequences, length), where its text is at hand.

    Raises:
        UserError: the text or the tokenizer is not the one that was measured.
    """
    text = read(source, documents)
    if text.content != spec.content:
        raise UserError(f"{text.label} is not the text that was measured: its content differs")
    if tokenizer_hash(tokenizer) != spec.tokenizer:
        raise UserError("the tokenizer at hand is not the one that was used")
    encoded = _encode(text, spec.packing, spec.bos, tokenizer)
    start = spec.start
    if spec.bos == "every" and start is None:
        start = _start(tokenizer)
    return _cut(encoded, spec.windows, spec.length - (start is not None), start)


def _start(tokenizer: PreTrainedTokenizerBase) -> int:
    if tokenizer.bos_token_id is None:
        raise UserError("this tokenizer has no start token: use bos protocol")
    return tokenizer.bos_token_id


def _encode(text: Text, packing: str, bos: str, tokenizer: PreTrainedTokenizerBase) -> list[np.ndarray]:
    pieces = list(text.documents) if packing == "document" else ["\n\n".join(text.documents)]
    if not pieces:
        return []
    check_size(text.label, sum(map(len, pieces)), MOST_ENCODED)
    ids = tokenizer(pieces, add_special_tokens=bos == "protocol", verbose=False)["input_ids"]
    return [np.asarray(each, np.int64) for each in ids]


def _from_joined(encoded: list[np.ndarray], body: int, request: WindowRequest, label: str) -> tuple:
    room = len(encoded[0]) // body
    if room < request.sequences:
        raise UserError(
            f"{label} has {room} windows of {request.length} tokens, {request.sequences} were asked for: "
            "ask for fewer or shorter ones"
        )
    chosen = np.random.default_rng(request.seed).permutation(room)[: request.sequences]
    return tuple((0, int(slot) * body) for slot in sorted(chosen))


def _from_documents(encoded: list[np.ndarray], body: int, request: WindowRequest, label: str) -> tuple:
    long_enough = [index for index, ids in enumerate(encoded) if len(ids) > body]
    if len(long_enough) < request.sequences:
        raise UserError(
            f"{label} has {several(len(long_enough), 'document')} of more than {body} tokens, {request.sequences} were "
            "asked for: ask for fewer or shorter windows, or join the documents"
        )
    draw = np.random.default_rng(request.seed)
    chosen = draw.permutation(long_enough)[: request.sequences]
    return tuple((int(index), int(draw.integers(0, len(encoded[index]) - body + 1))) for index in chosen)


def _cut(encoded: list[np.ndarray], starts: tuple, body: int, before: int | None) -> Tensor:
    """The windows, each behind the token `before` where there is one."""
    rows = np.stack([encoded[document][start : start + body] for document, start in starts])
    return torch.from_numpy(rows if before is None else np.insert(rows, 0, before, axis=1))
