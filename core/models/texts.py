"""Texts: documents read from files, from the demo, or from a dataset of the Hub."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from core.base import MAX_BYTES, UserError, access, brief, exists, expanded, readable, several
from core.models import hub
from core.models.sources import HUB_ID

DEMO = Path(__file__).parent / "demo_text"
LARGEST, MOST_ENCODED = (
    MAX_BYTES["text table"],
    MAX_BYTES["text file"],
)  # bytes of a text, and characters that are tokenised
LONGEST_LINE = 2**26  # characters of a JSON record
SPARE = 64 * 2**20  # bytes that reading and tokenising hold whatever the file's size: 57 MB at 50 MB of lines
BYTES_HELD = 6  # bytes for each of a file, at most, while its characters and its tokens are there
TABLE_ROWS, AT_ONCE = 16, 2**28  # of a table, and their bytes at most: each may repeat the same long value
UTF_8 = "utf-8-sig"  # Windows tools begin a file with a mark that is no part of its text
SOURCES = "demo, demo:evaluation, file:PATH (.txt .raw .jsonl .parquet), or a Hub dataset such as allenai/c4"


class Text(NamedTuple):
    """Documents, their usual packing into windows, and a label."""

    label: str
    documents: tuple[str, ...]
    packing: str
    files: tuple[Path, ...] = ()

    @property
    def content(self) -> str:
        """SHA-256 of the documents, with a zero between them."""
        whole = hashlib.sha256()
        for number, document in enumerate(self.documents):
            whole.update(b"\0" * bool(number))
            whole.update(document.encode())
        return whole.hexdigest()


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
        text = _file(access.inside(expanded(source.removeprefix("file:"))), documents and documents[1] + 1)
    elif HUB_ID.fullmatch(source) and not exists(Path(source)):  # a folder here would be read in its place
        label, rows = hub.dataset_documents(source, documents and documents[1])
        whole = source in hub.WHOLE
        text = Text(label, ("\n\n".join(rows),) if whole else rows, "joined" if whole else "document")
    else:
        raise UserError(f"there is no text {brief(source)}: give {SOURCES}")
    if documents is None:
        return text
    first, last = documents
    if last >= len(text.documents):
        raise UserError(f"{text.label} has {several(len(text.documents), 'document')}: {first}-{last} asks for more")
    return Text(f"{text.label}, documents {first}-{last}", text.documents[first : last + 1], text.packing, text.files)


def memory_to_read(source: str) -> int:
    """Bytes that the text of a file takes at most while windows are cut from it; 0 for other texts.

    Of a table by its footer, which does not tell how often a row repeats the value of another.
    """
    if not source.startswith("file:") or not exists(path := access.inside(expanded(source.removeprefix("file:")))):
        return 0
    size = path.stat().st_size
    if path.suffix == ".parquet":
        with suppress(Exception):  # where it is read it is said what is wrong with it
            size = max(size, _unpacked(readable(path, "text table")))
    return SPARE + BYTES_HELD * size


def _file(path: Path, most: int | None) -> Text:
    """most: documents that are read, None for all."""
    reader, table = READERS.get(path.suffix), path.suffix in (".jsonl", ".parquet")  # a request may name a part of it
    readable(path, "text table" if table else "text file")
    if reader is None:
        raise UserError(f"{path.name} cannot be read as text: known endings are {', '.join(READERS)}")
    try:
        whole = reader(path, most is None)
        documents = tuple(_bounded(path.name, whole) if most is None else islice(whole, most))
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name} is not UTF-8 text (byte {error.start})") from error
    return Text(path.name, documents, "document" if table else "joined", (path,))


def _bounded(name: str, documents: Iterable[str]) -> Iterator[str]:
    """Documents of a text that is read whole, refused as soon as they are more than are tokenised."""
    size = 0
    for each in documents:
        size += len(each)
        check_size(name, size, MOST_ENCODED)
        yield each


def _raw(path: Path, _: bool) -> Iterator[str]:
    """WikiText as its Hub builder reads it: a row is a line with its newline, blank ones emptied; joined by two."""
    with path.open(encoding=UTF_8) as file:
        yield "\n\n".join(line.removesuffix("\n") + "\n" if line.strip() else "" for line in file)


def _jsonl(path: Path, _: bool) -> Iterator[str]:
    with path.open(encoding=UTF_8) as file:
        for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), ""), 1):  # a longer one is no record
            try:
                if line.strip():
                    yield _words(json.loads(line)["text"])
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise UserError(f'{path.name} line {number} is not a record like {{"text": "..."}}') from error


def _words(value: Any) -> str:
    value.encode()  # half of a pair of signs, which JSON may hold, is none
    return value


def _parquet(path: Path, whole: bool) -> Iterator[str]:
    """whole: all is read, so that the footer can tell that it is too much."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    row, size, most = 0, 0, MOST_ENCODED if whole else LARGEST
    try:
        check_size(path.name, unpacked := _unpacked(path), most)
        at_once = max(1, min(TABLE_ROWS, AT_ONCE // (unpacked + 1)))
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(at_once, columns=["text"]):
                for value in batch["text"]:
                    row += 1
                    yield _words(words := value.as_py())
                    size += len(words)
                    check_size(path.name, size, most)
    except AttributeError as error:
        raise UserError(
            f"{path.name} row {row} has no words in its column text: leave the row out, or give it words"
        ) from error
    except (pa.ArrowException, KeyError, OSError, TypeError, ValueError) as error:
        raise UserError(f"{path.name} is not a Parquet file with a column named text") from error


def _unpacked(path: Path) -> int:
    """Bytes of the column text of a table before it was compressed, by the footer."""
    import pyarrow.parquet as parquet

    footer = parquet.read_metadata(path)
    groups = map(footer.row_group, range(footer.num_row_groups))
    columns = (group.column(at) for group in groups for at in range(group.num_columns))
    return sum(each.total_uncompressed_size for each in columns if each.path_in_schema == "text")


def check_size(name: str, size: int, most: int) -> None:
    """Refuse more than a text may hold, however small it is packed: the header may lie, so may a batch."""
    if size > most:
        raise UserError(f"{name} holds {size / 2**20:,.0f} MiB of text, more than {most / 2**20:,g}: take a part of it")


READERS = {
    ".txt": lambda path, _: [path.read_text(encoding=UTF_8)],
    ".raw": _raw,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
