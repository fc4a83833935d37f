"""The card of an export: what it says of what was done, what tools read of it, and whose licence it is."""

import json
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard

from core.export.card import RECIPE, card_text, licence_of, size_words
from core.models.sources import Source
from core.requests import grammar
from tests import gguf_files
from tests.core.export.examples import CARD, SPARSITY


def test_the_card_says_what_was_done(written):
    exported, _, _ = written
    text = (exported.path / "README.md").read_text(encoding="utf-8")
    assert text == card_text(CARD, exported)
    for part in (*(cell for row in CARD.numbers for cell in row), "tiny | llama"):
        assert part in text
    assert size_words(exported) in text and f"{exported.bytes:,} bytes" in text and "neither smaller nor faster" in text


@pytest.mark.parametrize(
    ("licence", "license_", "name"), [("apache-2.0", "apache-2.0", None), ("Odd-Licence: 2", "other", "Odd-Licence: 2")]
)
def test_the_front_matter_is_what_the_hub_reads(licence, license_, name, written):
    data = ModelCard(card_text(replace(CARD, licence=licence), written[0])).data
    assert (data.license, data.get("license_name"), data.base_model) == (license_, name, "someone/tiny")
    assert (data.tags, data.library_name) == (["pruned", "magnitude"], "transformers")


def test_a_missing_licence_is_said(written):
    card = replace(CARD, licence=None, base_source="./models/tiny", numbers=[])
    text = card_text(card, written[0])
    assert "Unknown; see the base model" in text
    assert "license" not in text.split("---\n")[1] and "base_model" not in text.split("---\n")[1]
    assert "Nothing was measured" in text


def test_the_recipe_is_read_by_tools(written):
    exported, _, _ = written
    path = exported.path / RECIPE
    told = json.loads(path.read_bytes())
    assert told["recipe"] == CARD.recipe
    assert told["numbers"] == [list(row) for row in CARD.numbers]
    assert np.array_equal(told["export"]["achieved"], exported.achieved)
    assert told["export"]["bytes"] == exported.bytes
    assert str(exported.path.parent) not in path.read_text()
    assert grammar.read_allocation(str(path)).base.sparsity == tuple(SPARSITY), "it is an allocation file, too"


# --- licences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: Apache-2.0\ntags: [x]\n---\n# Model\n", "apache-2.0"),
        ("---\nlicense:\n- llama3.2\n---\n", "llama3.2"),
        ("---\nlicense: other\nlicense_name: pond-research\n---\n", "pond-research"),
        ("---\nlicense: other\n---\n", None),
        ("---\nlicense: {a: mit}\n---\n", None),
        ("---\nlicense: [mit\n---\n", None),
        ("---\n- license: mit\n---\n", None),
        pytest.param("---\n" + "[" * 5000 + "\n---\n", None, id="deep"),
        ("# Model\n---\nlicense: mit\n---\n", None),
    ],
)
def test_licences_are_read_from_the_card(text, licence, tmp_path):
    assert licence_of(Source("x", tmp_path, None, "x", None)) is None
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    assert licence_of(Source("x", tmp_path, None, "x", None)) == licence


def test_licences_are_read_from_a_gguf_file(tmp_path):
    gguf_files.bare(tmp_path / "model.gguf", licence="Apache-2.0")
    assert licence_of(Source("x", tmp_path, "model.gguf", "x", None)) == "apache-2.0"
