"""The tour's sentences follow from the profile: change the data and they say something else."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core.base import UserError
from core.methods import Owl
from core.plan import allocate, drift_curves, share_spent, sweep
from core.requests import AllocationRequest, Correction
from core.show.lessons import absorption, damage, guesses, shared
from core.store import Store, profiles
from tests import synthetic
from tests.builders.profiles import stored

LAYERS = 8

apart = st.integers(1, 10_000).map(lambda hundredths: hundredths / 100)  # by more than their logarithms are rounded
values = arrays.arrays(float, 6, elements=apart, unique=True)


@pytest.fixture(scope="module")
def standard(tmp_path_factory):
    """Everything the tour can show, of a model that can be pruned; not to be changed."""
    return stored(Store(tmp_path_factory.mktemp("standard")), layers=LAYERS, preset="paper", prunable=True)


def with_fields(profile, name, **fields):
    """The profile with other numbers for all seeds of a perturbation."""
    perturbed = {
        each: replace(found, **fields) if each.perturbation.name == name else found
        for each, found in profile.perturbed.items()
    }
    return replace(profile, perturbed=perturbed)


def without(profile, *kinds):
    """The profile lacking some perturbations."""
    kept = {each: found for each, found in profile.perturbed.items() if each.perturbation.name not in kinds}
    return replace(profile, perturbed=kept)


def at(layer, high, low, sequences=8):
    """A table, (layers, sequences), with one layer that stands out."""
    table = np.full((LAYERS, sequences), low)
    table[layer] = high
    return table


DEPTH = np.arange(LAYERS)
PASSED = (DEPTH[None, :] - DEPTH[:, None])[:, :, None]  # layers behind the one that is hit: (injection, read, 1)


def drifts(change, start=1.0):
    """`ln drift` that changes by so much a layer on its way."""
    return np.where(PASSED >= 0, np.log(start) + PASSED * np.full(8, change), np.nan)


# --- the chapters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [1, 5])
def test_chapters_name_the_layer_that_stands_out_and_rounding_is_not_divided_by(standard, layer):
    loud = with_fields(standard, "gaussian:1", flips=at(layer, 0.9, 0.3), kl=np.ones((LAYERS, 8)))
    noise, drift = damage.perturb(loud), damage.drift(loud)
    assert re.search(rf"size 1, .* 90 % .* layer {layer}\b", shared.plain(noise.notes[-1]))
    assert noise.strengths == [0.01, 0.03, 0.1, 0.3, 1] and noise.values.shape == (5, LAYERS)
    assert "cannot be compared" in drift.notes[-1] and "cannot be compared" not in drift.notes[0]
    alone = damage.prune(with_fields(standard, shared.PRUNED, kl=at(layer, 0.9, 0.1)))
    assert re.search(rf"layer {layer}\b.* 0\.90 nats, 9\.0×", shared.plain(alone.sentence))
    assert damage.rank(alone.values[alone.at], (layer + 1) % LAYERS) == f"2 of {LAYERS}"
    few = damage.prune(with_fields(standard, shared.PRUNED, kl=at(layer, 0.9, -3e-9)))
    assert "half of the layers do no more than rounding" in few.notes[few.at]
    none = damage.prune(with_fields(standard, shared.PRUNED, kl=at(layer, 2e-8, 0)))
    assert "no layer does more harm" in none.notes[none.at]


def test_drift_that_ranks_as_harm_does_is_said_to(standard):
    final = drift_curves(standard.seeds("gaussian:0.3")).value[:, -1]
    same = np.repeat(final[:, None] ** 2, 8, axis=1)
    told = shared.plain(damage.drift(with_fields(standard, "gaussian:0.3", kl=same)).sentence)
    assert "harm is 1.00" in told and "always" in told
    told = shared.plain(damage.drift(with_fields(standard, "gaussian:0.3", kl=1 / same)).sentence)
    loud, quiet = (int(each) for each in re.findall(r"after layer (\d+)", told))
    assert "harm is -1.00" in told
    assert final[loud] > final[quiet]


@given(values, values)
def test_the_misjudged_pair_is_one(final, harm):
    found = damage.misjudged(final, harm)
    if found is None:
        assert (np.argsort(final) == np.argsort(harm)).all()
    else:
        loud, quiet = found
        assert final[loud] > final[quiet] and harm[loud] < harm[quiet]


def test_the_first_token_flips_layers_or_it_does_not(standard):
    def found(change):
        calm = with_fields(standard, "gaussian:0.3", log_drift=drifts(-0.1, 0.3))
        return absorption.amplify(with_fields(calm, "gaussian:0.3@all", log_drift=drifts(change, 0.3)))

    flipped, same, more = found(0.1), found(-0.1), found(-0.3)
    assert flipped.flipped == tuple(range(LAYERS - 1)) and (same.flipped, more.flipped) == ((), ())
    assert f"{LAYERS - 1} of {LAYERS - 1} layers" in shared.plain(flipped.sentence) and "no layer" in same.sentence
    assert [guesses.first_token(each.change).right for each in (more, same, flipped)] == [0, 1, 2]


def test_dilution_is_told_from_repair(standard):
    falling = drifts(-0.2)

    def told(growth):
        stream = np.repeat(growth * DEPTH[:, None], 8, axis=1)
        activation = replace(standard.activation, log_norm=stream)
        changed = with_fields(replace(standard, activation=activation), "gaussian:0.3", log_drift=falling)
        found = absorption.absorb(changed)
        assert found.damage[DEPTH, -1] / found.damage[DEPTH, DEPTH] == pytest.approx(found.grown)
        assert found.stream[-1] / found.stream == pytest.approx(found.around)
        assert found.gain == pytest.approx(found.grown / found.around)
        return found.sentence

    assert f"at all {LAYERS - 1} layers that absorb" in shared.plain(told(0.5))
    assert "no fall is shown to be dilution" in told(0.1)
    assert "no layer absorbs" in absorption.absorb(with_fields(standard, "gaussian:0.3", log_drift=-falling)).sentence


def test_a_twin_is_found_on_the_same_text_only_and_only_with_noise(empty):
    model = stored(empty, layers=LAYERS)

    def twin(**fields):
        spec = model.spec.replace(model=model.spec.model.replace(initialised=0), **fields)
        return synthetic.save_profile(empty.root, spec)

    elsewhere = twin(text=model.spec.text.replace(length=32))
    quiet = tuple(each for each in model.spec.measurements if not each.perturbation.isotropic)
    twin(measurements=quiet, methods=synthetic.methods_of(quiet))
    assert shared.twins(empty, model) is None
    same = twin()
    assert [entry.key for entry in shared.twins(empty, model)] == [model.key, same]
    assert shared.twins(empty, profiles.load(empty, empty.profile(elsewhere)))[1].key == same


def test_with_too_few_sequences_neither_dilution_nor_training_is_judged(empty):
    few = profiles.load(empty, empty.profile(synthetic.save_profile(empty.root, synthetic.profile_spec(LAYERS, 4))))
    assert absorption.absorb(few).sentence == "No verdict yet: 8 sequences needed, 4 measured."
    assert absorption.learned(few, few).endswith("but without verdicts the two cannot be compared.")


def test_what_is_learned_depends_on_the_twin(standard):
    falling = drifts(-0.1)
    trained = with_fields(with_fields(standard, "gaussian:0.3", log_drift=falling), shared.PRUNED, log_drift=falling)
    rising = with_fields(trained, shared.PRUNED, log_drift=-falling)
    told = absorption.learned(trained, rising)
    assert "training does not explain this fall" in told and "the model learned to absorb it" in told
    assert "learned to absorb" not in absorption.learned(trained, trained)
    nothing = absorption.learned(trained, without(standard, *standard.by_name))
    assert "gaussian:0.3" in nothing and shared.PRUNED in nothing and "learned" not in nothing


def test_a_sweep_runs_from_the_reverse_over_the_base_to_the_correction(standard):
    allocation = allocate(AllocationRequest(base=Owl(), correction=Correction(driver=shared.DRIVER)), standard)
    found = sweep.sweep(allocation, np.linspace(0, 0.1, 51).round(6), standard, {}, {})
    strengths, middle = np.array(found.strengths), found.frame(0)
    assert strengths[middle] == 0 and strengths == pytest.approx(-strengths[::-1])
    assert found.rows[middle] == pytest.approx(allocation.base)
    weights = np.nansum(standard.weights.parameters, axis=1)
    assert all(abs(share_spent(row, weights) - shared.TARGET) < 1e-9 for row in found.rows)
    for strength, control in ((0.04, "none"), (0.1, "reversed")):
        asked = AllocationRequest(base=Owl(), correction=Correction(strength=strength, control=control))
        assert found.rows[found.frame(strength, control)] == pytest.approx(allocate(asked, standard).sparsity)


def test_a_profile_that_lacks_something_gets_one_sentence(standard):
    quiet = without(standard, *(name for name in standard.by_name if name.startswith("gaussian")))
    for chapter in (damage.perturb, damage.drift, absorption.amplify, absorption.absorb):
        with pytest.raises(UserError, match=r"measure gaussian:0\.3"):
            chapter(quiet)
    with pytest.raises(UserError, match=r"gaussian:0\.3@all"):
        absorption.amplify(without(standard, "gaussian:0.3@all", "gaussian:0.01@all"))
    with pytest.raises(UserError, match="residual:wanda"):
        damage.prune(without(standard, *(name for name in standard.by_name if name.startswith("residual"))))


def test_one_layer_alone_or_a_harm_that_is_not_a_number_is_refused(empty, standard):
    single = stored(empty, layers=1, preset="paper", prunable=True)
    for chapter in (absorption.amplify, damage.prune):
        with pytest.raises(UserError, match="only one"):
            chapter(single)
    with pytest.raises(UserError, match="a response is NaN"):
        damage.prune(with_fields(standard, "residual:wanda:0.9", kl=at(2, np.nan, 0.1)))


@pytest.mark.parametrize(
    ("perplexity", "said"),
    [
        (np.linspace(2, 1, 5), "The obvious idea works here: let layers that absorb lose more weights, and perplexity "
         "goes from 1.50 to 1.00."),
        (np.linspace(1, 2, 5), "The obvious idea fails: let layers that absorb lose more weights, and perplexity goes "
         "from 1.50 to 2.00."),
        (np.array([1, 1, 1, 1, np.nan]), "so not all can be predicted."),
        (None, "too few settings of this model were evaluated by Wanda."),
    ],
)  # fmt: skip
def test_what_becomes_of_the_obvious_idea_is_said_or_why_it_is_not_known(perplexity, said):
    assert shared.plain(damage.unpredicted(perplexity) or damage.obvious(perplexity)).endswith(said)
