"""From a text to token windows that anybody with the same text gets again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from core.ask.inputs import TextSpec, WindowRequest
from core.base import access
from core.base.errors import UserError
from core.base.escape import brief
from core.base.formats import several
from core.base.paths import MOST, expanded, readable
from core.models import hub
from core.models.loading import Loaded, Reader, tokenizer_hash

DEMO = Path(__file__).parent / "demo_text"
LARGEST, MOST_ENCODED = MOST["text table"], MOST["text file"]  # bytes of a text, and signs that are encoded at once
TABLES = (".jsonl", ".parquet")  # of which a part may be asked for
ROWS = 256  # of a table at a time
UTF_8 = "utf-8-sig"  # Windows tools begin a file with a mark that is no part of its text
SOURCES = "demo, demo:evaluation, file:PATH (.txt .raw .jsonl .parquet), or a Hub dataset such as allenai/c4"


@dataclass(frozen=True)
class Text:
    """Documents, how they become windows unless told otherwise, and what to call them."""

    label: str
    documents: tuple[str, ...]
    packing: str
    files: tuple[Path, ...] = ()

    @property
    def content(self) -> str:
        """SHA-256 of the documents."""
        return hashlib.sha256("\0".join(self.documents).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Windows:
    """Token windows: what they are, and the tokens themselves."""

    spec: TextSpec
    tokens: Tensor  # (sequences, length) int64
    label: str
    files: tuple[Path, ...]


def read(source: str, documents: tuple[int, int] | None = None) -> Text:
    """Read a text source, or the documents `first..last` of it.

    Raises:
        UserError: unknown source, missing file, a record without text, documents that are not there.
    """
    if source in ("demo", "demo:evaluation"):
        folder = DEMO / ("evaluation" if ":" in source else "calibration")
        files = tuple(sorted(folder.glob("*.txt")))
        pieces = tuple(path.read_text(encoding="utf-8") for path in files)
        text = Text(f"demo text, {folder.name} half", pieces, "joined", files)
    elif source.startswith("file:"):
        text = _file(access.inside(expanded(source.removeprefix("file:"))))
    elif source.count("/") == 1:
        text = _hub(source, documents)
    else:
        raise UserError(f"there is no text {brief(source)}: give {SOURCES}")
    if documents is None:
        return text
    first, last = documents
    if last >= len(text.documents):
        raise UserError(f"{text.label} has {several(len(text.documents), 'document')}: {first}-{last} asks for more")
    return Text(f"{text.label}, documents {first}-{last}", text.documents[first : last + 1], text.packing, text.files)


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
    _check_size(text.label, sum(map(len, pieces)), MOST_ENCODED)
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


def _file(path: Path) -> Text:
    reader, table = READERS.get(path.suffix), path.suffix in TABLES
    readable(path, "text table" if table else "text file")
    if reader is None:
        raise UserError(f"{path.name} cannot be read as text: known endings are {', '.join(READERS)}")
    try:
        documents = tuple(reader(path))
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is not UTF-8 text (byte {error.start})") from error
    return Text(path.name, documents, "document" if table else "joined", (path,))


def _raw(path: Path) -> list[str]:
    """WikiText as its Hub builder reads it: a row is a line with its newline, blank ones emptied; joined by two."""
    lines = path.read_text(encoding=UTF_8).split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    return ["\n\n".join(line + "\n" if line.strip() else "" for line in lines)]


def _jsonl(path: Path) -> list[str]:
    documents = []
    with path.open(encoding=UTF_8) as file:
        for number, line in enumerate(iter(partial(file.readline, MOST_ENCODED), ""), 1):  # a longer one is no record
            try:
                if line.strip():
                    documents.append(_words(json.loads(line)["text"]))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise UserError(f'{path.name} line {number} is not a record like {{"text": "..."}}') from error
    return documents


def _words(value: Any) -> str:
    value.encode()  # half of a pair of signs, which JSON may hold, is none
    return value


def _parquet(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    found: list[str] = []
    try:
        with parquet.ParquetFile(path) as file:
            if "text" not in file.schema_arrow.names:
                raise KeyError("text")
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            _check_size(path.name, sum(group.total_byte_size for group in groups))
            for batch in file.iter_batches(ROWS, columns=["text"]):
                _check_size(path.name, batch.nbytes + sum(map(len, found)))
                for value in batch["text"].to_pylist():
                    found.append(_words(value))
            return found
    except AttributeError as error:
        raise UserError(
            f"{path.name} row {len(found) + 1} has no words in its column text: leave the row out, or give it words"
        ) from error
    except (pa.ArrowException, KeyError, OSError, TypeError, ValueError) as error:
        raise UserError(f"{path.name} is not a Parquet file with a column named text") from error


def _check_size(name: str, size: int, most: int = LARGEST) -> None:
    """Refuse more than a text may hold, however small it is packed: the header may lie, so may a batch."""
    if size > most:
        raise UserError(f"{name} holds {size / 2**20:,.0f} MiB of text, more than {most / 2**20:,g}: take a part of it")


READERS = {
    ".txt": lambda path: [path.read_text(encoding=UTF_8)],
    ".raw": _raw,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}


def _hub(name: str, documents: tuple[int, int] | None) -> Text:
    label, found = hub.documents(name, documents and documents[1])
    if name in hub.WHOLE:
        return Text(label, ("\n\n".join(found),), "joined")
    return Text(label, found, "document")
