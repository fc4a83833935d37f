"""What came in a pack is marked, answers only where that is accepted, and lies of a pack are refused."""

import io
import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from core.base.errors import UserError
from core.requests.measurements import MeasureRequest
from core.requests.perturbations import PRESETS
from core.results import protocols, study_results
from core.show import words
from core.show.report import reports
from core.store import profiles
from core.store.cache import Store
from core.store.checks import check_unit
from core.store.entries import KINDS, MARK, packs_of
from core.store.files import pretty
from core.store.packs import pack, unpack
from core.store.results import axes_of
from tests import synthetic
from tests.core.packing import (
    SEQUENCES,
    TOLD,
    everywhere,
    first,
    hashed,
    members,
    rekeyed,
    save,
    sound,
    study_spec,
    zipped,
)


@pytest.fixture(scope="module")
def of_study(tmp_path_factory):
    """The members of a sound pack of a study."""
    return sound("study", tmp_path_factory)


@pytest.fixture(scope="module")
def of_best(tmp_path_factory):
    """The members of a sound pack of an answer."""
    return sound("best", tmp_path_factory)


# --- marked --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["profile", "study"])
def test_imported_numbers_are_marked_and_answer_only_where_accepted(what, here, empty):
    key = save(here, what)
    [entry] = unpack(empty, pack(here, here.by_key(key)))
    accepting = Store(empty.root, accept_imported=True)
    assert (entry.standing, here.by_key(key).standing) == ("imported", "")
    for spec in (entry.spec, *entry.spec.units):
        assert empty.path(spec) and empty.measured(spec) is None and accepting.measured(spec) and here.measured(spec)
    request = MeasureRequest(measurements=PRESETS["quick"].measurements)
    if what == "profile":
        empty.remember(request, entry.spec, [])
        assert empty.find(request) is None and accepting.find(request).key == key


@pytest.mark.parametrize("words", [("measure",), ("prune", "--allocation", "uniform:0.5"), ("best", "--target", "0.5")])
def test_a_command_is_answered_by_imported_numbers_only_where_it_is_told_to(words, say, monkeypatch):
    run = Mock(side_effect=UserError("nothing is run by this test"))
    monkeypatch.setattr("core.jobs.worker.run", run)
    for more in ([], ["--accept-imported"]):
        say(*words, "--device", "cpu", *more).refused("nothing is run")
    assert [each.args[0].accept_imported for each in run.call_args_list] == [False, True]


def test_what_is_measured_here_takes_the_place_of_what_was_imported(here, empty):
    key = save(here, "profile")
    content = pack(here, here.by_key(key))
    unpack(empty, content)
    save(empty, "profile")
    entry = empty.by_key(key)
    assert entry.standing == "" and all(map(empty.measured, (entry.spec, *entry.spec.units)))
    assert unpack(empty, content)[0].standing == ""


def test_a_view_is_imported_where_a_unit_of_it_is(here, empty):
    key = save(here, "profile")
    content = pack(here, here.by_key(key))
    unpack(empty, content)
    spec = empty.by_key(key).spec
    empty.save(spec, None, TOLD)  # as a run that accepts imported units does
    assert empty.by_key(key).standing == "imported"
    save(empty, "profile")
    assert empty.by_key(key).standing == ""
    (empty.path(spec.units[2]) / "drift.npy").write_bytes(b"rot")
    unpack(empty, content)
    assert empty.by_key(key).standing == "imported" and empty.measured(spec.units[1])


MARKS = {
    "emptied": lambda mark: mark.write_bytes(b""),
    "not ASCII": lambda mark: mark.write_bytes("é\x1b[31m\n".encode()),
    "another": lambda mark: mark.write_text("0" * 64),
    "gone": Path.unlink,
    "a folder": lambda mark: (mark.unlink(), mark.mkdir()),
}


@pytest.mark.parametrize("age", ["now", "before manifests named it"])
@pytest.mark.parametrize("how", MARKS)
def test_a_damaged_mark_marks(how, age, here, empty, say):
    key = save(here, "profile")
    [entry] = unpack(empty, pack(here, here.by_key(key)))
    specs, packs = (entry.spec, *entry.spec.units), entry.packs
    for path in map(empty.path, specs):
        if age != "now":
            manifest = path / "manifest.json"
            named = json.loads(manifest.read_bytes())
            assert named.pop(MARK)
            manifest.write_bytes(pretty(named))
            assert packs_of(path) == packs and empty.entry(path)
        MARKS[how](path / MARK)
    if age != "now" and how == "gone":
        return  # nothing is left that could tell
    assert not any(map(empty.measured, specs)) and all(map(empty.path, specs))
    found = say("runs", "--json").json["profiles"]
    if age == "now":
        assert found == [] and all(each.startswith("profile") for each in empty.troubles())
    else:
        assert [each["imported"] for each in found] == [True] and empty.load(entry.spec.activation)
        assert set(empty.by_key(key).packs) <= {"unknown", "0" * 64}


def test_the_word_stands_where_numbers_do(here, empty):
    for what in ("profile", "study"):
        unpack(empty, pack(here, here.by_key(save(here, what))))
    found = profiles.load(empty, next(empty.entries()))
    [entry] = empty.entries("study")
    study = study_results.load(empty, entry)
    rows = dict(reports.report(empty, entry).origin)
    assert [rows["imported in a pack, SHA-256"]] == list(entry.packs) and len(entry.packs[0]) == 64
    assert rows["device"] == TOLD["device"]  # who measured it, as the pack says
    assert all("imported" in each for each in (words.named(found), protocols.short_name(study), protocols.badge(study)))
    assert "imported" not in words.named(profiles.load(here, next(here.entries())))


def test_the_tokens_of_an_imported_profile_fetch_nothing(here, say, tmp_path, monkeypatch):
    told = {"model_source": "someone/model", "text_source": "demo"}
    key = imported(here, "profile", told, say, tmp_path)
    fetched = []

    def no_fetch(name, local_files_only=False, **_):
        fetched.append(local_files_only)
        raise OSError("nothing is here")

    monkeypatch.setattr("huggingface_hub.snapshot_download", no_fetch)
    say("show", key, "--tokens").refused("someone/model")
    assert fetched == [True]


@pytest.mark.parametrize(
    ("kind", "told", "said"),
    [
        ("profile", {"model_source": None}, "does not say what it was measured on"),
        ("profile", {"text_source": None}, "does not say what it was measured on"),
        ("study", {"request": {"x": 1}}, "x"),
        ("study", {"request": None}, "does not say how it was asked"),
    ],
)
def test_of_an_import_that_does_not_say_what_was_asked_nothing_is_made(kind, told, said, here, say, tmp_path):
    key = imported(here, kind, told, say, tmp_path)
    words = ("show", key, "--tokens") if kind == "profile" else ("export", key, "--to", tmp_path / "out")
    say(*words).refused(said)


def imported(here, kind, told, say, tmp_path):
    """The key of a result that came in a pack whose provenance says so."""
    spec = here.by_key(save(here, kind)).spec
    named = members(pack(here, here.by_key(spec.key)))
    place = first(named, kind, "provenance.json")
    named |= {place: json.dumps(json.loads(named[place]) | told).encode()}
    (tmp_path / "a.zip").write_bytes(zipped(hashed(named)))
    say("runs", "import", tmp_path / "a.zip")
    return spec.key


# --- lies ----------------------------------------------------------------------------------------------------------


def array(data):
    return np.load(io.BytesIO(data), allow_pickle=False)


def npy(found):
    content = io.BytesIO()
    np.lib.format.write_array(content, found.astype("<f4"), (1, 0))
    return content.getvalue()


def longer(axis):
    return lambda found: np.concatenate([found, found.take([0], axis)], axis)


def with_one(value):
    """The first number replaced, which stands on the diagonal where there is one."""

    def changed(found):
        found.flat[0] = value
        return found

    return changed


def whole_folder(kind, axis):
    """All arrays of one unit one longer along an axis: by itself the unit is at one."""

    def lie(files):
        folder = first(files, kind, "spec.json").rpartition("/")[0]
        found = dict(files)
        for name, axes in axes_of(KINDS[kind][1]).items():
            for place in [i for i, each in enumerate(axes) if each in axis.split("+")]:
                found[f"{folder}/{name}.npy"] = npy(longer(place)(array(found[f"{folder}/{name}.npy"])))
        return found

    return lie


def one_array(kind, name, change):
    def lie(files):
        place = first(files, kind, f"{name}.npy")
        return files | {place: npy(change(array(files[place])))}

    return lie


def told(kind, **said):
    def lie(files):
        place = first(files, kind, "provenance.json")
        return files | {place: json.dumps(json.loads(files[place]) | said).encode()}

    return lie


LENGTHS = [
    whole_folder("activation", "layer"), whole_folder("activation", "sequence"),
    whole_folder("floor", "injection+read"), whole_folder("perturbed", "injection+read"),
    whole_folder("perturbed", "sequence"), whole_folder("weights", "layer"), whole_folder("scores", "layer"),
    whole_folder("scores", "threshold"),
]  # fmt: skip
NUMBERS = [
    one_array(kind, name, with_one(value))
    for kind, names in {
        "activation": ("norm", "nll", "block_influence"),
        "floor": ("drift", "half_precision"),
        "perturbed": ("log_drift", "drift", "kl", "flips", "final_squared"),
        "scores": ("outlier_ratio", "median"),
    }.items()
    for name in names
    for value in (np.nan, np.inf)
] + [
    one_array("perturbed", "flips", with_one(1.5)),
    one_array("weights", "parameters", with_one(0)),
    one_array("weights", "parameters", lambda found: np.full_like(found, np.nan)),
]
TYPES = [
    told(kind, **{name: value})
    for kind in ("profile", "perturbed")
    for name, value in {
        "documents": ["a", "b"], "seed": "0", "seconds": {"sweep": float("nan")}, "versions": ["torch"],
        "files": {"a": 1}, "warnings": "none", "broken": 1.5, "calibration": 3, "model_source": ["demo"],
        "text_source": {}, "revision": 1, "profile": 7, "request": [], "threads": "two", "commit": False,
        "layers": "30", "linears": [1],
    }.items()
] + [
    told("profile", documents=[5, 1]), told("profile", linears=[]),
    told("profile", linears=[*synthetic.LINEARS, "one.more"]),
]  # fmt: skip
OF_STUDY = [
    whole_folder("evaluated", "window"), whole_folder("evaluated", "layer"), whole_folder("evaluated", "linear"),
    whole_folder("zeroshot", "example"), one_array("evaluated", "zeros", with_one(2)),
    one_array("zeroshot", "acc", with_one(3)), one_array("zeroshot", "document", with_one(np.nan)),
    told("study", profile=["a"]), told("evaluated", stopped=1, warnings=[2]), told("study", documents=[1]),
]  # fmt: skip


def spec(kind, change):
    """Another spec under the key that it has then."""

    def changed(found, said):
        if found == kind:
            change(said)
        return said

    return lambda files: rekeyed(files, changed)


def of_text(length):
    return lambda files: rekeyed(files, lambda _, said: everywhere(said, "length", length))


def unmeasured(files):
    """A profile without any perturbation."""
    left = {name: data for name, data in files.items() if not name.startswith("perturbed/")}
    return spec("profile", lambda said: said.update(measurements=[]))(left)


OF_PROFILE = [
    of_text(2), of_text(7), unmeasured, spec("profile", lambda said: said.update(methods=[["wanda", 3]])),
    spec("profile", lambda said: said.update(harm_stride=0)),
]  # fmt: skip


def target(name):
    return lambda said: said[name]["allocation"].update(target=0.3)


OF_BEST = [
    *(told("best", forecasts=each) for each in ([1.5], {"x": []}, {"x": [1, 1, float("inf"), 1]}, 3)),
    *(told("best", **{name: value}) for name, value in
      {"left_out": [1], "texts": {"final": 3}, "request": None, "model": 1, "text": ["x"]}.items()),
    told("best", request={"target": 0.7, "seeds": [float("nan")]}),
    *(spec("best", target(name)) for name in ("winner", "runner_up")),
    spec("best", lambda said: said.update(better=[said["winner"] | {"pruner": "alps"}])),
    spec("best", lambda said: said["final"]["points"].pop(0)),
    spec("best", lambda said: said["selection"]["points"].pop(1)),
    spec("best", lambda said: said["winner"].update(calibration_seed=9)),
    spec("best", lambda said: said.update(max_loss=float("inf"))),
    spec("best", lambda said: said["winner"]["allocation"]["correction"].update(clip=float("nan"))),
]  # fmt: skip


@pytest.mark.parametrize("lie", OF_BEST)
def test_an_answer_that_lies_is_refused(lie, of_best, rejected):
    rejected(hashed(lie(of_best)), "best/")


def test_weights_are_counted_whatever_the_precision(here, refused):
    found = here.by_key(save(here, "prunable profile")).spec
    weights = here.load(found.weights)
    half = found.weights.model_copy(update={"model": found.model.model_copy(update={"dtype": "bfloat16"})})
    check_unit("weights/x", half, weights, {})
    with refused("parameters"):
        check_unit("weights/x", half, replace(weights, parameters=weights.parameters * np.inf), {})


@pytest.mark.parametrize("lie", [*LENGTHS, *NUMBERS, *TYPES, *OF_PROFILE])
def test_a_profile_that_lies_is_refused(lie, good, rejected):
    rejected(hashed(lie(good)))


@pytest.mark.parametrize("lie", OF_STUDY)
def test_a_study_that_lies_is_refused(lie, of_study, rejected):
    rejected(hashed(lie(of_study)))


def test_honest_holes_are_taken(empty, here, good, of_study):
    """A layer with fewer linears, a perturbation that changed nothing, a setting that broke the model."""
    lies = (
        one_array("weights", "alpha_hill", with_one(np.nan)), one_array("perturbed", "ratio", with_one(np.nan)),
        one_array("perturbed", "log_drift", with_one(-np.inf)), one_array("weights", "parameters", with_one(np.nan)),
    )  # fmt: skip
    for lie in lies:
        good = lie(good)
    assert unpack(empty, zipped(hashed(good)))
    spec = study_spec()
    files = of_study
    for unit in map(spec.evaluated, spec.points[1:]):
        place = f"evaluated/{unit.key}/nll.npy"
        files = files | {place: npy(np.full(SEQUENCES, np.nan))}
    assert unpack(empty, zipped(hashed(files))) and np.isnan(empty.load(unit).nll).all()
    dense = f"evaluated/{spec.evaluated(spec.points[0]).key}/nll.npy"
    with pytest.raises(UserError):
        unpack(here, zipped(hashed(files | {dense: npy(np.full(SEQUENCES, np.nan))})))
