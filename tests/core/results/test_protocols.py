"""Which stored numbers may stand beside each other."""

from collections import defaultdict

import pytest

from core.methods import GGUF
from core.requests import BestSpec, read_recipe
from core.results import protocols
from core.show.words import study_lines
from core.store import Store
from tests import synthetic
from tests.builders import profiles as builders

LAYERS = 4
PROFILE = synthetic.profile_spec(layers=LAYERS, sequences=4, preset="quick")
UNIFORM, OWL, ALPHAPRUNING, RESPONSE, LINEARS, MAGNITUDE = (
    read_recipe(f"{words}:0.7")
    for words in ("uniform", "owl", "alphapruning", "response", "response granularity=linear", "uniform by=magnitude")
)
LABEL = "c4_en_train_first1000.jsonl, documents {}"


@pytest.fixture
def study(tmp_path):
    """Store a study of some settings, whose allocations looked at a profile of this letter."""

    def save(*settings, saw="a", **how):
        return builders.study(Store(tmp_path), settings, PROFILE, profile=saw * 16, **how).spec

    return save


@pytest.fixture
def groups(tmp_path):
    return lambda: builders.groups(Store(tmp_path), PROFILE.model)


def test_allocations_that_looked_at_unlike_profiles_stand_apart_and_each_names_its_own(study, groups):
    study(UNIFORM)
    study(UNIFORM, RESPONSE, saw="b")
    found = groups().values()
    assert {each.profiles: len(each.settings) for each in found} == {("a" * 16,): 1, ("b" * 16,): 2}
    assert len({protocols.short_name(each) for each in found}) == 1
    assert all(f"profiles {each.profiles[0][:6]} · studies" in study_lines.badge(each) for each in found)


def test_beside_another_a_protocol_lends_what_it_has_alone_and_every_seed_of_uniform(study, groups):
    study(OWL)
    seeds = [each.replace(calibration_seed=seed) for each in (OWL, LINEARS) for seed in (0, 1)]
    study(*seeds, saw="b")
    other = study(*seeds, saw="b", windows=8)
    every = tuple(groups().values())
    mine = next(each for each in every if each.profiles == ("a" * 16,))
    found = protocols.with_comparable(mine, every)
    lent = {each.setting.allocation.base.kind: each.seeds for each in found.settings}
    assert lent == {"uniform": (0, 1), "owl": (0,), "response": (0, 1)}
    assert found.entries == mine.entries and other.key not in {each.key for each in found.guests}
    assert protocols.short_name(found) == protocols.short_name(mine)


def test_what_ships_is_ordered_by_its_width_whatever_order_it_was_written_in_and_comes_last(tmp_path):
    store = Store(tmp_path)
    entries = [entry for entry in store.entries("study") if entry.committed]
    one, other = (protocols.grouped_by_protocol(store, each) for each in (entries, entries[::-1]))
    assert len(entries) > len(one) and list(one) == list(other)
    names = [[[each.name for each in found.settings] for found in side.values()] for side in (one, other)]
    assert names[0] == names[1]
    demo = store.demo().spec
    own = builders.study(store, [UNIFORM], demo).spec
    assert next(iter(builders.groups(store, demo.model))) == own.key


def test_bits_do_not_stand_in_for_zeros_that_save_about_as_much(study, groups):
    level = next(each.share for each in GGUF.levels if each.name == "Q4_0")
    study(UNIFORM)
    study(read_recipe("uniform currency=gguf:Q4_0"))
    for pruner, own in (("wanda", 0.7), ("gguf", level)):
        assert protocols.best_slice(groups().values(), 0.72, pruner).part.target == own


def test_protocols_are_told_apart_wherever_they_are_listed():
    store, by_model = Store(), defaultdict(list)
    for entry in store.entries("study"):
        by_model[entry.spec.model].append(entry)
    for entries in by_model.values():
        every = list(protocols.grouped_by_protocol(store, entries).values())
        names = study_lines.names(every)
        assert len(set(names)) == len(names)
        assert {protocols.short_name(each) for each in every} <= {name.partition(", profile")[0] for name in names}


def test_the_main_protocol_has_most_settings_of_the_texts_that_chose_nothing(study, groups, tmp_path):
    def main():
        place = protocols.best_slice(groups().values(), 0.7, mine=OWL)
        assert protocols.protocol(place.study.spec) == protocols.main_protocol(groups().values())
        return place.study.spec.text.content

    study(OWL, text="few")
    study(ALPHAPRUNING, RESPONSE, text="many")
    assert main() == "many", "whether or not it holds the setting in view"
    study(ALPHAPRUNING, RESPONSE, saw="b", text="few")
    assert main() == "few", "settings count whichever profile they looked at"
    selection = study(OWL, ALPHAPRUNING, RESPONSE, MAGNITUDE, text="chosen on")
    assert main() == "chosen on"
    answer = BestSpec(
        model=PROFILE.model, profile=PROFILE, max_loss=None, selection=selection, final=study(OWL, text="judge"),
        winner=OWL, runner_up=None,
    )  # fmt: skip
    Store(tmp_path).save(answer, None, synthetic.TOLD)
    assert main() == "few", "a search's own selection"
    study(OWL, ALPHAPRUNING, RESPONSE, MAGNITUDE, text="named", label=LABEL.format("600-799"))
    assert main() == "few", "the project's documents for selection"
