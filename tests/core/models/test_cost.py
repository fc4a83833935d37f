"""What a measurement will cost, told without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.ask import presets
from core.ask.measurements import MeasureRequest, measurements
from core.ask.perturbations import perturbation
from core.ask.settings import Setting
from core.ask.studies import EvaluationRequest, StudyRequest
from core.ask.texts import WindowRequest
from core.base.errors import UserError
from core.kinds.treatments import Treatment
from core.models import cost, effort, flops
from core.models.outline import Outline, outline
from core.store.cache import Store
from tests import tiny

PROJECT = Path(__file__).resolve().parents[3]
SMALL = Outline(layers=3, width=4, vocabulary=10, layer_parameters=100, parameters=500)
BUNDLED = Outline(layers=30, width=576, vocabulary=49152, layer_parameters=3_538_944, parameters=134_515_008)


def request(**asked: object) -> MeasureRequest:
    asked = {"model": str(tiny.folder("llama")), "measurements": presets.PRESETS["quick"].measurements, **asked}
    return MeasureRequest(**asked)


def test_flops_by_hand() -> None:
    """Two sequences of eight tokens; a layer is 2 x 100 per token and 4 x 8 x 4 of attention; the head 2 x 4 x 10."""
    layer, head = 16 * (200 + 128), 2 * 4 * 10
    assert flops.layer_flops(SMALL, 16, 8) == layer
    assert flops.clean_flops(SMALL, 2, 8) == 3 * layer + 16 * head
    noise, pruned = (tiny.measurement(name) for name in ("gaussian:0.3", "residual:wanda:0.5"))
    assert flops.measurement_flops(SMALL, noise, 2, 8) == 3 * layer + 3 * 4 * head
    assert flops.measurement_flops(SMALL, pruned, 2, 8) == 6 * layer + 3 * 4 * head


def test_what_takes_time_beside_flop_by_hand() -> None:
    """Two sequences of eight tokens: four are read for harm in each of three injections, ten logits each."""
    noise = tiny.measurement("gaussian:0.3")
    flop, harm = flops.measurement_flops(SMALL, noise, 2, 8), 4 * (2 * 4 * 10 + effort.LOGIT * 10)
    assert effort.harm_work(SMALL, 2, 8) == harm
    assert effort.measurement_work(SMALL, noise, 2, 8) == flop + 3 * 4 * effort.LOGIT * 10
    assert effort.clean_work(SMALL, 2, 8) == flops.clean_flops(SMALL, 2, 8) + effort.LOGIT * 16 * 10
    assert effort.check_work(SMALL, 2, 8) == 3 * 3 * flops.layer_flops(SMALL, 16, 8)
    assert effort.scores_work(SMALL) == effort.SCORE * 3 * 100
    assert effort.spectra_work(SMALL, "cpu") == effort.SPECTRUM * 2 * 4 * 3 * 100
    wanda, mended = (Treatment("wanda", repair) for repair in (None, "refit"))
    assert effort.pruning_work(SMALL, wanda) == effort.CHOICE * 100
    assert effort.pruning_work(SMALL, mended) == (effort.CHOICE + effort.MENDING * 4) * 100
    assert effort.spectra_work(SMALL, "cuda:0") > effort.spectra_work(SMALL, "cpu"), "the card waits for the CPU"


def test_a_dense_path_takes_time_and_memory_beside_the_pruned_one(tmp_path: Path) -> None:
    calibration = WindowRequest(sequences=64, length=32)
    plain, beside = (
        StudyRequest(model=str(tiny.folder("llama")), calibration=calibration, settings=(Setting(repair=how),))
        for how in ("refit", "refit_dense")
    )
    one, other = (cost.of_study(each, Store(tmp_path)) for each in (plain, beside))
    assert other.memory - one.memory == 3 * 64 * 32 * tiny.WIDTH * 4
    assert other.seconds > one.seconds


def test_a_study_takes_what_its_settings_take_each_by_its_pruner() -> None:
    text = WindowRequest(sequences=2, length=8)
    asked = StudyRequest(calibration=text, evaluation=EvaluationRequest(text=text))
    wanda, slow = Treatment("wanda"), Treatment("alps", "refit")
    none, one, both = (effort.studying(SMALL, asked, each) for each in ([], [wanda], [wanda, slow]))
    judged = effort.evaluation_work(SMALL, 2, 8)
    assert none == judged
    assert one - none == pytest.approx(judged + effort.walk_work(SMALL, text, wanda))
    assert both - one == pytest.approx(judged + effort.walk_work(SMALL, text, slow))
    assert effort.walk_work(SMALL, text, Treatment("magnitude")) == 3 * effort.CHOICE * 100, "no text is run"


def test_a_request_costs_its_measurements_and_a_little_more() -> None:
    asked = MeasureRequest(
        text=WindowRequest(sequences=16, length=256), measurements=presets.PRESETS["standard"].measurements
    )
    measured = sum(flops.measurement_flops(BUNDLED, each, 16, 256) for each in asked.measurements)
    total = flops.request_flops(BUNDLED, asked)
    assert measured < total < 1.1 * measured
    per_token = measured / len(asked.measurements) / (16 * 256)
    assert 2.5e9 < per_token < 5e9  # about 3.5 GFLOP per token and perturbation on the bundled model


@pytest.mark.parametrize(
    ("sequences", "length", "expected"), [(8, 64, 4), (1, 64, 1), (9, 64, 5), (128, 2048, 8), (4, 40_000, 1)]
)
def test_a_group_is_at_most_half_and_at_most_so_many_tokens(sequences: int, length: int, expected: int) -> None:
    assert flops.group_size(BUNDLED, sequences, length, "float32", None) == expected


def test_a_group_fits_into_memory_but_is_never_empty() -> None:
    one = flops.sequence_bytes(BUNDLED, 64, "float32")
    sizes = [flops.group_size(BUNDLED, 8, 64, "float32", free) for free in (0, one, 2 * one, 3 * one - 1, 100 * one)]
    assert sizes == [1, 1, 2, 2, 4]
    assert flops.sequence_bytes(BUNDLED, 64, "bfloat16") < one < flops.sequence_bytes(BUNDLED, 128, "float32")


def test_quick_has_at_least_four_parts() -> None:
    quick = presets.PRESETS["quick"]
    size = flops.group_size(BUNDLED, quick.sequences, quick.length, "float32", None)
    assert len(quick.measurements) * -(-quick.sequences // size) >= 4


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"), (40, "40 s"), (90, "90 s"), (119.4, "119 s"), (119.6, "2 min"), (180, "3 min"),
        (3600, "60 min"), (9000, "2.5 h"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds: float, words: str) -> None:
    assert cost.duration(seconds) == words


def test_an_estimate_is_rough_until_the_machine_was_measured(empty: Store) -> None:
    """Between two speeds the time differs by the work done at each, and nothing else."""
    rough = cost.estimate(request(), empty)
    assert rough.rough and "rough" in cost.words(rough) and rough.parts == 6
    asked = cost.model_of(request(), empty, "cpu")
    taken = effort.measuring(asked.shape, request(), [4, 4], "cpu")
    cost.remember_rate(empty, "cpu", asked.shape, "float32", 1e7)
    known = cost.estimate(request(), empty)
    assert not known.rough and "measured" in cost.words(known) and "\n" not in cost.words(known)
    assert known.seconds - rough.seconds == pytest.approx(taken / 1e7 - taken / flops.rough_rate("cpu"))
    for other in ({"device": "cuda"}, {"request": request(dtype="bfloat16")}):  # which were not measured
        assert cost.estimate(**{"request": request(), "store": empty} | other).rough


def test_the_work_told_before_a_run_is_what_the_run_plans(empty: Store) -> None:
    """In groups that do not come out even, with a residual that solves for weights, and what LSA looks at."""
    asked = request(
        text=WindowRequest(source="random", sequences=5, length=12), removal=True,
        measurements=measurements(
            [perturbation(name) for name in ("gaussian:0.3", "covariance:0.1", "residual:sparsegpt:0.5", "skip")]
        ),
    )  # fmt: skip
    of, text = tiny.loaded("llama"), tiny.windows(5, 12)
    profile = tiny.profile(of, text, *(each.name for each in asked.measurements))
    profile = profile.model_copy(update={"removal": True, "prunable": True})
    sweep = tiny.sweep(of, text, profile, empty)
    sweep.run()
    shape = tiny.shape(of)
    groups = flops.groups(shape, 5, 12, "float32", None)
    assert groups == [3, 2] and sweep.account.done == pytest.approx(sweep.account.planned)
    not_planned = effort.moments_work(shape, 5 * 12) + effort.ROOT * shape.layers * shape.width**3
    assert sweep.account.planned + not_planned == pytest.approx(effort.measuring(shape, asked, groups, "cpu"))


@pytest.mark.parametrize("device", ["auto", "cuda:1", "mps", "tpu", ""])
def test_any_device_gets_an_estimate(device: str, empty: Store) -> None:
    assert cost.estimate(request(), empty, device).seconds > 0


def test_memory_counts_weights_and_one_group(empty: Store) -> None:
    single, half = cost.estimate(request(), empty), cost.estimate(request(dtype="bfloat16"), empty)
    assert half.memory < single.memory
    weights = 4 * sum(parameter.numel() for parameter in tiny.loaded("llama").model.parameters())
    assert single.memory > weights + cost.PROCESS, "Python and its libraries too"


@pytest.mark.parametrize("free", [0, 10_000_000, 10**12])
def test_no_more_is_told_than_memory_holds_beside_one_sequence(
    free: int, empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(text=WindowRequest(sequences=16, length=512))
    shape = tiny.shape(tiny.loaded("llama"))
    monkeypatch.setattr(cost, "free_memory", lambda: free)
    told = cost.estimate(asked, empty).memory - cost.PROCESS
    one = flops.sequence_bytes(shape, 512, "float32")
    assert told <= max(free, cost.model_of(asked, empty, "cpu").weights + one)
    assert (told > 8 * one) == (free == 10**12), "eight at once where there is room"


def test_of_a_model_that_memory_does_not_hold_a_few_layers_are_held(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = Outline(layers=80, width=4, vocabulary=10, layer_parameters=1_000_000, parameters=80_000_500)
    monkeypatch.setattr(cost, "outlined", lambda *_: shape)
    whole = cost.estimate(request(), empty).memory
    monkeypatch.setattr(cost, "free_memory", lambda: 300_000_000)
    held = cost.estimate(request(), empty).memory
    assert whole - held == 4 * (80 - cost.WORKED_ON) * 1_000_000


def test_without_its_model_there_is_no_estimate(empty: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert cost.estimate(request(model="some-body/some-model"), empty) is None
    with pytest.raises(UserError):
        cost.estimate(request(model="nonsense"), empty)


def test_an_estimate_needs_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from core import specs; from core.models import cost\n"
        "from core.ask import presets; from core.store.cache import Store\n"
        "quick = presets.PRESETS['quick'].measurements\n"
        f"asked = specs.MeasureRequest(model={str(tiny.folder('llama'))!r}, measurements=quick)\n"
        f"found = cost.estimate(asked, Store(Path({str(tmp_path)!r})))\n"
        "loaded = [name for name in ('torch', 'transformers') if name in sys.modules]\n"
        "print(found.parts, loaded)"
    )
    path = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=path, timeout=120)
    assert done.stdout.strip() == "6 []", done.stderr


# --- outlines ------------------------------------------------------------------------------------------------------


def test_the_outline_is_the_heaviest_numbered_group() -> None:
    shapes = {
        "vision.blocks.0.weight": (4, 4),
        "model.layers.0.a.weight": (8, 8),
        "model.layers.0.norm.weight": (8,),
        "model.layers.1.experts.3.w": (2, 8, 8),
        "embed.weight": (100, 8),
        "norm.weight": (8,),
    }
    assert outline(shapes) == Outline(2, 8, 100, (64 + 128) // 2, 16 + 64 + 8 + 128 + 800 + 8, 1)


@pytest.mark.parametrize(
    "shapes", [{}, {"embed.weight": (10, 4)}, {"layers.0.w": (4, 4)}, {"layers.0.norm.w": (4,), "e": (4,)}]
)
def test_files_without_a_stack_are_refused(shapes: dict, refused) -> None:
    with refused("layers"):
        outline(shapes)
