"""The lab against a measurement of the same tokens, and what only the lab can be asked."""

import math

import numpy as np
import pytest
import torch

from core.jobs import execute
from core.lab import LabModel, gain
from core.lab import scene as scenes
from core.measure import Moments, prepare, wavefront
from core.prune import walk
from core.requests import MeasureRequest, ProfileSpec, WindowRequest, lab, measurements, perturbation
from core.store import examples, lenses, profiles
from tests import tiny

SENTENCE = tiny.SENTENCES[0]
STRIDE = ProfileSpec.model_fields["harm_stride"].default
LAST = tiny.LAYERS - 1


def table(found):
    """(layers, layers, tokens), NaN where nothing was read."""
    nothing = (math.nan,) * len(found.tokens)
    return np.array([[nothing if each is None else each for each in rows] for rows in found.drift])


def assert_agree(found, measured, rtol=1e-3):
    """Everything that both know; the lab's numbers have four digits."""
    drift = table(found)
    np.testing.assert_allclose(drift[..., 1:].mean(-1), measured.drift, rtol=rtol)
    np.testing.assert_allclose(drift[..., 0], measured.drift_first, rtol=rtol, atol=4e-6)  # float32
    read = np.array(found.kl)[:, scenes_read(found)]
    np.testing.assert_allclose(read.mean(1), measured.kl[:, 0], rtol=rtol, atol=1e-5)
    flips = np.array(found.flipped)[:, scenes_read(found)]
    np.testing.assert_allclose(flips.mean(1), measured.flips[:, 0], atol=1e-6)
    expected = np.exp(measured.log_drift[:, -1, 0] - np.diagonal(measured.log_drift[..., 0]))
    np.testing.assert_allclose([each for each in found.gain if each is not None], expected[:-1], rtol=rtol)
    assert found.gain[-1] is None


def scenes_read(found):
    return list(range(1, len(found.tokens) - 1, STRIDE))


@pytest.mark.parametrize(
    ("family", "word"),
    [
        ("llama", "gaussian:0.3@all"), ("llama", "residual:magnitude:0.5"), ("gpt2", "gaussian:0.3"), ("bloom", "skip"),
        ("bloom", "gaussian:0.3"),
    ],
)  # fmt: skip
def test_a_scene_is_a_measurement_of_the_same_tokens(family, word, empty, tmp_path):
    """By the way that `core measure` takes. Bloom's layers serve no batch of another size: there it goes one by one."""
    path = tmp_path / "sentence.txt"
    path.write_text(SENTENCE, encoding="utf-8")
    folder = str(tiny.folder(family))
    here = LabModel(tiny.loaded(family))
    found = here.scene(lab.question(SENTENCE, word))
    text = WindowRequest(source=f"file:{path}", sequences=1, length=len(found.tokens))
    request = MeasureRequest(model=folder, text=text, measurements=measurements.measurements([perturbation(word)]))
    profile = profiles.load(empty, execute.get(request, empty))
    assert_agree(found, profile.seeds(word)[0])
    assert here.clean(SENTENCE).can_batch == (family != "bloom")
    norms = np.array(found.norms)
    np.testing.assert_allclose(norms[:, 1:].mean(1), profile.activation.norm[:, 0], rtol=1e-3)
    assert "".join(found.tokens) == SENTENCE


@pytest.fixture(scope="module")
def llama():
    return LabModel(tiny.loaded("llama"))


@pytest.mark.parametrize("word", ["residual:wanda:0.7", "residual_linear:wanda:0.5:mlp.down_proj", "covariance:0.3"])
def test_what_looks_at_a_text_looks_at_the_calibration_text(word, llama):
    """Else the masks would be another sentence's every time; the rest is the engine's."""
    found = llama.scene(lab.question(SENTENCE, word))
    moments = llama.covariance if word.startswith("cov") else llama.norms
    assert_agree(found, engine(llama.loaded, llama.clean(SENTENCE).ids, word, moments))


def test_masks_that_were_found_ahead_are_those_found_when_asked(llama, monkeypatch):
    question = lab.question(SENTENCE, "residual:wanda:0.9")
    expected, ready = llama.scene(question), LabModel(llama.loaded)
    assert len(list(ready.prefetch())) == len(lab.REMOVED) * tiny.LAYERS * 7
    monkeypatch.setattr(walk, "prune_linear", lambda *_: pytest.fail("it was found ahead"))
    assert ready.scene(question).replace(seconds=expected.seconds) == expected


@torch.inference_mode()
def engine(loaded, ids, word, moments):
    group = prepare(loaded, ids, [0], moments, STRIDE)
    return wavefront(group, tiny.measurement(word), lambda _: None)


@pytest.mark.parametrize("word", ["gaussian:0.3", "skip"])
@pytest.mark.parametrize("token", [0, 3])
def test_a_single_token_is_perturbed_alone(word, token, llama):
    """As among all others where it enters; those before it never notice, those after it do in the next layer."""
    alone = table(llama.scene(lab.question(SENTENCE, word, token=token)))
    together = table(llama.scene(lab.question(SENTENCE, word, first=word != "skip")))
    for layer in range(tiny.LAYERS):
        entered = alone[layer, layer]
        assert entered[token] == pytest.approx(together[layer, layer, token], rel=1e-3) and entered[token] > 0
        assert not np.delete(entered, token).any()
        assert not alone[layer, layer:, :token].any()
        assert layer == LAST or (alone[layer, layer + 1 :, token:] > 0).all()


@pytest.mark.parametrize("family", [*tiny.FAMILIES, "cohere", "granite", "phi"])
@torch.inference_mode()
def test_the_next_words_and_the_end_of_the_lens_are_the_model_s(family):
    """Also where a family caps or scales its logits, as gemma2, cohere and granite do."""
    here, question = LabModel(tiny.loaded(family)), lab.question(SENTENCE, "skip")
    run = here.clean(SENTENCE)
    top = here.loaded.model(input_ids=run.ids).logits[0].float().softmax(-1).topk(lab.WORDS)
    torch.testing.assert_close(run.lens.probability[-1], top.values[:, :1], rtol=1e-4, atol=0)
    assert (run.lens.ids[-1] == top.indices[:, :1]).all()
    lens, scene = here.lens(question, 1), here.scene(question)
    for words, ids, chances in zip(scene.dense, top.indices.tolist(), top.values.tolist(), strict=True):
        assert [word for word, _ in words] == [here.loaded.tokenizer.decode([each]) for each in ids]
        assert [chance for _, chance in words] == pytest.approx(chances, rel=1e-3)
    assert [(words[0],) for words in scene.perturbed[1]] == list(lens.hurt[1][-1])
    assert len(lens.hurt[1]) == tiny.LAYERS - 1 and len(lens.dense) == tiny.LAYERS
    assert lens.dense[0] != lens.dense[-1]


def test_a_gain_is_of_the_tokens_after_the_first_that_were_perturbed():
    drift = torch.tensor([[9.0, 0.1, 0.0, 0.2], [9.0, 0.1, 5.0, 0.8]])
    assert gain(drift, 0) == pytest.approx(2.0)
    assert gain(drift, 1) is None
    assert gain(torch.tensor([[1.0, 0.0], [1.0, 0.5]]), 0) is None


@pytest.mark.parametrize(
    ("words", "asked", "layer", "named"),
    [
        ("heron " * 60, {"word": "skip"}, None, ("tokens", "64")),
        (SENTENCE, {"word": "skip", "token": 63}, None, ("token 63",)),
        (SENTENCE, {"word": "skip"}, tiny.LAYERS, (f"layer {tiny.LAYERS}", "0 to 3")),
        (SENTENCE, {"word": "gaussian:1e38"}, None, ("gaussian:1e+38", "smaller")),
        (SENTENCE, {"word": "residual_linear:wanda:0.5:nothing"}, None, ("nothing", "mlp.down_proj")),
    ],
)
def test_what_cannot_be_answered_is_refused(words, asked, layer, named, llama, refused):
    question = lab.question(words, **asked)
    with refused(*named):
        llama.scene(question) if layer is None else llama.row(question, layer)
    with refused(*named):
        llama.lens(question, layer or 0)


@pytest.mark.bundled
def test_the_opening_scene_is_what_the_engine_measures(bundled):
    question, committed = next(iter(examples().items()))
    ids = scenes.run_clean(bundled, question.sentence).ids
    assert_agree(committed, engine(bundled, ids, question.perturbation.name, Moments()), rtol=1e-2)
    words, now = lenses()[question], LabModel(bundled).lens(question, 16)
    for stored, read in ((words.dense, now.dense), (words.hurt[16], now.hurt[16])):
        shares = [[[share for ((_, share),) in row] for row in rows] for rows in (stored, read)]
        np.testing.assert_allclose(*shares, rtol=2e-2)


@pytest.mark.bundled
def test_tokens_that_share_a_sign_are_shown_as_the_sign(bundled):
    words = "Sun 日 😀, день"
    tokens = LabModel(bundled).row(lab.question(words, "skip"), 29).tokens
    assert "".join(tokens) == words and "" in tokens
