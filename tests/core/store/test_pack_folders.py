"""Folders in a pack that are not what they claim: wrong hashes, keys, files and JSON are refused in one sentence."""

import json

import pytest

from core.base.spec import key_of
from core.requests.measurements import PerturbedSpec, ProfileSpec
from core.store.packs import pack
from tests.core.packing import first, hashed, members, save


@pytest.mark.parametrize("kind", ["profile", "perturbed", "weights"])
def test_a_wrong_hash_is_refused(kind, good, rejected):
    name = first(good, kind, "provenance.json")
    rejected(good | {name: good[name] + b" "}, name, "manifest")


@pytest.mark.parametrize("file", ["extra.json", "extra.npy", "drift.npy"])
def test_a_file_outside_the_manifest_or_the_form_is_refused(file, good, rejected):
    name = first(good, "activation", "spec.json").replace("spec.json", file)
    rejected(good | {name: b"{}"}, name, "manifest")
    rejected(hashed(good | {name: b"{}"}), name)


@pytest.mark.parametrize("file", ["manifest.json", "spec.json", "provenance.json", "nll.npy"])
def test_a_missing_file_is_refused(file, good, rejected):
    name = first(good, "activation", file)
    less = {other: data for other, data in good.items() if other != name}
    rejected(less, name)
    if file != "manifest.json":
        rejected(hashed(less), name, "missing")


@pytest.mark.parametrize("file", ["manifest.json", "spec.json", "provenance.json"])
@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"3", b"null", b"\xff\xfe", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'{"a": 1e999}'],
)
def test_json_that_is_none_is_refused(file, content, good, rejected):
    name = first(good, "floor", file)
    if file == "provenance.json" and content == b'{"a": 1e999}':
        content = b'{"seconds": "many"}'
    changed = hashed(good | {name: content}) | ({name: content} if file == "manifest.json" else {})
    rejected(changed, name.rpartition("/")[0])


@pytest.mark.parametrize(
    "told",
    [
        {"model": 3}, {"model": "red \x1b[31m"}, {"text": "two\nlines"}, {"seconds": "long"},
        {"seconds": {"sweep": []}}, {"created": {"year": 2026}}, {"linears": "q_proj"},
        {"deep": json.loads("[" * 500 + "]" * 500)},
    ],
)  # fmt: skip
def test_provenance_that_pages_could_not_show_is_refused(told, good, rejected):
    name = first(good, "profile", "provenance.json")
    rejected(hashed(good | {name: json.dumps(told).encode()}), name)


def moved(files, kind, key):
    """The only folder of a kind under another key."""
    old = first(files, kind, "spec.json").split("/")[1]
    return {name.replace(f"{kind}/{old}/", f"{kind}/{key}/"): data for name, data in files.items()}


@pytest.mark.parametrize("kind", ["profile", "activation"])
def test_a_wrong_key_is_refused(kind, good, rejected):
    name = f"{kind}/0123456789abcdef/spec.json"
    rejected(moved(good, kind, "0123456789abcdef"), name, "hash")


def test_a_unit_under_another_kind_is_refused(good, rejected):
    """An activation and a floor have the same fields; the class is part of the key."""
    key = first(good, "activation", "spec.json").split("/")[1]
    changed = {name.replace(f"activation/{key}", f"floor/{key}"): data for name, data in good.items()}
    rejected(changed, f"floor/{key}/spec.json")


@pytest.mark.parametrize("kind", ["profile", "perturbed"])
def test_another_version_of_the_program_is_named_as_the_reason(kind, good, rejected):
    name = first(good, kind, "spec.json")
    content = json.loads(good[name]) | {"field_of_tomorrow": 1}
    form = {"profile": ProfileSpec, "perturbed": PerturbedSpec}[kind]
    key = key_of(form, content)
    old = name.split("/")[1]
    changed = {other.replace(old, key): data for other, data in good.items()}
    changed[f"{kind}/{key}/spec.json"] = json.dumps(content).encode()
    rejected(hashed(changed), f"{kind}/{key}/spec.json", "version")


def test_units_alone_and_units_of_nothing_are_refused(here, good, rejected):
    alone = {name: data for name, data in good.items() if not name.startswith("profile/")}
    rejected(alone, "profile")
    rejected({})
    study = members(pack(here, here.by_key(save(here, "study"))))
    stray = {name: data for name, data in study.items() if name.startswith("zeroshot/")}
    rejected(good | stray, "zeroshot/")
