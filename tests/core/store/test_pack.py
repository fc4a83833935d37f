"""Packs: what goes out comes back the same, with all that an entry needs and nothing more."""

import pytest

from core.requests.export_and_search import ExportSpec
from core.requests.jobs import Unfinished
from core.results import study_results
from core.store import profiles
from core.store.packs import pack, unpack
from tests import synthetic
from tests.core.packing import LAYERS, SEQUENCES, TOLD, members, save, save_study, snapshot, study_spec, zipped


@pytest.mark.parametrize("what", ["profile", "prunable profile", "study"])
def test_what_goes_out_comes_back_whole(what, here, empty, tmp_path):
    key = save(here, what)
    content = pack(here, here.by_key(key))
    (tmp_path / "a.zip").write_bytes(content)
    [entry] = unpack(empty, tmp_path / "a.zip")
    assert entry.key == key and entry.path.is_relative_to(empty.root) and entry.provenance["model"] == "invented model"
    assert snapshot(empty.root) == snapshot(here.root)
    assert pack(empty, entry) == content
    if what == "study":
        assert study_results.load(empty, entry).complete
    else:
        assert profiles.load(empty, entry).layers == LAYERS


def test_a_gap_or_damage_is_not_packed(here, refused):
    entry = here.by_key(save(here, "profile"))
    unit = entry.spec.units[2]
    table = here.path(unit) / "final_squared.npy"
    (here.path(unit) / "spec.json").write_text("{}")
    with refused(unit.key):
        pack(here, entry)
    (table.parent / "manifest.json").unlink()
    with refused(unit.key):
        pack(here, entry)


def test_the_profile_that_a_study_names_goes_along(here, empty):
    profile = save(here, "profile")
    spec = study_spec()
    here.save(spec, None, TOLD | {"profile": profile[:8]})
    save_study(here)
    content = pack(here, here.by_key(spec.key))
    assert {entry.key for entry in unpack(empty, content)} == {spec.key, profile}
    assert profiles.load(empty, empty.profile(profile)).layers == LAYERS
    assert snapshot(empty.root) == snapshot(here.root)
    assert pack(empty, empty.by_key(spec.key)) == content


@pytest.mark.parametrize("lacking", ["there is none", "a unit", "its model"])
def test_a_study_travels_without_a_profile_not_whole_or_not_its_own(here, empty, lacking):
    seed = 1 if lacking == "its model" else 0
    profile = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", seed)
    if lacking != "there is none":
        synthetic.save_profile(here.root, profile, LAYERS)
    if lacking == "a unit":
        here.path(profile.units[2]).rename(here.root / "gone")
    spec = study_spec()
    here.save(spec, None, TOLD | {"profile": profile.key})
    save_study(here)
    assert [entry.key for entry in unpack(empty, pack(here, here.by_key(spec.key)))] == [spec.key]
    assert not list(empty.entries("profile"))


def test_an_export_and_shares_do_not_travel(here, refused):
    study = study_spec()
    export = ExportSpec(model=study.model, pruned=study.points[1].pruned, folder="/somewhere/model")
    for spec, said in ((export, "/somewhere/model"), (Unfinished(whole=study), "cache folder")):
        here.save(spec, None, TOLD)
        with refused(said):
            pack(here, here.by_key(spec.key))


def test_what_is_there_already_stays_as_it_is(here, there):
    key = save(here, "profile")
    content = pack(here, here.by_key(key))
    spec = here.by_key(key).spec
    unit = spec.unit(spec.measurements[0])
    own = synthetic.perturbed(LAYERS, SEQUENCES, spec.measurements[1])
    there.save(unit, own, {"device": "another"})
    before = snapshot(there.root)
    assert [entry.key for entry in unpack(there, content)] == [key]
    after = snapshot(there.root)
    assert before.items() <= after.items() and len(after) > len(before)
    assert unpack(there, content)[0].key == key and snapshot(there.root) == after


def test_units_may_be_in_the_store_instead_of_the_pack(here, there, rejected):
    key = save(here, "profile")
    everything = members(pack(here, here.by_key(key)))
    spec = here.by_key(key).spec
    unit = spec.unit(spec.measurements[0])
    less = {name: data for name, data in everything.items() if unit.key not in name}
    rejected(less, key, unit.key)
    there.save(unit, synthetic.perturbed(LAYERS, SEQUENCES, unit.measurement), TOLD)
    assert [entry.key for entry in unpack(there, zipped(less))] == [key]
