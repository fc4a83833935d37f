"""Token windows of a text, the same on every machine that has the text."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from tokenizers.models import Unigram
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from core.base import UserError, frozen, several
from core.models.loading import Reader, tokenizer_hash
from core.models.machine import refuse_too_long
from core.models.patching import library_errors
from core.models.progress import READING, REPORT, Progress
from core.models.texts import MOST_ENCODED, Text, check_size, read
from core.requests import TextSpec, WindowRequest

PIECE = 2**15  # characters that are tokenised as one
PIECES_AT_ONCE = 32  # pieces that are tokenised at once: meanwhile a character takes about 150 bytes
MARGIN = 512  # characters at either end of a piece whose tokens may be others than the whole text's
Encoded = list[np.ndarray]  # tokens of each document
Tokenised = Iterator[tuple[np.ndarray, np.ndarray]]  # of pieces the tokens, and the spans of characters of each
MAX_AS_ONE = 2**21  # characters of a text that may be tokenised as one where its pieces may not fit together


@frozen
class Windows:
    """Token windows and the spec that draws them."""

    spec: TextSpec
    tokens: Tensor  # (sequences, length) int64
    label: str
    files: tuple[Path, ...]


def windows(request: WindowRequest, loaded: Reader) -> Windows:
    """Draw windows with the tokenizer of the model.

    Raises:
        UserError: the text is too short (the message says how many windows it has), the length exceeds the model's
            positions, the tokenizer gives tokens that the model has not, or it has no start token and one is requested.
    """
    if loaded.longest and request.length > loaded.longest:
        raise UserError(
            f"length {request.length} exceeds the {loaded.longest} positions of {loaded.source.label}: ask for less"
        )
    refuse_too_long(request.source)
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


def _encode(text: Text, packing: str, bos: str, tokenizer: PreTrainedTokenizerBase) -> Encoded:
    """The tokens of each document, or of all as one, uint32; those of a long one are put together from its pieces.

    Raises:
        UserError: the text is too long, or one that has to be tokenised as one is.
    """
    documents = text.documents if packing == "document" else ["\n\n".join(text.documents)] * bool(text.documents)
    check_size(text.label, sum(map(len, documents)), MOST_ENCODED)
    tell = _reading(text.label, sum(map(len, documents)))
    tokenised = partial(_tokenised, bos=bos, tokenizer=tokenizer, tell=tell)
    # the likeliest parting of a long run, which Unigram looks for, may depend on its far end
    parted = tokenizer.is_fast and not isinstance(tokenizer.backend_tokenizer.model, Unigram)

    def of_long(document):
        ids = _from_pieces(document, tokenised) if parted else None
        if ids is None and len(document) > MAX_AS_ONE:
            raise UserError(
                f"{text.label} is longer than {MAX_AS_ONE:,} characters and cannot be tokenised in pieces, for its "
                "tokenizer or a run of the same few characters allows none: break it into lines, or take a part of it"
            )
        return next(tokenised([document]))[0] if ids is None else ids

    short = tokenised(each for each in documents if len(each) <= PIECE)
    return [next(short)[0] if len(each) <= PIECE else of_long(each) for each in documents]


def _tokenised(
    pieces: Iterable[str], bos: str, tokenizer: PreTrainedTokenizerBase, tell: Callable[[int], object]
) -> Tokenised:
    """Tokens of each piece and, where the tokenizer gives them, the spans of characters of each, (tokens, 2).

    tell: called with the characters that were tokenised since.
    """
    pieces = iter(pieces)
    while batch := list(islice(pieces, PIECES_AT_ONCE)):
        with library_errors("the tokenizer fails on this text"):
            encoded = tokenizer(batch, add_special_tokens=bos == "protocol", verbose=False)
        tell(sum(map(len, batch)))
        for number, ids in enumerate(encoded["input_ids"]):
            spans = encoded.encodings[number].offsets if encoded.encodings else []
            yield np.asarray(ids, np.uint32), np.asarray(spans, np.int32).reshape(-1, 2)


def _reading(label: str, size: int) -> Callable[[int], None]:
    """A function that counts characters of a text, and reports how far it is read if it is long."""
    done = 0

    def tell(characters):
        nonlocal done
        done = min(done + characters, size)  # pieces overlap
        if size > MAX_AS_ONE:
            REPORT.get()(Progress(f"{READING} {label}, {done / 1e6:,.0f} of {size / 1e6:,.0f} million characters"))

    return tell


def _from_pieces(document: str, tokenised: Callable[..., Tokenised]) -> np.ndarray | None:
    """The tokens of a document by overlapping pieces, or None where two differ in the middle of what they share.

    What lies there is `MARGIN` characters or more away from the ends of either piece.
    """
    starts = range(0, len(document) - 3 * MARGIN, PIECE - 3 * MARGIN)
    pieces = tokenised(document[start : start + PIECE] for start in starts)
    (ids, spans), tokens, first = next(pieces), [], 0
    for start, (following, beyond) in zip(starts[1:], pieces, strict=True):
        beyond += start
        here, there = (np.flatnonzero((each[:, 0] - start) // MARGIN == 1) for each in (spans, beyond))
        same = np.array_equal(spans[here], beyond[there]) and np.array_equal(ids[here], following[there])
        if not same or not len(here):
            return None
        middle = len(here) // 2
        tokens.append(ids[first : here[middle]])
        first, ids, spans = there[middle], following, beyond
    return np.concatenate([*tokens, ids[first:]])


def _from_joined(encoded: Encoded, body: int, request: WindowRequest, label: str) -> tuple:
    room = len(encoded[0]) // body
    if room < request.sequences:
        raise UserError(
            f"{label} has {room} windows of {request.length} tokens, {request.sequences} were asked for: "
            "ask for fewer or shorter ones"
        )
    chosen = np.random.default_rng(request.seed).permutation(room)[: request.sequences]
    return tuple((0, int(slot) * body) for slot in sorted(chosen))


def _from_documents(encoded: Encoded, body: int, request: WindowRequest, label: str) -> tuple:
    long_enough = [index for index, ids in enumerate(encoded) if len(ids) > body]
    if len(long_enough) < request.sequences:
        raise UserError(
            f"{label} has {several(len(long_enough), 'document')} of more than {body} tokens, {request.sequences} were "
            "asked for: ask for fewer or shorter windows, or join the documents"
        )
    draw = np.random.default_rng(request.seed)
    chosen = draw.permutation(long_enough)[: request.sequences]
    return tuple((int(index), int(draw.integers(0, len(encoded[index]) - body + 1))) for index in chosen)


def _cut(encoded: Encoded, starts: tuple, body: int, before: int | None) -> Tensor:
    """The windows, each after the token `before` if there is one."""
    rows = np.stack([encoded[document][start : start + body] for document, start in starts]).astype(np.int64)
    return torch.from_numpy(rows if before is None else np.insert(rows, 0, before, axis=1))
