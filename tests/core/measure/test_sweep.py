"""The sweep: parts, resume, fallback, and a model that is left as it was found."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.base import shortage
from core.measure import ROUNDING
from core.measure import sweep as sweeps
from core.models import Cancelled, machine, silent
from core.store import Store, parts
from tests import tiny

NAMES = ("gaussian:0.3", "covariance:0.3", "residual:wanda:0.7", "residual_rescaled:wanda:0.7:-0.3", "skip")
SEQUENCES, LENGTH = 5, 12


@pytest.fixture
def text():
    return tiny.windows(SEQUENCES, LENGTH)


def units_of(store, profile):
    return {each.name: store.load(profile.unit(each)) for each in profile.measurements}


def run(store, family="llama", names=NAMES, report=silent, engine="wavefront"):
    of, text = tiny.loaded(family), tiny.windows(SEQUENCES, LENGTH)
    profile = tiny.profile(of, text, *names)
    sweep = tiny.sweep(of, text, profile, store, report, engine)
    sweep.run()
    return sweep, profile


def stop_after(parts):
    """A report that cancels the run once so many parts are finished."""

    def report(progress):
        if progress.parts == parts:
            raise Cancelled

    return report


def assert_close(one, other, rtol=1e-5):
    assert one.keys() == other.keys()
    for name in one:
        tiny.assert_close(one[name], other[name], name, rtol, 1e-6)


@pytest.mark.parametrize("family", ["llama", "bloom", "gpt2"])
def test_numbers_do_not_depend_on_group_sizes(family, tmp_path, no_demo, monkeypatch):
    found = {}
    for size in (1, 2, 5):
        monkeypatch.setattr(machine, "group_size", lambda *_, size=size: size)
        store = Store(tmp_path / str(size))
        sweep, profile = run(store, family)
        assert sweep.tracker.parts == len(NAMES) * -(-SEQUENCES // size)
        found[size] = units_of(store, profile)
        assert not list(store.root.glob("parts/*")), "parts are left behind"
    assert_close(found[1], found[5])
    assert_close(found[2], found[5])


# --- the model is left as it was found -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_the_model_is_bit_identical_after_a_sweep_and_the_self_check_passes(family, empty):
    model = tiny.loaded(family).model
    names = NAMES if family in tiny.PRUNABLE else ("gaussian:0.3", "covariance:0.3", "skip")
    with tiny.untouched(model):
        sweep, _ = run(empty, family, names)
    assert not any(parameter.is_inference() for parameter in model.parameters())
    assert sweep.engine == "wavefront" and sweep.replay == 0
    assert sweep.checked == {1, 3, 2}, "every batch size is looked at"


@pytest.mark.parametrize("engine", ["wavefront", "hooks"])
def test_the_model_is_bit_identical_after_a_cancel_at_any_moment(engine, tmp_path, no_demo):
    model = tiny.loaded("llama").model
    moments = []
    run(Store(tmp_path / "whole"), report=moments.append, engine=engine)
    for at in range(0, len(moments), 11):
        left = iter(range(at))

        def stop(_, left=left):
            if next(left, None) is None:
                raise Cancelled

        with tiny.untouched(model), pytest.raises(Cancelled):
            run(Store(tmp_path / f"{at}"), report=stop, engine=engine)


# --- fallback ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["another number", "not a number", "cannot be called"])
def test_a_failed_self_check_falls_back_to_hooks(how, tmp_path, no_demo, monkeypatch):
    expected = Store(tmp_path / "expected")
    run(expected)

    def broken(group, _):
        if how == "cannot be called":
            raise TypeError("forward() missing 1 required positional argument")
        return float("nan") if how == "not a number" else 1e-3

    def unusable(*_):
        raise AssertionError("the wavefront was used all the same")

    monkeypatch.setattr(sweeps, "largest_replay_error", broken)
    monkeypatch.setitem(sweeps.ENGINES, "wavefront", unusable)
    said = []
    store = Store(tmp_path / "found")
    sweep, profile = run(store, report=lambda progress: said.append(progress.line))
    assert sweep.engine == "hooks"
    assert any("falling back" in line for line in said)
    assert_close(units_of(store, profile), units_of(expected, profile), rtol=1e-4)


# --- what had to be helped along -----------------------------------------------------------------------------------


def test_raised_damping_is_kept_even_if_the_run_was_stopped(empty, monkeypatch):
    """One second moment is spoilt on purpose; the warnings of parts that an earlier run finished are not lost."""
    name = "residual:sparsegpt:0.5"
    with monkeypatch.context() as patch:
        tiny.spoil_second_moments(patch)
        with pytest.raises(Cancelled):
            run(empty, names=(name,), report=stop_after(1))
    sweep, profile = run(empty, names=(name,))
    (unit,) = [profile.unit(each) for each in profile.measurements]
    assert sweep.tracker.parts  # something was left to measure
    told = parts.summary(empty, unit)["warnings"]
    assert [text.partition(":")[0] for text in told] == [f"layer {n}, mlp.down_proj" for n in range(tiny.LAYERS)]


# --- resume --------------------------------------------------------------------------------------------------------


def test_a_part_that_rots_before_assembly_is_never_left_out_silently(empty, text):
    profile = tiny.profile(tiny.loaded("llama"), text, "skip")
    unit = profile.unit(profile.measurements[0])

    def rot(progress):
        if progress.parts == 2:
            (parts.folder(empty, unit) / "0000-0002.safetensors").write_bytes(b"rot")

    with pytest.raises(RuntimeError, match="lost"):
        run(empty, names=("skip",), report=rot)
    assert empty.load(unit) is None
    run(empty, names=("skip",))
    assert empty.load(unit).sequences == SEQUENCES


def test_an_output_that_overflows_is_refused_and_not_stored(empty, text, refused, monkeypatch):
    engine = sweeps.ENGINES["wavefront"]

    def hot(group, measurement, step):
        found = engine(group, measurement, step)
        if measurement.name == "skip":
            found.kl[2, -1] = np.nan
        return found

    monkeypatch.setitem(sweeps.ENGINES, "wavefront", hot)
    with refused("skip at layer 2", "not finite"):
        run(empty, names=("gaussian:0.3", "skip"))
    kept = [path.parent.name for path in empty.root.glob("parts/*/*")]
    profile = tiny.profile(tiny.loaded("llama"), text, "gaussian:0.3", "skip")
    assert profile.unit(profile.measurements[1]).key not in kept


def test_parts_of_two_processes_with_unlike_room_do_not_hide_each_other(empty, text, monkeypatch):
    """The second, with room for one sequence at once, is cancelled after two parts of what the first measures whole."""
    monkeypatch.setattr(machine, "group_size", lambda *_: SEQUENCES)
    entered = []

    def meanwhile(progress):
        if progress.line.startswith("skip") and not entered:
            entered.append(True)
            with monkeypatch.context() as less, pytest.raises(Cancelled):
                less.setattr(machine, "group_size", lambda *_: 1)
                run(empty, names=("skip",), report=stop_after(2))

    _, profile = run(empty, names=("skip",), report=meanwhile)
    assert entered and empty.load(profile.unit(profile.measurements[0])).sequences == SEQUENCES


CPU = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate"


@pytest.mark.parametrize("lack", [torch.OutOfMemoryError("no more"), MemoryError(), RuntimeError(CPU)])
def test_a_lack_of_memory_halves_the_group_once(lack, tmp_path, no_demo, monkeypatch):
    engine, said, tried = sweeps.ENGINES["wavefront"], [], []

    def hungry(group, measurement, step):
        tried.append(len(group.sequences))
        if len(group.sequences) > room:
            raise lack
        return engine(group, measurement, step)

    monkeypatch.setitem(sweeps.ENGINES, "wavefront", hungry)
    monkeypatch.setattr(machine, "group_size", lambda *_: 4)
    room = 2
    run(Store(tmp_path / "2"), names=("skip",), report=said.append)
    assert tried == [1, 4, 2, 2, 1], "the noise floor, the group, and halves of it"
    assert [each.done for each in said] == sorted(each.done for each in said)
    assert said[-1].done <= said[-1].total  # a part that was begun twice counts once
    room = 1
    with pytest.raises(type(lack)) as caught:
        run(Store(tmp_path / "1"), names=("skip",))
    assert tried[5:] == [1, 4, 2] and "windows" in shortage(caught.value)


# --- the noise floor, half precision -------------------------------------------------------------------------------


def test_the_floor_is_what_rounding_sized_noise_becomes(empty):
    _, profile = run(empty, names=("skip",))
    floor = empty.load(profile.floor)
    diagonal = np.diag(floor.drift)
    assert (diagonal > 2.0**-26).all() and (diagonal < 2.0**-22).all()
    assert (floor.half_precision == 0).all()
    assert np.isnan(floor.drift[np.tril_indices(tiny.LAYERS, -1)]).all()


@pytest.mark.parametrize("engine", ["wavefront", "hooks"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_knows_its_distance_from_float32(dtype, engine, empty):
    of, unit = tiny.fresh("llama", getattr(torch, dtype)), ROUNDING[dtype]
    of, text = replace(of, spec=of.spec.replace(dtype=dtype)), tiny.windows(3, LENGTH)
    profile = tiny.profile(of, text, "gaussian:0.3", "residual:wanda:0.7")
    with tiny.untouched(of.model):
        tiny.sweep(of, text, profile, empty, engine=engine).run()
    distance = empty.load(profile.floor).half_precision
    assert (distance > unit / 19).all() and (distance < 50 * unit).all()
    assert (np.diff(distance) > -unit / 2).all()  # rounding adds up from layer to layer
    np.testing.assert_allclose(np.diag(units_of(empty, profile)["gaussian:0.3"].drift), 0.3, rtol=0.02)
