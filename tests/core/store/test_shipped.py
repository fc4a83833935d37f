"""What ships with the project: keys outlive class names, the largest text is the demo, and no path is named."""

import re
from pathlib import Path

import pytest
from safetensors import safe_open

from core.requests import BY_REQUEST
from core.store import HOME, KINDS, SUFFIX, Store

PLACE = re.compile(r'"(?:\w+:)?(?:/|~|[A-Za-z]:\\)[^"]*"')  # a text that is a path from the root, or a source by one
LINES = Path(__file__).with_name("committed_keys.txt").read_text(encoding="utf-8").splitlines()
KEYS = {kind: keys for kind, *keys in map(str.split, LINES)}  # they never change

IDENTITIES = {  # what keys hash as the name of a class: never changed, though a kind may go
    *("PerturbedSpec", "ActivationSpec", "FloorSpec", "WeightSpec", "ScoreSpec", "RemovalSpec", "CumulativeSpec"),
    *("DifferenceSpec", "EvaluatedSpec", "MarginalSpec", "ExchangeSpec", "ZeroShotSpec"),
    *("ProfileSpec", "StudySpec", "ExportSpec", "BestSpec", "PolishSpec", "WritingSpec", "Unfinished", "Part"),
    *("MeasureRequest", "StudyRequest", "ExportRequest", "BestRequest", "PolishRequest", "WritingRequest"),
    *("ShareRequest", "SketchSpec", "OutsideSketchSpec", "TensorSketchSpec"),
}


def test_every_committed_result_is_readable_under_the_key_that_its_spec_hashes_to():
    store = Store()
    for kind, wanted in KEYS.items():
        entries = [each for each in store.entries(kind) if each.committed]
        assert sorted(each.key for each in entries) == sorted(each.spec.key for each in entries) == wanted, kind


@pytest.mark.parametrize(("kind", "key"), [(kind, keys[0]) for kind, keys in KEYS.items()])
def test_a_committed_result_keeps_its_key_whatever_its_class_is_called(kind, key):
    entry = Store().entry(HOME / "demo" / kind / f"{key}{SUFFIX}")
    form = type(entry.spec)
    renamed = type("Renamed", (form,), {"identity": form.identity})
    assert entry.spec.key == renamed.model_validate(entry.spec.model_dump()).key == key
    assert type("Renamed", (form,), {}).model_validate(entry.spec.model_dump()).key != key


def test_a_class_that_is_renamed_states_the_identity_that_it_had():
    assert {form.identity for form in (*(form for form, _ in KINDS.values()), *BY_REQUEST)} <= IDENTITIES


def test_no_result_names_a_place_of_the_machine_that_measured_it():
    records = {path: safe_open(path, "numpy").metadata()["entry"] for path in (HOME / "demo").rglob(f"*{SUFFIX}")}
    assert len(records) > 1000 and not {path: found for path, text in records.items() if (found := PLACE.findall(text))}
    assert PLACE.search('"source": "file:/home/somebody/c4.jsonl"') and PLACE.search('{"at": "C:\\\\data"}')
    assert not PLACE.search('"source": "file:data/c4.jsonl"')
