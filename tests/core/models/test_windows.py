"""Texts: windows that anybody with the same text gets again, and errors that say how much there is."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models import hub, texts, windows
from core.requests import WindowRequest
from tests import tiny

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
DOCUMENTS = [f"{index}: " + " ".join(tiny.SENTENCES[: 1 + index % 5]) for index in range(12)]


def drawn(source, **asked):
    return windows.windows(WindowRequest(source=source, **asked), tiny.loaded("llama"))


@pytest.fixture
def documents(tmp_path):
    path = tmp_path / "documents.jsonl"
    path.write_text("".join(json.dumps({"text": each, "url": "x"}) + "\n" for each in DOCUMENTS), encoding="utf-8")
    return f"file:{path}"


def ids_of(text):
    return tiny.tokenizer()(text)["input_ids"]


# --- reading -------------------------------------------------------------------------------------------------------


def test_every_kind_of_file_is_read(tmp_path, documents):
    """Without the mark that Windows tools begin a file with; `.raw` as rows, joined by two newlines."""
    parquet.write_table(pa.table({"text": DOCUMENTS, "more": range(12)}), tmp_path / "rows.parquet")
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "one.txt").write_text("some\ntéxt", encoding=encoding)
        (tmp_path / "wiki.raw").write_text("Title\n\n  \nFirst line .\n Second \n", encoding=encoding, newline="\n")
        (tmp_path / "rows.jsonl").write_text('{"text": "Hé"}\n', encoding=encoding)
        for name, told, packing in (
            ("one.txt", ("some\ntéxt",), "joined"),
            ("wiki.raw", ("Title\n\n\n\n\n\n\nFirst line .\n\n\n Second \n",), "joined"),
            ("rows.jsonl", ("Hé",), "document"),
            ("rows.parquet", tuple(DOCUMENTS), "document"),
        ):
            text = windows.read(f"file:{tmp_path / name}")
            assert (text.documents, text.packing) == (told, packing)
    assert windows.read(documents).documents == tuple(DOCUMENTS)
    (tmp_path / "many.jsonl").write_text('{"text": "rain"}\n' * 3 + "no record\n", encoding="utf-8")
    assert windows.read(f"file:{tmp_path / 'many.jsonl'}", (1, 2)).documents == ("rain", "rain"), "no more is read"


def test_the_demo_text_has_two_halves_that_share_no_line():
    one, other = windows.read("demo"), windows.read("demo:evaluation")
    assert min(len(one.documents), len(other.documents)) >= 8
    lines = [{line for each in half.documents for line in each.splitlines() if len(line) > 40} for half in (one, other)]
    assert lines[0] and lines[1] and not lines[0] & lines[1]
    assert sum(len(each.split()) for half in (one, other) for each in half.documents) >= 10_000


@pytest.mark.skipif(not SHARED.is_dir(), reason="no WikiText-2 in ../shared/data")
@pytest.mark.bundled
def test_wikitext_has_the_golden_count_of_tokens(bundled):
    [document] = windows.read(f"file:{SHARED / 'wikitext2' / 'wiki.test.raw'}").documents
    assert len(document) == 1_294_336
    assert len(bundled.tokenizer(document, verbose=False)["input_ids"]) == 304_986


# --- windows -------------------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.integers(1, 12), st.integers(8, 64), st.integers(0, 1000))
def test_joined_windows_do_not_overlap(text, sequences, length, seed):
    found, again = (drawn(text, sequences=sequences, length=length, seed=seed) for _ in range(2))
    assert found.spec == again.spec and found.tokens.equal(again.tokens) and found.tokens.dtype == torch.int64
    starts = [start for _, start in found.spec.windows]
    assert starts == sorted(starts) and all(start % length == 0 for start in starts)
    assert len(set(starts)) == sequences
    ids = ids_of(Path(text.removeprefix("file:")).read_text(encoding="utf-8"))
    for start, row in zip(starts, found.tokens.tolist(), strict=True):
        assert row == ids[start : start + length]


def test_another_seed_draws_other_windows(text):
    assert len({drawn(text, sequences=5, length=16, seed=seed).spec.windows for seed in range(3)}) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.integers(1, 9), st.integers(8, 24), st.integers(0, 1000))
def test_document_windows_lie_inside_one_document_each(documents, sequences, length, seed):
    found = drawn(documents, sequences=sequences, length=length, seed=seed)
    numbers = [number for number, _ in found.spec.windows]
    assert len(set(numbers)) == sequences, "a document is used once"
    for (number, start), row in zip(found.spec.windows, found.tokens.tolist(), strict=True):
        assert row == ids_of(DOCUMENTS[number])[start : start + length] and len(row) == length


def test_a_start_token_for_every_window(text):
    found = drawn(text, sequences=3, length=16, bos="every")
    assert found.tokens.shape == (3, 16) and (found.tokens[:, 0] == 0).all()
    assert [start % 15 for _, start in found.spec.windows] == [0, 0, 0]
    assert found.spec.bos == "every" and not (found.tokens[:, 1:] == 0).any()


def test_the_tokens_of_a_stored_text_come_back(text, documents):
    for source, asked in (
        (text, {}),
        (text, {"bos": "every"}),
        (documents, {"documents": (1, 10)}),
        (documents, {"packing": "joined"}),
    ):
        found = drawn(source, sequences=3, length=12, **asked)
        again = windows.tokens(found.spec, source, asked.get("documents"), tiny.tokenizer())
        assert again.equal(found.tokens)


# --- refusals ------------------------------------------------------------------------------------------------------


def test_a_text_that_is_too_short_says_how_much_it_has(text, documents, refused):
    ids = ids_of(Path(text.removeprefix("file:")).read_text(encoding="utf-8"))
    with refused("text.txt", f"{len(ids) // 64} windows", "400"):
        drawn(text, sequences=400, length=64)
    fitting = sum(len(ids_of(each)) > 60 for each in DOCUMENTS)
    with refused("documents.jsonl", str(fitting), "12"):
        drawn(documents, sequences=12, length=60)
    with refused("12 documents", "0-12"):
        drawn(documents, documents=(0, 12), sequences=1, length=8)


def test_a_length_beyond_the_positions(text, refused):
    with refused("65", "64", "tiny llama"):
        drawn(text, length=tiny.LONGEST + 1, sequences=1)
    bloom = tiny.loaded("bloom")  # whose positions are unlimited
    assert windows.windows(WindowRequest(source=text, sequences=1, length=100), bloom).tokens.shape == (1, 100)


@pytest.mark.parametrize("source", ["", "nonsense", "demo:other", "file:", "file:missing.txt", "file:/"])
def test_an_unknown_text(source, refused):
    with refused():
        windows.read(source)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"a.{kind}", b"\xff\xfe\x00") for kind in ("txt", "raw", "jsonl")),
        *(("a.jsonl", content) for content in (b"{", b'{"txt": "x"}', b'["x"]', b'{"text": 5}', b'{"text": null}')),
        ("a.jsonl", b'{"text": "half a sign: \\ud83d"}'),
        *(("a.parquet", table) for table in ({"words": ["x"]}, {"text": [1, 2]}, b"PAR1")),
        ("a.pdf", b"%PDF"),
        ("a", b"text"),
    ],
)
def test_a_file_that_cannot_be_read_as_text(name, content, tmp_path, refused):
    if isinstance(content, dict):
        parquet.write_table(pa.table(content), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    with refused(name):
        windows.read(f"file:{tmp_path / name}")


def test_a_row_without_words_is_named(tmp_path, refused):
    parquet.write_table(pa.table({"text": ["x"] * texts.TABLE_ROWS + ["y", None]}), tmp_path / "a.parquet")
    with refused(f"a.parquet row {texts.TABLE_ROWS + 2} has no words"):
        windows.read(f"file:{tmp_path / 'a.parquet'}")


def with_tokenizer(change):
    """The tiny model with a changed tokenizer."""
    tokenizer = copy.deepcopy(tiny.tokenizer())
    change(tokenizer)
    return replace(tiny.loaded("llama"), tokenizer=tokenizer)


def test_a_tokenizer_that_does_not_serve_is_refused(text, refused):
    with refused("start token"):
        windows.windows(
            WindowRequest(source=text, bos="every"), with_tokenizer(lambda each: setattr(each, "bos_token", None))
        )
    with refused("token ", str(tiny.VOCABULARY)):
        windows.windows(WindowRequest(source=text), with_tokenizer(lambda each: each.add_tokens(["heron"])))


def test_the_start_token_is_part_of_a_text_where_no_content_tells_it(text):
    plain, other = tiny.loaded("llama"), copy.deepcopy(tiny.tokenizer())
    other.bos_token = other.convert_ids_to_tokens(5)
    asked = WindowRequest(source=text, sequences=2, length=8, bos="every")
    plain = replace(plain, source=replace(plain.source, content="0" * 64))  # as of a folder
    one, two = (windows.windows(asked, each) for each in (plain, replace(plain, tokenizer=other)))
    assert one.spec.key != two.spec.key and two.tokens[:, 0].tolist() == [5, 5]
    assert windows.tokens(two.spec, text, None, tiny.tokenizer()).equal(two.tokens), "what was run, not what would be"
    told = replace(plain, source=replace(plain.source, gguf="model.gguf"))
    assert windows.windows(asked, told).spec.start is None


def test_another_text_or_tokenizer_is_not_passed_off_as_the_measured_one(text, refused):
    found = drawn(text, sequences=2, length=8)
    other = copy.deepcopy(tiny.tokenizer())
    other.add_tokens(["heron"])
    with refused("tokenizer"):
        windows.tokens(found.spec, text, None, other)
    Path(text.removeprefix("file:")).write_text("something else", encoding="utf-8")
    with refused("text.txt"):
        windows.tokens(found.spec, text, None, tiny.tokenizer())


def test_a_hub_dataset_is_read_by_its_column_of_text(monkeypatch):
    """A shard of C4 without the name of a configuration, by which it would be checked against all other shards."""
    asked = {}

    def here(name, /, streaming=False, **options):
        asked[name] = options
        if streaming:
            return ({"text": f"Page {number}."} for number in range(10**9))
        return datasets.Dataset.from_dict({"text": [" = Title = \n", "", "Words .\n"]})

    monkeypatch.setattr(hub, "wait_for_answer", lambda *_: None)
    monkeypatch.setattr(datasets, "load_dataset", here)
    wiki = windows.read("Salesforce/wikitext")
    assert wiki.documents == (" = Title = \n\n\n\n\nWords .\n",) and wiki.packing == "joined"
    pages = windows.read("allenai/c4")
    assert pages.packing == "document" and len(pages.documents) == hub.DOCUMENTS
    assert asked["Salesforce/wikitext"]["split"] == "test" and asked["allenai/c4"].keys() == {"data_files", "split"}
    assert asked["allenai/c4"]["data_files"]["train"].endswith("00000-of-01024.json.gz")
