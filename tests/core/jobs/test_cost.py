"""The cost of a request before it runs: memory, parts, and time where this machine's speed is remembered."""

import pytest

from core.base import UserError
from core.jobs import cost
from core.methods import Treatment
from core.models import layer_parts, locate, machine, read_shape
from core.requests import (
    PRESETS,
    BestRequest,
    EvaluationRequest,
    MeasureRequest,
    ModelShape,
    Recipe,
    StudyRequest,
    WindowRequest,
    measurements,
    perturbation,
    read_recipe,
    workload,
)
from tests import tiny


def request(**fields):
    return MeasureRequest(
        **{"model": str(tiny.folder("llama")), "measurements": PRESETS["quick"].measurements} | fields
    )


def test_time_is_told_where_such_a_model_was_measured_here(empty):
    before = cost.estimate(request(), empty)
    assert before.guess and before.parts == 6 and "(a guess until the first run here)" in cost.words(before)
    shape = tiny.shape(tiny.loaded("llama"))
    cost.remember_speed(empty, "cpu", shape._replace(width=2000 * shape.width), "float32", 10.0)
    assert cost.estimate(request(), empty) == before, "a model of another size altogether tells less than two cores do"
    cost.remember_speed(empty, "cpu", shape, "float32", 10.0)
    after = cost.estimate(request(), empty)
    assert after.seconds > 0 and after.memory == before.memory and cost.words(after).startswith("About 13 min")
    spread = cost.estimate(request(), empty, "ray, 4 shares, cpu")
    assert spread.seconds == pytest.approx(after.seconds / 4)
    for other in ({"device": "cuda"}, {"request": request(dtype="bfloat16")}):  # which were not measured
        unknown = cost.estimate(**{"request": request(), "store": empty} | other)
        assert unknown.seconds is None and "once the first part is done" in cost.words(unknown)
    cost.remember_speed(empty, "cpu", shape._replace(layers=2 * shape.layers), "bfloat16", 10.0)  # of another model
    other = cost.estimate(request(dtype="bfloat16"), empty)
    assert other.seconds == pytest.approx(after.seconds / 2) and "a guess until the first run here" in cost.words(other)


def test_a_search_says_its_steps(empty):
    words = cost.words(cost.estimate(BestRequest(model=str(tiny.folder("llama")), target=0.5), empty))
    assert words.endswith(
        "4 steps: measure the model, try the most promising settings, repair the best, judge it beside uniform."
    )


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3_text", "falcon"])
def test_parts_count_the_heads_that_a_model_has(family, empty):
    count, _ = layer_parts.heads(tiny.loaded(family).layers[0])
    shape = read_shape(locate(str(tiny.folder(family)), empty), empty)
    assert count > 1 and workload.repeats(shape, tiny.measurement("skip:head:each")) == count
    assert workload.repeats(shape, tiny.measurement("residual_linear:wanda:0.5:each")) == shape.linears


def test_whoever_reads_and_repairs_more_takes_longer():
    shape, text = ModelShape(3, 4, 10, layer_parameters=100, parameters=500), WindowRequest(sequences=2, length=8)
    ways = ("magnitude",), ("wanda",), ("wanda", "refit"), ("wanda", "refit_dense"), ("wanda", "blockwise")
    works = [workload.pruning(shape, text, Treatment(*each)) for each in ways]
    assert works == sorted({*works}) and works[1] > 2 * text.token_count, "dense and pruned"
    judged = [workload.judging(shape, EvaluationRequest(text=text, tasks=each)) for each in ((), ("rte",))]
    assert text.token_count < judged[0] < judged[1]


def test_training_in_emulated_bfloat16_is_told_the_time_that_it_takes_there():
    shape, request = ModelShape(3, 4, 10, layer_parameters=100, parameters=500), StudyRequest()
    words = "uniform by=wanda repair=distill recover_tokens=4096 recover_dtype={}:0.7"
    float32, bfloat16 = (read_recipe(words.format(each)) for each in ("float32", "bfloat16"))
    plain, emulated, built_in = (
        workload.treating(shape, request, recipe, emulates)[-1]
        for recipe, emulates in ((float32, True), (bfloat16, True), (bfloat16, False))
    )
    assert built_in < plain and 13 <= emulated / plain <= 20
    own = request.replace(dtype="bfloat16")  # whose speed is measured in that precision
    assert workload.treating(shape, own, bfloat16, True)[-1] == plain


def test_a_finished_sweep_did_what_was_planned_before(empty):
    """And the bar moves on and ends full: groups that do not come out even, a residual that solves, removed weights."""
    names = ("gaussian:0.3", "covariance:0.1", "residual:sparsegpt:0.5", "skip")
    whole = request(
        text=WindowRequest(source="random", sequences=5, length=12),
        measurements=measurements.measurements(map(perturbation, names)),
        removal=True,
    )
    of, text = tiny.loaded("llama"), tiny.windows(5, 12)
    profile = tiny.profile(of, text, *(each.name for each in whole.measurements))
    seen = []
    run = tiny.sweep(of, text, profile.replace(removal=True, prunable=True), empty, seen.append)
    run.run()
    done = [each.done for each in seen]
    assert done == sorted(done) and {each.total for each in seen} == {seen[-1].total}
    assert done[-1] == pytest.approx(seen[-1].total, rel=1e-3) and seen[-1].parts == len(names) * 2
    assert run.tracker.done == pytest.approx(run.tracker.planned)
    assert run.tracker.planned == pytest.approx(workload.sweep(tiny.shape(of), whole, groups=2), rel=0.2)


def test_memory_counts_weights_and_one_group(empty):
    single, half = cost.estimate(request(), empty), cost.estimate(request(dtype="bfloat16"), empty)
    weights = 4 * sum(parameter.numel() for parameter in tiny.loaded("llama").model.parameters())
    assert half.memory < single.memory > weights + machine.PROCESS, "Python and its libraries too"


def studied(empty, recipe, sequences=64, length=32):
    text = WindowRequest(sequences=sequences, length=length)
    study = StudyRequest(model=str(tiny.folder("llama")), calibration=text, settings=(recipe,))
    return cost.estimate(study, empty).memory


def test_a_dense_path_takes_memory_beside_the_pruned_one(empty):
    both, one = (studied(empty, Recipe(repair=how)) for how in ("refit_dense", "refit"))
    assert both - one == 3 * 64 * 32 * tiny.WIDTH * 4


def test_a_walk_holds_the_windows_that_the_pruner_reads_and_no_others(empty):
    part, whole = (read_recipe(f"uniform by=alps{more}:0.5") for more in (" pruner_windows=64", ""))
    fewer = studied(empty, part, 480, 512)
    assert fewer == studied(empty, whole, 64, 512) < studied(empty, whole, 480, 512)


def test_without_its_model_there_is_no_estimate(empty, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert cost.estimate(request(model="some-body/some-model"), empty) is None
    with pytest.raises(UserError):
        cost.estimate(request(model="nonsense"), empty)
