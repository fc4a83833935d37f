"""Tables in a pack: strange shapes, columns and footers are refused before anything large is made of them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from core.specs.errors import UserError
from core.store import inspection, profiles, results, tables
from core.store.cache import Store
from core.store.packs import unpack
from tests.core.packing import LAYERS, SEQUENCES, Members, first, hashed, refused, snapshot, zipped

FLOOR = "injection-read.parquet"
FORM = results.Floor


def table(columns: dict[str, pa.Array], shape: object) -> bytes:
    sink = pa.BufferOutputStream()
    told = {} if shape is None else {"shape": shape if isinstance(shape, bytes) else json.dumps(shape)}
    parquet.write_table(pa.table(columns).replace_schema_metadata(told), sink)
    return sink.getvalue().to_pybytes()


def drift(layers: int = LAYERS, **other: pa.Array) -> dict[str, pa.Array]:
    index = [pa.array(each.ravel().astype(np.int16)) for each in np.indices((layers, layers))]
    whole = {"injection": index[0], "read": index[1], "drift": pa.array(np.ones(layers**2, np.float32))}
    return whole | other


BAD_TABLES = {
    "a huge shape": table(drift(), [1_000_000, 1_000_000]),
    "a shape beyond any memory": table(drift(), [10**18, 10**18]),
    "a shape of endless digits": table(drift(), b"[" + b"9" * 5000 + b", 3]"),
    "a negative shape": table(drift(), [-3, -3]),
    "a shape of fractions": table(drift(), [3.0, 3.0]),
    "a shape of truths": table(drift(), [True, True]),
    "a shape that is a number": table(drift(), 9),
    "a shape of one axis": table(drift(), [9]),
    "a shape nested without end": table(drift(), b"[" * 100_000),
    "a shape that the table beside it contradicts": table(drift(4), [4, 4]),
    "no shape": table(drift(), None),
    "a shape smaller than its rows": table(drift(), [3, 2]),
    "an index beyond the shape": table(drift(read=pa.array(np.full(9, 7, np.int16))), [3, 3]),
    "missing indices": table(drift(read=pa.array([None] * 9, pa.int16())), [3, 3]),
    "text for numbers": table(drift(drift=pa.array(["a"] * 9)), [3, 3]),
    "lists for numbers": table(drift(drift=pa.array([[1.0]] * 9)), [3, 3]),
    "wide indices": table(drift(read=pa.array(np.zeros(9, np.int64))), [3, 3]),
    "a column more": table(drift(more=pa.array(np.zeros(9, np.float32))), [3, 3]),
    "a column less": table({name: column for name, column in drift().items() if name != "read"}, [3, 3]),
    "no table": b"",
    "a pickle": pickle.dumps([1, 2, 3]),
    "a table cut short": table(drift(), [3, 3])[:-10],
    "a table with its middle gone": table(drift(), [3, 3])[:40] + table(drift(), [3, 3])[90:],
}


@pytest.mark.parametrize("which", BAD_TABLES)
def test_a_table_that_is_not_of_its_kind_is_refused(
    which: str, good: Members, there: Store, sentence: Callable
) -> None:
    name = first(good, "floor", FLOOR)
    refused(there, zipped(hashed(good | {name: BAD_TABLES[which]})), sentence, name.rpartition("/")[0])


def test_the_same_table_as_it_should_be_is_taken(good: Members, there: Store) -> None:
    """So that the tables above are refused for what is wrong with them."""
    name = first(good, "floor", FLOOR)
    assert len(unpack(there, zipped(hashed(good | {name: table(drift(), [3, 3])})))) == 1


def test_no_absurd_shape_reaches_numpy(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, sizes = np.full, []
    monkeypatch.setattr(tables.np, "full", lambda shape, value: sizes.append(np.prod(shape)) or full(shape, value))
    name = first(good, "floor", FLOOR)
    for shape in ([inspection.NUMBERS, 2], [2, inspection.NUMBERS], [30_000, 30_000]):
        refused(there, zipped(hashed(good | {name: table(drift(), shape)})), sentence, name)
    assert not sizes or max(sizes) < 1000


def test_the_limit_counts_every_number_of_a_result(
    here: Store, good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = LAYERS**2 * SEQUENCES + 4 * LAYERS**2 + 8 * LAYERS * SEQUENCES  # of a perturbed unit, the largest
    monkeypatch.setattr(inspection, "NUMBERS", numbers - 1)
    refused(there, zipped(good), sentence, "perturbed/")
    monkeypatch.setattr(inspection, "NUMBERS", numbers)
    assert len(unpack(there, zipped(good))) == 1


@tried(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_changed_tables_are_read_or_refused_in_a_sentence(
    data: st.DataObject, good: Members, no_demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With hashes that fit, so that only the tables themselves are in question."""
    name = first(good, "floor", FLOOR)
    content = bytearray(good[name])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    store = Store(tmp_path_factory.mktemp("cache"))
    try:
        [entry] = unpack(store, zipped(hashed(good | {name: bytes(content)})))
    except UserError:
        assert snapshot(store.root) == {}
    else:
        assert profiles.load(store, entry).floor.drift.shape == (LAYERS, LAYERS)


@tried(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 5000),
    page=st.sampled_from([64, 1000, 2**20]),
    group=st.integers(100, 5000),
    compression=st.sampled_from(["zstd", "none", "snappy"]),
    version=st.sampled_from(["1.0", "2.0"]),
    dictionary=st.booleans(),
)
def test_page_headers_say_what_an_honest_footer_says(
    rows: int, page: int, group: int, compression: str, version: str, dictionary: bool
) -> None:
    """The footer's sizes count the page headers too, packed and unpacked alike."""
    sink = pa.BufferOutputStream()
    numbers = np.arange(rows, dtype=np.float32) % 97
    parquet.write_table(
        pa.table({"read": numbers.astype(np.int16), "drift": numbers}), sink, data_page_size=page, row_group_size=group,
        compression=compression, data_page_version=version, use_dictionary=dictionary, write_statistics=dictionary,
    )  # fmt: skip
    content = sink.getvalue().to_pybytes()
    footer = parquet.ParquetFile(pa.BufferReader(content)).metadata
    columns = [footer.row_group(g).column(c) for g in range(footer.num_row_groups) for c in range(2)]
    found, pages = inspection.sizes(content)
    headers = sum(each.total_uncompressed_size for each in columns) - pages
    assert found == rows
    assert 0 < headers < sum(each.total_compressed_size for each in columns)


def test_a_page_that_claims_more_than_the_footer_is_refused(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = pa.BufferOutputStream()
    whole = pa.table(drift(10)).replace_schema_metadata({"shape": "[10, 10]"})
    parquet.write_table(whole, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    content = bytearray(sink.getvalue().to_pybytes())
    footer = parquet.ParquetFile(pa.BufferReader(bytes(content))).metadata
    at = footer.row_group(0).column(2).data_page_offset
    assert content[at : at + 3] == bytes([0x15, 0, 0x15]), "not the beginning of a page header"
    content[at + 3 : at + 5] = bytes([0xFE, 0x7F])  # 8191 bytes, in the same two bytes of varint
    name = first(good, "floor", FLOOR)
    monkeypatch.setattr(inspection, "PAGES", 5000)
    said = refused(there, zipped(hashed(good | {name: bytes(content)})), sentence, name)
    assert "unpacks to" in said and inspection.sizes(bytes(content))[1] > 8191


def test_a_table_that_unpacks_beyond_the_limit_is_refused(
    good: Members, there: Store, sentence: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "PAGES", 60)
    refused(there, zipped(good), sentence, "unpacks to")


def footed(footer: bytes) -> bytes:
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize(
    "footer",
    [
        b"",
        b"\x00",
        b"\x1c" * 200,  # structures in structures
        b"\x19" * 100_000,  # lists in lists
        b"\x19\xf7" + b"\xff" * 8 + b"\x7f",  # a list of endless numbers that take no place
        b"\x19\xf3" + b"\xff" * 8 + b"\x7f",
        b"\x16" + b"\xff" * 100,
        b"\x06\x84\x80\x08\x00\x00",  # a field that is another one in 16 bits
        bytes(2**20 + 1),
    ],
    ids=range(9),
)
def test_a_strange_footer_is_refused(footer: bytes, good: Members, there: Store, sentence: Callable) -> None:
    name = first(good, "floor", FLOOR)
    refused(there, zipped(hashed(good | {name: footed(footer)})), sentence, name)


def test_no_changed_byte_of_a_footer_ends_the_process(good: Members, sentence: Callable) -> None:
    """pyarrow's own view of a footer does where a column's level histogram has another size than its levels."""
    name = first(good, "floor", FLOOR)
    content = bytearray(good[name])
    outcomes = set()
    for place in range(len(content) - 400, len(content)):
        for value in (0, 1, 0x29, 255):
            changed = content[:place] + bytes([value]) + content[place + 1 :]
            try:
                inspection.check_tables(
                    "floor/key",
                    {FLOOR: bytes(changed), "read.parquet": good[name.replace(FLOOR, "read.parquet")]},
                    FORM,
                )
                outcomes.add("taken")
            except UserError as error:
                sentence(error)
                outcomes.add("refused")
    assert outcomes == {"taken", "refused"}
