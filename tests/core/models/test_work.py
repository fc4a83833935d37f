"""The cost of a request, counted before it runs and without torch."""

from pathlib import Path

import pytest

from core.base.errors import UserError
from core.methods.treatments import Treatment
from core.models import loading, run_cost, sources
from core.models.model_shape import ModelShape, model_shape
from core.requests.inputs import WindowRequest
from core.requests.measurements import MeasureRequest, measurements
from core.requests.perturbations import PRESETS, perturbation
from core.requests.recipes import Recipe, read_recipe
from core.requests.studies import EvaluationRequest, StudyRequest
from core.store.cache import Store
from tests import tiny

PROJECT = Path(__file__).resolve().parents[3]
SMALL = ModelShape(layers=3, width=4, vocabulary=10, layer_parameters=100, parameters=500)
BUNDLED = ModelShape(layers=30, width=576, vocabulary=49152, layer_parameters=3_538_944, parameters=134_515_008)


def request(**asked):
    asked = {"model": str(tiny.folder("llama")), "measurements": PRESETS["quick"].measurements, **asked}
    return MeasureRequest(**asked)


def test_work_is_tokens_times_the_weights_that_they_meet():
    """Two sequences of eight tokens; half of the layers run on average, and once more where one is pruned."""
    layers, head = 2 * 16 * 300, 2 * 16 * 40
    assert run_cost.forward(SMALL, 16) == layers + head
    noise, pruned = (tiny.measurement(name) for name in ("gaussian:0.3", "residual:wanda:0.5"))
    swept = layers + 2 * head / run_cost.HARM_STRIDE  # every run goes to the end, and half of them through a layer
    assert run_cost.measurement(SMALL, noise, 16) == swept
    assert run_cost.measurement(SMALL, pruned, 16) == 2 * swept + run_cost.looks(SMALL)
    assert (
        run_cost.looks(SMALL, Treatment("wanda", "refit"))
        > run_cost.looks(SMALL, Treatment("wanda"))
        == run_cost.looks(SMALL)
    )
    text = WindowRequest(sequences=2, length=8)
    assert run_cost.pruning(SMALL, text, Treatment("wanda")) == 2 * layers + run_cost.looks(SMALL)
    assert run_cost.pruning(SMALL, text, Treatment("magnitude")) == run_cost.looks(SMALL), "no text is run"
    asked = StudyRequest(calibration=text, evaluation=EvaluationRequest(text=text))
    whole = 2 * layers + run_cost.looks(SMALL) + 2 * (layers + head)
    assert run_cost.studying(SMALL, asked, [Treatment("wanda")]) == whole


def test_what_runs_the_layers_alone_takes_as_long_whatever_the_vocabulary():
    """Reading the dense streams and the walk; the training and own text run on to the logits."""
    wide = SMALL._replace(vocabulary=1000, parameters=4460)
    asked = read_recipe("uniform by=alps repair=refit_dense+distill recover_tokens=4096 recover_text=own:0.7")
    request = StudyRequest(calibration=WindowRequest(sequences=16, length=512))
    (wrote, read, walked, trained), beside = (run_cost.treating(each, request, asked) for each in (SMALL, wide))
    assert beside[1:3] == (read, walked)
    more = 2 * (wide.vocabulary - SMALL.vocabulary) * SMALL.width  # FLOP of a token
    assert beside[0] - wrote == pytest.approx(run_cost.WRITING * 16 * 512 * more)
    assert beside[3] - trained == pytest.approx(run_cost.DISTILLED * 4096 * more)


def test_a_dense_path_takes_memory_beside_the_pruned_one(tmp_path):
    calibration = WindowRequest(sequences=64, length=32)
    plain, beside = (
        StudyRequest(model=str(tiny.folder("llama")), calibration=calibration, settings=(Recipe(repair=how),))
        for how in ("refit", "refit_dense")
    )
    one, other = (run_cost.estimate(each, Store(tmp_path)) for each in (plain, beside))
    assert other.memory - one.memory == 3 * 64 * 32 * tiny.WIDTH * 4


@pytest.mark.parametrize(
    ("sequences", "length", "expected"), [(8, 64, 4), (1, 64, 1), (9, 64, 5), (128, 2048, 8), (4, 40_000, 1)]
)
def test_a_group_is_at_most_half_and_at_most_so_many_tokens(sequences, length, expected):
    assert run_cost.group_size(BUNDLED, WindowRequest(sequences=sequences, length=length), "float32", None) == expected


def test_a_group_fits_into_memory_but_is_never_empty():
    one = run_cost.sequence_bytes(BUNDLED, 64, "float32")
    text = WindowRequest(sequences=8, length=64)
    sizes = [run_cost.group_size(BUNDLED, text, "float32", free) for free in (0, one, 2 * one, 3 * one - 1, 100 * one)]
    assert sizes == [1, 1, 2, 2, 4]
    assert run_cost.sequence_bytes(BUNDLED, 64, "bfloat16") < one < run_cost.sequence_bytes(BUNDLED, 128, "float32")


def test_an_estimate_is_rough_until_the_machine_was_measured(empty):
    rough = run_cost.estimate(request(), empty)
    assert rough.rough and "rough" in run_cost.words(rough) and rough.parts == 6
    run_cost.remember_rate(empty, "cpu", tiny.shape(tiny.loaded("llama")), "float32", 1e7)
    known = run_cost.estimate(request(), empty)
    assert not known.rough and "measured" in run_cost.words(known) and "\n" not in run_cost.words(known)
    assert known.flops == rough.flops and known.seconds == pytest.approx(known.loading + known.flops / 1e7)
    for other in ({"device": "cuda"}, {"request": request(dtype="bfloat16")}):  # which were not measured
        assert run_cost.estimate(**{"request": request(), "store": empty} | other).rough


def test_the_work_told_before_a_run_is_about_what_the_run_plans(empty):
    """In groups that do not come out even, with a residual that solves for weights, and what LSA looks at."""
    asked = request(
        text=WindowRequest(source="random", sequences=5, length=12), removal=True,
        measurements=measurements(
            [perturbation(name) for name in ("gaussian:0.3", "covariance:0.1", "residual:sparsegpt:0.5", "skip")]
        ),
    )  # fmt: skip
    of, text = tiny.loaded("llama"), tiny.windows(5, 12)
    profile = tiny.profile(of, text, *(each.name for each in asked.measurements))
    sweep = tiny.sweep(of, text, profile.model_copy(update={"removal": True, "prunable": True}), empty)
    sweep.run()
    assert sweep.tracker.done == pytest.approx(sweep.tracker.planned)
    assert sweep.tracker.planned == pytest.approx(run_cost.measuring(tiny.shape(of), asked, groups=2), rel=0.2)


def test_memory_counts_weights_and_one_group(empty):
    single, half = run_cost.estimate(request(), empty), run_cost.estimate(request(dtype="bfloat16"), empty)
    assert half.memory < single.memory
    weights = 4 * sum(parameter.numel() for parameter in tiny.loaded("llama").model.parameters())
    assert single.memory > weights + run_cost.PROCESS, "Python and its libraries too"


def test_a_walk_holds_the_windows_that_the_pruner_reads_and_no_others(empty):
    def told(words, sequences):
        asked = StudyRequest(settings=(read_recipe(words),))
        return run_cost.estimate(
            asked.replace(calibration=WindowRequest(sequences=sequences, length=512)), empty
        ).memory

    fewer = told("uniform by=alps pruner_windows=64:0.5", 480)
    assert fewer == told("uniform by=alps:0.5", 64) < told("uniform by=alps:0.5", 480)


def test_of_a_model_that_memory_does_not_hold_a_few_layers_are_held(monkeypatch):
    shape = ModelShape(layers=80, width=4, vocabulary=10, layer_parameters=1_000_000, parameters=80_000_500)
    whole = run_cost.weight_bytes(shape, "float32", gguf=False)
    monkeypatch.setattr(run_cost, "free_memory", lambda: 300_000_000)
    assert whole - run_cost.weight_bytes(shape, "float32", gguf=False) == 4 * (80 - run_cost.WORKED_ON) * 1_000_000
    assert whole == run_cost.weight_bytes(shape, "float32", gguf=True)


def test_memory_that_cannot_suffice_is_refused_before_weights_are_read(empty, monkeypatch, refused):
    monkeypatch.setattr(run_cost, "free_memory", lambda: 1000)
    monkeypatch.setattr(loading, "read", lambda *_: pytest.fail("weights are read"))
    with refused("GiB of memory", "close other programs"):
        loading.load(sources.locate(str(tiny.folder("llama")), empty), store=empty)


def test_without_its_model_there_is_no_estimate(empty, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert run_cost.estimate(request(model="some-body/some-model"), empty) is None
    with pytest.raises(UserError):
        run_cost.estimate(request(model="nonsense"), empty)


# --- outlines ------------------------------------------------------------------------------------------------------


def test_the_outline_is_the_heaviest_numbered_group():
    shapes = {
        "vision.blocks.0.weight": (4, 4),
        "model.layers.0.a.weight": (8, 8),
        "model.layers.0.norm.weight": (8,),
        "model.layers.1.experts.3.w": (2, 8, 8),
        "embed.weight": (100, 8),
        "norm.weight": (8,),
    }
    assert model_shape(shapes) == ModelShape(2, 8, 100, (64 + 128) // 2, 16 + 64 + 8 + 128 + 800 + 8, 1)


@pytest.mark.parametrize(
    "shapes", [{}, {"embed.weight": (10, 4)}, {"layers.0.w": (4, 4)}, {"layers.0.norm.w": (4,), "e": (4,)}]
)
def test_files_without_a_stack_are_refused(shapes, refused):
    with refused("layers"):
        model_shape(shapes)
