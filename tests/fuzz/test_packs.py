"""Packs: sound ones with anything changed in them, imported and then looked at as pages and reports do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.show.report import reports
from core.store import cache
from core.store.cache import Store
from core.store.packs import pack, unpack
from tests.core.packing import everywhere, first, hashed, members, rekeyed, save, zipped
from tests.fuzz.judging import answered, fuzz
from tests.fuzz.values import changed, odd, places

KINDS = {"profile": "prunable profile", "study": "study", "best": "best"}
TOLD = {"model_source": "demo", "text_source": "demo", "seed": 0}  # all that makes a profile again


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A sound pack of each kind by its members, where nothing is committed behind a cache."""
    found = {}
    for kind, what in KINDS.items():
        store = Store(tmp_path_factory.mktemp("sound"))
        found[kind] = members(pack(store, store.by_key(save(store, what))))
        for name in (each for each in found[kind] if each.startswith("profile/") and each.endswith("provenance.json")):
            found[kind][name] = json.dumps(json.loads(found[kind][name]) | TOLD).encode()
    return found


def told(files, kind, data):
    """Another value somewhere in what a folder says of itself."""
    of = data.draw(st.sampled_from(sorted({name.split("/")[0] for name in files})))
    if data.draw(st.booleans()):
        place = first(files, of, "provenance.json")
        return files | {place: json.dumps(data.draw(changed(json.loads(files[place])))).encode()}
    once = data.draw(changed(json.loads(files[first(files, of, "spec.json")])))
    return rekeyed(files, lambda found, said: once if found == of and isinstance(once, dict) else said)


def agreed(files, kind, data):
    """Another value of one field in all folders at once, so that they agree."""
    said = json.loads(files[first(files, kind, "spec.json")])
    names = {place[-1] for place in places(said) if place and isinstance(place[-1], str)}
    name = data.draw(st.sampled_from(sorted(names)))
    value = data.draw(odd)
    return rekeyed(files, lambda _, each: everywhere(each, name, value))


@fuzz
@given(st.data())
def test_a_pack_that_says_something_odd(sound, tmp_path_factory, data):
    """Its hashes and keys are made to fit."""
    kind, lie = data.draw(st.sampled_from(sorted(KINDS))), data.draw(st.sampled_from([told, agreed]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "HOME", tmp_path_factory.getbasetemp() / "nothing is committed")
        store = Store(tmp_path_factory.mktemp("fuzzed"))
        try:
            content = zipped(hashed(lie(sound[kind], kind, data)))
        except (ValueError, TypeError):  # no JSON has such a value
            return
        for entry in answered(lambda: unpack(store, content)) or ():
            assert entry in list(store.entries(entry.path.parent.name))
            answered(lambda entry=entry: reports.html(store, entry))
