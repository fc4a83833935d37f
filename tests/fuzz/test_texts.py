"""Texts: files of every known ending with anything in them, links in a circle, and tables larger than they look."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base import PROJECT
from core.models import windows
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import odd

ENDINGS = (".txt", ".raw", ".jsonl", ".parquet", ".gz", "", ".JSONL")


@st.composite
def lines(draw):
    """JSON lines, most of them records."""
    value = draw(st.lists(st.fixed_dictionaries({"text": st.text() | odd}) | odd, max_size=4))
    deep = draw(st.sampled_from([0, 0, 900, 20_000]))
    said = [json.dumps(each) for each in value] + (["[" * deep + "]" * deep] if deep else [])
    return "\n".join(said).encode(draw(st.sampled_from(["utf-8", "utf-16", "utf-8-sig"])), errors="replace")


@fuzz
@given(st.data())
def test_a_text_file(tmp_path_factory, data):
    ending = data.draw(st.sampled_from(ENDINGS))
    path = tmp_path_factory.getbasetemp() / f"text{ending}"
    way = data.draw(st.sampled_from(["lines", "bytes", "table", "folder", "circle"]))
    two = st.tuples(st.integers(0, 9), st.integers(0, 9))
    documents = data.draw(st.none() | two.map(sorted).map(tuple))
    try:
        _written(path, way, data)
        found = answered(lambda: windows.read(f"file:{path}", documents))
    finally:
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    if found:
        assert all(isinstance(each, str) for each in found.documents)
        assert len(found.content) == 64


def _written(path, way, data):
    if way == "table":
        kinds = st.lists(st.text(max_size=9) | st.none()) | st.lists(st.integers(0, 9)) | st.lists(st.binary())
        parquet.write_table(pa.table({data.draw(st.sampled_from(["text", "words"])): data.draw(kinds)}), path)
    elif way == "folder":
        path.mkdir()
    elif way == "circle":
        path.symlink_to(path)
    else:
        path.write_bytes(data.draw(lines() if way == "lines" else st.binary(max_size=300)))


READING = """
import resource, sys
from core.models import texts, windows
from core.requests import WindowRequest
from tests import tiny
model = tiny.loaded("llama")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
windows.windows(WindowRequest(source=sys.argv[1], sequences=2, length=16), model)
print(texts.memory_to_read(sys.argv[1]), 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("ending", [".txt", ".jsonl"])
def test_a_text_of_50_mb_takes_no_more_memory_than_is_told(tmp_path, ending):
    path, line = tmp_path / f"text{ending}", "The heron stood in the shallow water and waited for the fish. " * 8
    row = json.dumps({"text": line}) if ending == ".jsonl" else line
    path.write_text(f"{row}\n" * (50_000_000 // len(row)))
    run = [sys.executable, "-c", READING, f"file:{path}"]
    told, held = map(int, subprocess.run(run, capture_output=True, text=True, check=True, cwd=PROJECT).stdout.split())
    assert held <= told


def test_a_table_of_gigabytes_is_refused(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.parquet"
    one = pa.array(["x" * 2**20])
    with parquet.ParquetWriter(path, pa.schema({"text": pa.string()}), compression="zstd") as writer:
        for _ in range(6):
            writer.write_table(pa.table({"text": pa.concat_arrays([one] * 200)}))
    assert path.stat().st_size < 2**22, "it looks small"
    assert answered(lambda: windows.read(f"file:{path}")) is None
