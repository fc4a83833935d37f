"""Importance matrices of others: read as llama.cpp reads them, or refused in a sentence."""

import gguf
import numpy as np
import pytest

from core.prune import imatrix
from core.requests import command_line, request_of
from tests import gguf_files


def write(path, sums, counts=8.0, kind="imatrix", add="add_uint32"):
    """A file as `llama-imatrix` writes it, where experts are counted apart."""
    writer = gguf.GGUFWriter(path, "imatrix")
    writer.add_type(kind)
    writer.add_array("imatrix.datasets", ["/home/me/wiki", "code"])
    getattr(writer, add)("imatrix.chunk_count", 2)
    writer.add_uint32("imatrix.chunk_size", 4)
    writer.add_tensor("a.weight.in_sum2", np.array([sums], np.float32))
    writer.add_tensor("a.weight.counts", np.full((1, 1), counts, np.float32))
    gguf_files.finish(writer)


def test_mean_squares_and_their_text_are_read(tmp_path, empty):
    write(tmp_path / "some.gguf", [8, 16])
    means, text = imatrix.read(tmp_path / "some.gguf", {"a.weight": 2}, empty)
    assert means["a.weight"].tolist() == [1, 2] and text[:3] == ("wiki, code", 2, 4)
    imatrix.write(tmp_path / "copy.gguf", {}, text)
    assert (tmp_path / "copy.gguf").read_bytes() == (tmp_path / "some.gguf").read_bytes()


@pytest.mark.parametrize(
    ("sums", "more", "widths", "about"),
    [
        ([8, np.nan], {}, {"a.weight": 2}, ("a.weight", "no sums of squares")),
        ([8, -1], {}, {"a.weight": 2}, ("a.weight", "no sums of squares")),
        ([8, 16], {"counts": 0}, {"a.weight": 2}, ("a.weight", "over some tokens")),
        ([8, 16], {"counts": np.inf}, {"a.weight": 2}, ("a.weight", "over some tokens")),
        ([8, 16], {}, {"a.weight": 3}, ("of another model", "3 inputs, and 2 there")),
        ([8, 16], {}, {"a.weight": 2, "b.weight": 2}, ("of another model", "it lacks 1, such as b.weight")),
        ([8, 16], {"kind": "model"}, {"a.weight": 2}, ("some.gguf is no importance matrix", "llama-imatrix")),
        ([8, 16], {"add": "add_float32"}, {"a.weight": 2}, ("some.gguf is no importance matrix", "llama-imatrix")),
    ],
)
def test_what_is_no_matrix_of_the_model(sums, more, widths, about, tmp_path, empty, refused):
    write(tmp_path / "some.gguf", sums, **more)
    with refused(*about):
        imatrix.read(tmp_path / "some.gguf", widths, empty)


def test_files_of_other_kinds(tmp_path, empty, refused):
    gguf_files.write(tmp_path / "model.gguf")
    (tmp_path / "old.dat").write_bytes(np.int32([1, 8]).tobytes() + b"a.weight")
    write(tmp_path / "whole.gguf", [8, 16])
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "whole.gguf").read_bytes()[:-40])
    told = {
        "model.gguf": "no importance matrix",
        "old.dat": "older .dat too",
        "cut.gguf": "cut short",
        "no": "there is no",
    }
    for name, about in told.items():
        with refused(about):
            imatrix.read(tmp_path / name, {"a.weight": 2}, empty)


def test_the_option_names_the_file_in_the_request_and_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "some.gguf", [8, 16])
    asked = request_of("prune", allocation="uniform currency=kquants:4", imatrix="some.gguf")
    assert asked.imatrix == str(tmp_path / "some.gguf")
    assert f"--imatrix {asked.imatrix}" in command_line(asked)
    assert "imatrix" not in request_of("prune", allocation="uniform currency=kquants:4").model_dump_json()
