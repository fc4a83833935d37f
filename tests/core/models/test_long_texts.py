"""Long texts: their pieces have the whole's tokens, in memory that is told."""

import json
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from core.jobs import cost
from core.models import Text, machine, texts, windows
from core.models.progress import REPORT
from core.requests import WindowRequest
from core.store import Store
from tests import tiny
from tests.builders.requests import measurement


@pytest.mark.parametrize(("packed", "read"), [(True, range(1, 17)), (False, range(1))])
def test_a_table_that_holds_too_much_is_refused_by_its_footer_or_soon(packed, read, tmp_path, monkeypatch, refused):
    rows, path, words = [], tmp_path / "t.parquet", texts._words
    pq.write_table(pa.table({"text": ["word " * 2**14] * 200}), path, use_dictionary=packed)
    monkeypatch.setattr(texts, "MOST_ENCODED", 2**20)
    monkeypatch.setattr(texts, "_words", lambda value: rows.append(value) or words(value))
    with refused("t.parquet", "take a part of it"):
        texts.read(f"file:{path}")
    assert len(rows) in read
    assert len(texts.read(f"file:{path}", (0, 9)).documents) == 10


def test_rows_that_may_be_long_are_read_few_at_a_time(tmp_path, monkeypatch):
    """All repeat one value, which the file holds once."""
    path, batches, sizes = tmp_path / "t.parquet", pq.ParquetFile.iter_batches, []
    pq.write_table(
        pa.table({"text": ["word " * 2**18] * 64}), path, compression="zstd", dictionary_pagesize_limit=2**22
    )

    def counted(*how, **more):
        for batch in batches(*how, **more):
            sizes.append(batch.nbytes)
            yield batch

    monkeypatch.setattr(texts, "AT_ONCE", 2**22)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    assert len(texts.read(f"file:{path}").documents) == 64 and max(sizes) < 2**22
    assert path.stat().st_size < 2**14 and texts.memory_to_read(f"file:{path}") > texts.SPARE + 5 * 5 * 2**18


def test_how_far_a_long_record_is_read_is_told_meanwhile(tmp_path):
    told, path = [], tmp_path / "one.jsonl"
    path.write_text(json.dumps({"text": " ".join(tiny.SENTENCES * 5400)}))
    token = REPORT.set(told.append)
    windows.windows(WindowRequest(source=f"file:{path}", sequences=1, length=8), tiny.loaded("llama"))
    REPORT.reset(token)
    assert len(told) > 2 and told[-1].line == "reading one.jsonl, 2 of 2 million characters"


DEMO = [path.read_text(encoding="utf-8") for path in sorted(texts.DEMO.rglob("*.txt"))]
RUNS = ("ab", "the ", "=", "\n", " ", "\U0001f600", "e\u0301", "\u4f60\u597d", "a" * 200)


def bytes_parted(of):
    of.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    of.post_processor = processors.ByteLevel(trim_offsets=True)
    return trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def one_word(of):
    """As Llama's first: the whole text is one word, and begins with a token of its own."""
    of.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    of.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>"])


def word_pieces(of):
    of.normalizer, of.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    of.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return trainers.WordPieceTrainer(vocab_size=600, special_tokens=["<unk>", "<s>", "</s>"])


def likeliest(of):
    of.normalizer, of.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    return trainers.UnigramTrainer(vocab_size=300, special_tokens=["<unk>"], unk_token="<unk>")


KINDS = {
    bytes_parted: models.BPE,
    one_word: lambda: models.BPE(unk_token="<unk>"),
    word_pieces: lambda: models.WordPiece(unk_token="<unk>"),
    likeliest: models.Unigram,
}


@cache
def trained(kind):
    found = Tokenizer(KINDS[kind]())
    trainer = kind(found)
    trainer.show_progress = False
    found.train_from_iterator([text[:2000] for text in DEMO] if kind is not one_word else DEMO[0].split("\n"), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=found)


@st.composite
def written(draw):
    """A text of several pieces, with runs of the same signs that may be longer than one."""
    start, count = draw(st.integers(0, 3000)), draw(st.integers(1, 900))
    run = st.builds(lambda sign, times: sign * times, st.sampled_from(RUNS), st.integers(1, 700))
    part = st.just(DEMO[draw(st.integers(0, len(DEMO) - 1))][start : start + count]) | st.text(max_size=40) | run
    return "".join(draw(st.lists(part, max_size=8)))


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(windows, "PIECE", 400)
    monkeypatch.setattr(windows, "MARGIN", 48)
    monkeypatch.setattr(windows, "PIECES_AT_ONCE", 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(written(), min_size=1, max_size=3), st.sampled_from(["joined", "document"]), st.booleans())
@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_of_pieces_are_those_of_the_whole(small_pieces, kind, documents, packing, special):
    tokenizer = trained(kind)
    text, bos = Text("x", tuple(documents), packing), "protocol" if special else "every"
    found = windows._encode(text, packing, bos, tokenizer)
    wholes = documents if packing == "document" else ["\n\n".join(documents)]
    assert [each.tolist() for each in found] == tokenizer(wholes, add_special_tokens=special).input_ids
    assert {each.dtype for each in found} == {np.dtype(np.uint32)}


@pytest.mark.parametrize("kind", [each for each in KINDS if each is not likeliest])
def test_words_are_parted_wherever_a_piece_ends(small_pieces, kind, monkeypatch):
    monkeypatch.setattr(windows, "MAX_AS_ONE", 0)
    tokenizer = trained(kind)
    for text in DEMO:
        [found] = windows._encode(Text("x", (text,), "joined"), "joined", "protocol", tokenizer)
        assert found.tolist() == tokenizer(text).input_ids


@pytest.mark.parametrize(("kind", "document"), [(word_pieces, "x" * 5000), (likeliest, DEMO[0])])
def test_a_long_text_that_no_piece_can_part_is_refused(small_pieces, kind, document, monkeypatch, refused):
    monkeypatch.setattr(windows, "MAX_AS_ONE", 2000)
    with refused("rain.txt", "run of the same few characters", "lines"):
        windows._encode(Text("rain.txt", (document,), "joined"), "joined", "protocol", trained(kind))


# --- memory --------------------------------------------------------------------------------------------------------


def test_an_estimate_counts_the_text_and_too_little_memory_refuses_it(tmp_path, monkeypatch, refused):
    long_text = tmp_path / "long.txt"
    long_text.write_text("rain " * 600_000, encoding="utf-8")

    def told(source):
        return cost.estimate(measurement(source, "skip", sequences=1, length=8), Store(tmp_path / "cache")).memory

    source = f"file:{long_text}"
    assert told(source) - told("demo") > 0.5 * texts.memory_to_read(source)
    monkeypatch.setattr(machine, "free_memory", lambda: texts.memory_to_read(source) - 1)
    with refused("long.txt", "GiB", "part of it"):
        windows.windows(WindowRequest(source=source, sequences=1, length=8), tiny.loaded("llama"))
