"""The documented entry: found, or measured and saved; stopped anywhere, it goes on from there."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.base import UserError
from core.jobs import execute
from core.measure import ROUNDING
from core.measure import sweep as sweeps
from core.methods import Gaussian, Lsa
from core.models import loading
from core.plan import allocate
from core.requests import (
    AllocationRequest,
    BestRequest,
    EvaluationRequest,
    Recipe,
    StudyRequest,
    WindowRequest,
    grammar,
)
from core.store import Store, parts, profiles
from tests import tiny
from tests.builders.requests import measurement as request
from tests.core.breaking import killed


@pytest.fixture
def engine_calls(monkeypatch):
    """What the engine was asked to measure, the noise floor left out."""
    calls = []
    engine = sweeps.ENGINES["wavefront"]

    def counted(group, measurement, step):
        if measurement.perturbation != Gaussian(size=ROUNDING["float32"]):
            calls.append(measurement.name)
        return engine(group, measurement, step)

    monkeypatch.setitem(sweeps.ENGINES, "wavefront", counted)
    return calls


def found(store, entry):
    return profiles.load(store, entry)


def assert_equal(one, other):
    assert one.perturbed.keys() == other.perturbed.keys()
    for measurement, perturbed in one.perturbed.items():
        tiny.assert_close(perturbed, other.perturbed[measurement], measurement.name)


# --- refused -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "name", "named"),
    [
        (tiny.ODD, "residual_linear:wanda:0.5:self_attn.v_proj", ("layer 2", "self_attn.v_proj", "mlp.down_proj")),
        ("llama", "residual_linear:wanda:0.5:mlp.nothing", ("layer 0", "mlp.nothing", "self_attn.k_proj")),
        ("gpt2", "skip:head:4", ("no head 4", "0 to 3")),
    ],
)
def test_a_part_that_a_layer_lacks_is_refused_before_anything_is_measured(
    family, name, named, empty, text, engine_calls, refused
):
    with refused(*named):
        execute.get(request(text, "gaussian:0.3", name, family=family), empty)
    assert not engine_calls


def test_each_head_and_each_linear_that_every_layer_has_is_measured_by_itself(empty, text):
    names = ("skip:head:each", "residual_linear:wanda:0.5:each")
    spec = execute.get(request(text, *names, family=tiny.ODD), empty).spec
    alone = {getattr(each.perturbation, "linear", None) for each in spec.measurements}
    assert spec.names[:4] == [f"skip:head:{head}" for head in range(4)]
    assert "mlp.down_proj" in alone and "self_attn.k_proj" not in alone


# --- found or measured ---------------------------------------------------------------------------------------------


def test_what_is_measured_is_a_whole_profile(empty, text):
    entry = execute.get(request(text, "gaussian:0.3", "skip", seeds=(0, 1)), empty)
    profile = found(empty, entry)
    assert profile.layers == tiny.LAYERS and profile.sequences == 4
    assert [len(seeds) for seeds in profile.by_name.values()] == [2, 1]
    told = profile.provenance
    assert (told["engine"], told["text"], told["replay_error"]) == ("wavefront", "text.txt", 0)
    assert set(told["seconds"]) == {"loading", "statistics", "sweep"}
    assert {"config.json", "model.safetensors", "tokenizer.json", "text.txt"} <= set(told["files"])
    assert profile.weights.parameters.shape == (tiny.LAYERS, 7)


def test_adding_a_perturbation_measures_that_alone(empty, text, engine_calls):
    execute.get(request(text, "gaussian:0.3"), empty)
    engine_calls.clear()
    entry = execute.get(request(text, "gaussian:0.3", "skip"), empty)
    assert engine_calls == ["skip", "skip"]
    assert list(found(empty, entry).by_name) == ["gaussian:0.3", "skip"]
    engine_calls.clear()
    execute.get(request(text, "skip"), empty)
    assert engine_calls == [], "a selection of what is there"


def test_the_same_files_elsewhere_are_one_profile(empty, text, engine_calls, tmp_path):
    first = execute.get(request(text), empty)
    engine_calls.clear()
    moved = shutil.copytree(tiny.folder("llama"), tmp_path / "moved")
    shutil.copy(text.removeprefix("file:"), tmp_path / "copied.txt")
    again = execute.get(request(f"file:{tmp_path / 'copied.txt'}", model=moved), empty)
    assert again.key == first.key and engine_calls == []


def without_a_merge(words):
    told = json.loads(words)
    del told["model"]["merges"][0]
    return json.dumps(told)


CHANGES = {
    "config.json": lambda config: config.replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 0.1'),
    "tokenizer.json": without_a_merge,
    "text.txt": lambda words: "A new beginning. " + words,
}


@pytest.mark.parametrize("file", ["model.safetensors", *CHANGES])
def test_a_changed_file_is_another_profile(file, empty, text, tmp_path):
    folder = Path(shutil.copytree(tiny.folder("llama"), tmp_path / "model"))
    asked, models = request(text, "skip", model=folder), {}
    first = execute.get(asked, empty, models=models)
    if file in CHANGES:
        path = Path(text.removeprefix("file:")) if file == "text.txt" else folder / file
        before = path.read_text(encoding="utf-8")
        path.write_text(CHANGES[file](before), encoding="utf-8")
        assert path.read_text(encoding="utf-8") != before
    else:
        tiny.built("llama", seed=1).save_pretrained(folder)
    assert execute.get(asked, empty, models=models).key != first.key


MANY = {"sequences": 4000, "length": 12}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda few, many: request(few.source, "skip", **MANY), "4000 were asked"),
        (lambda few, many: request(few.source, f"checkpoint:{tiny.folder('llama')}"), "same checkpoint"),
        (lambda few, many: StudyRequest(evaluation=EvaluationRequest(text=many)), "4000 were asked"),
        (lambda few, many: study(few, calibration=many), "4000 were asked"),
        (lambda few, many: study(few, profile="0123456789abcdef"), "there is no profile"),
        (lambda few, many: study(few, "owl"), "owl looks at a profile"),
        (lambda few, many: BestRequest(target=0.5, calibration=few, selection=many, final=few), "3 roles"),
    ],
)
def test_what_cannot_be_met_is_refused_before_the_weights_are_read(asked, said, empty, text, monkeypatch):
    monkeypatch.setattr(loading, "read", lambda *_: pytest.fail("the weights were read"))
    few, many = (WindowRequest(source=text, **how) for how in ({"sequences": 8, "length": 12}, MANY))
    request = asked(few, many).replace(model=str(tiny.folder("llama")))
    with pytest.raises(UserError, match=said):
        execute.get(request, empty)


def study(few, base="uniform", **more):
    """A request of one setting that reads little."""
    settings = (Recipe(allocation=grammar.read_allocation(f"{base}:0.5")),)
    asked = {"calibration": few, "settings": settings, "evaluation": EvaluationRequest(text=few)}
    return StudyRequest(**asked | more)


# --- stopped and gone on -------------------------------------------------------------------------------------------


CHILD = """
import sys, time
from pathlib import Path
from core import experiment
from core.requests.measurements import MeasureRequest
from core.store.cache import Store

def report(progress):
    if progress.parts == 2:
        print("two parts", flush=True)
        time.sleep(120)

asked = MeasureRequest.model_validate_json(Path(sys.argv[2]).read_text())
experiment.get(asked, Store(Path(sys.argv[1])), report=report)
"""


def test_a_killed_process_is_gone_on_from_its_parts(no_demo, tmp_path, text, engine_calls):
    asked = request(text)
    (tmp_path / "request.json").write_text(asked.model_dump_json())
    whole, broken = Store(tmp_path / "whole"), Store(tmp_path / "broken")
    assert killed(CHILD, broken.root, tmp_path / "request.json") == "two parts\n"
    assert len(list(broken.root.glob("parts/*/[!.]*"))) == 2
    assert broken.find(asked) is None and list(broken.entries()) == []
    entry = execute.get(asked, broken)
    assert len(engine_calls) == 4  # a finished part was measured again
    assert not list(broken.root.glob("parts/*"))
    assert_equal(found(broken, entry), found(whole, execute.get(asked, whole)))


@pytest.mark.parametrize("known", [True, False])
def test_only_a_corrupt_unit_is_measured_again(known, empty, text, engine_calls):
    """Also where this cache has not met the request yet, as with results that were brought from elsewhere."""
    asked = request(text)
    entry = execute.get(asked, empty)
    before = found(empty, entry)
    engine_calls.clear()
    unit = entry.spec.unit(entry.spec.measurements[2])
    table = empty.path(unit)
    table.write_bytes(table.read_bytes()[:-10])
    if not known:
        shutil.rmtree(empty.root / "resolved")
    again = execute.get(asked, empty)
    assert engine_calls == ["skip", "skip"] and len(empty.troubles()) == 1
    assert again.key == entry.key
    assert_equal(found(empty, again), before)


def test_the_errors_of_removed_weights_are_added_to_what_is_there(empty, text, engine_calls, refused):
    """A profile without them is read and allocated for as before; LSA says how to get them."""
    before = found(empty, execute.get(request(text), empty))
    assert before.removal is None
    with refused("--removal"):
        allocate(AllocationRequest(base=Lsa(), target=0.5), before)
    engine_calls.clear()
    after = found(empty, execute.get(request(text, removal=True), empty))
    assert engine_calls == []
    assert_equal(before, after)
    assert after.removal.error.shape == (tiny.LAYERS, 7) and (after.removal.error > 0).all()
    assert np.ptp(allocate(AllocationRequest(base=Lsa(), target=0.5), after).sparsity) > 0.1


def test_a_sketch_of_before_gains_what_lies_outside_the_layers_under_the_same_key(empty, text, engine_calls):
    asked = request(text, sketch=True)
    entry = execute.get(asked, empty)
    whole, before = found(empty, entry), entry.spec.replace(outside=None)
    empty.save(before, None, entry.provenance)
    empty.remember(asked, before, [])
    empty.measured(entry.spec.outside_sketch).unlink()
    assert found(empty, empty.profile(entry.key)).outside is None
    engine_calls.clear()
    again = execute.get(asked, empty)
    assert again.key == entry.key and engine_calls == []
    np.testing.assert_array_equal(found(empty, again).outside.change, whole.outside.change)


def test_what_is_deleted_with_another_result_meanwhile_is_measured_again(empty, text):
    """All profiles of a model share what is measured of its weights, all studies of one text the dense model."""
    short, settings = WindowRequest(source=text, sequences=4, length=8), (Recipe(pruner="magnitude"),)
    study = StudyRequest(model=str(tiny.folder("llama")), evaluation=EvaluationRequest(text=short), settings=settings)
    for asked, other in (
        (request(text, "gaussian:0.3"), request(text, "gaussian:0.3").replace(text=short)),
        (study, study.replace(settings=())),
    ):
        one, left = execute.get(other, empty), ["to delete"]

        def report(progress, one=one, left=left):
            if left and progress.done and progress.line != "saved":
                left.clear()
                parts.delete(empty, one)

        found = execute.get(asked, empty, report=report)
        assert not left and type(found.spec).__name__ in ("ProfileSpec", "StudySpec")
        assert all(map(empty.measured, found.spec.units))
