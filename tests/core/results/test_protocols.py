"""Which stored numbers may stand beside each other."""

from collections import defaultdict

import pytest

from core.methods import GGUF, ZEROS
from core.requests.export_and_search import BestSpec
from core.requests.recipes import Recipe
from core.results import protocols
from core.store.cache import Store
from tests import synthetic


def test_allocations_that_looked_at_unlike_profiles_stand_apart_and_each_names_its_own(tmp_path):
    profile = synthetic.profile_spec(layers=4, sequences=4, preset="quick")
    settings = [Recipe(), Recipe(allocation={"base": {"kind": "response"}})]
    seen = {"a" * 16: settings[:1], "b" * 16: settings}
    for key, asked in seen.items():
        synthetic.save_study(tmp_path, synthetic.study_spec(profile, asked, layers=4), layers=4, profile=key)
    store = Store(tmp_path)
    found = protocols.grouped_by_protocol(store, store.of_model(profile.model, "study"))
    assert {each.profiles: len(each.settings) for each in found.values()} == {(key,): len(seen[key]) for key in seen}
    assert len({protocols.short_name(each) for each in found.values()}) == 1
    for each in found.values():
        assert f"profiles {each.profiles[0][:6]} · studies" in protocols.badge(each)


def test_beside_another_a_protocol_lends_what_it_has_alone_and_every_seed_of_uniform(tmp_path):
    profile = synthetic.profile_spec(layers=4, sequences=4, preset="quick")
    owl, linears = ({"base": each} for each in ({"kind": "owl"}, {"kind": "response", "granularity": "linear"}))
    seen = {"a" * 16: [Recipe(allocation=owl)]}
    seen["b" * 16] = [Recipe(allocation=each, calibration_seed=seed) for each in (owl, linears) for seed in (0, 1)]
    for key, asked in seen.items():
        synthetic.save_study(tmp_path, synthetic.study_spec(profile, asked, layers=4), layers=4, profile=key)
    other = synthetic.study_spec(profile, seen["b" * 16], layers=4, windows=8)
    synthetic.save_study(tmp_path, other, layers=4, profile="b" * 16)
    store = Store(tmp_path)
    groups = tuple(protocols.grouped_by_protocol(store, store.of_model(profile.model, "study")).values())
    mine = next(each for each in groups if each.profiles == ("a" * 16,))
    found = protocols.with_comparable(mine, groups)
    seeds = {each.setting.allocation.base.kind: each.seeds for each in found.settings}
    assert seeds == {"uniform": (0, 1), "owl": (0,), "response": (0, 1)}
    assert found.entries == mine.entries and other.key not in {each.key for each in found.guests}
    assert f"profiles {'a' * 6}, {'b' * 6} · studies {mine.entries[0].key[:6]}, " in protocols.badge(found)
    assert protocols.short_name(found) == protocols.short_name(mine)


def test_the_order_in_which_a_checkout_wrote_what_ships_does_not_count():
    store = Store()
    entries = [entry for entry in store.entries("study") if entry.committed]
    one, other = (protocols.grouped_by_protocol(store, each) for each in (entries, entries[::-1]))
    assert len(entries) > len(one) and list(one) == list(other)
    for key, found in one.items():
        assert [each.name for each in found.settings] == [each.name for each in other[key].settings]


def test_ones_own_studies_come_before_those_that_ship_of_which_the_widest_is_first(tmp_path):
    store = Store(tmp_path)
    profile = store.demo().spec

    def found():
        return protocols.grouped_by_protocol(store, store.of_model(profile.model, "study"))

    def targets(each):
        return {part.target for part in each.slices if part.treatment.budget_unit is ZEROS}

    sizes = [(len(targets(each)), len(each.settings)) for each in found().values()]
    assert len(sizes) > 1 and sizes == sorted(sizes, reverse=True)
    own = synthetic.study_spec(profile, [Recipe()], layers=30)
    synthetic.save_study(tmp_path, own, layers=30)
    assert next(iter(found())) == own.key


def test_bits_do_not_stand_in_for_zeros_that_save_about_as_much(tmp_path):
    profile = synthetic.profile_spec(layers=4, sequences=4, preset="quick")
    bits = Recipe(allocation={"currency": "gguf", "target": GGUF.read("Q4_0")}, pruner="gguf")
    for asked in ([Recipe()], [bits]):
        synthetic.save_study(tmp_path, synthetic.study_spec(profile, asked, layers=4), layers=4)
    store = Store(tmp_path)
    groups = protocols.grouped_by_protocol(store, store.of_model(profile.model, "study")).values()
    for pruner, own in (("wanda", 0.7), ("gguf", bits.allocation.target)):
        assert protocols.best_slice(groups, 0.72, pruner).part.target == own


LABEL = "c4_en_train_first1000.jsonl, documents {}"


@pytest.mark.parametrize(
    ("text", "windows", "length", "read", "amount", "name"),
    [
        (LABEL.format("800-999"), 48, 512, LABEL.format("0-599"), (16, 512), "C4 held out 48 × 512"),
        (
            LABEL.format("600-799"),
            16,
            512,
            LABEL.format("0-599"),
            (8, 512),
            "C4 selection 16 × 512, calibrated on 8 × 512",
        ),
        (LABEL.format("5-99"), 8, 64, "c4", (16, 512), "C4 (documents 5-99) 8 × 64"),
        ("wiki.test.raw", 148, 2048, "allenai/c4 (train)", (16, 512), "WikiText-2 148 × 2048"),
        ("demo text, evaluation half", 16, 512, "demo text, calibration half", (16, 512), "demo text 16 × 512"),
        ("my-notes.txt", 9, 32, "other.txt", (16, 512), "my-notes 9 × 32, calibrated on other"),
        ("my-notes.txt", 9, 32, "other.txt", (4, 64), "my-notes 9 × 32, calibrated on other 4 × 64"),
    ],
)
def test_the_short_name_of_a_protocol_says_text_amount_and_what_is_unusual(text, windows, length, read, amount, name):
    profile = synthetic.profile_spec(layers=4, sequences=4, preset="quick")
    spec = synthetic.study_spec(profile, [Recipe()], layers=4, windows=windows, length=length)
    drawn = {"windows": ((0, 0),) * amount[0], "length": amount[1]}
    points = []
    for each in spec.points:
        calibration = each.pruned and each.pruned.calibration.model_copy(update=drawn)
        points.append(
            each.model_copy(
                update={"pruned": each.pruned and each.pruned.model_copy(update={"calibration": calibration})}
            )
        )
    told = {"text": text, "calibration": read}
    assert protocols.name_of_spec(spec.model_copy(update={"points": tuple(points)}), told) == name


def test_protocols_are_told_apart_wherever_they_are_listed():
    store = Store()
    by_model = defaultdict(list)
    for entry in store.entries("study"):
        by_model[entry.spec.model].append(entry)
    for entries in by_model.values():
        groups = list(protocols.grouped_by_protocol(store, entries).values())
        names = protocols.names(groups)
        assert len(set(names)) == len(names)
        assert {protocols.short_name(each) for each in groups} <= {name.partition(", profile")[0] for name in names}
        reading = [each for each in groups if each.spec.calibration]  # the others stand beside any calibration
        apart = {(each.spec.text.key, each.spec.calibration.sequences) for each in reading}
        assert len({protocols.short_name(each) for each in reading}) == len(apart)


def test_the_usual_protocol_has_most_settings_of_the_texts_that_chose_nothing(tmp_path):
    store, profile = Store(tmp_path), synthetic.profile_spec(layers=4, sequences=4, preset="quick")
    methods = [Recipe(allocation={"base": {"kind": kind}}) for kind in ("owl", "alphapruning", "response")]

    def usual():
        groups = protocols.grouped_by_protocol(store, store.of_model(profile.model, "study")).values()
        place = protocols.best_slice(groups, 0.7, mine=methods[0])
        assert protocols.protocol(place.study.spec) == protocols.main_protocol(groups)
        return place.study.spec.text.content

    def study(content, settings, looked_at="a" * 16, **told):
        spec = synthetic.study_spec(profile, settings, layers=4, text=content)
        synthetic.save_study(tmp_path, spec, layers=4, profile=looked_at, **told)
        return spec

    study("few", methods[:1])
    study("many", methods[1:])
    assert usual() == "many", "whether or not it holds the setting in view"
    study("few", methods[1:], looked_at="b" * 16)
    assert usual() == "few", "settings count whichever profile they looked at"
    study("named", methods, text=LABEL.format("600-799"))
    assert usual() == "few", "the project's documents for selection"
    selection, final = study("chosen on", [*methods, Recipe(pruner="magnitude")]), study("judge", methods[:1])
    assert usual() == "chosen on"
    told = BestSpec(
        model=profile.model, profile=profile, max_loss=None, selection=selection, final=final, winner=methods[0],
        runner_up=None,
    )  # fmt: skip
    store.save(told, None, synthetic.TOLD)
    assert usual() == "few", "a search's own selection"
