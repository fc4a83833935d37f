"""What the tests of packs share: entries to pack, a pack taken apart and put together."""

import hashlib
import io
import json
import zipfile

import numpy as np

from core.base.spec import key_of
from core.requests import grammar
from core.requests.allocations import AllocationRequest
from core.requests.export_and_search import BestRequest, BestSpec
from core.requests.recipes import ExactRecipe, Recipe
from core.requests.studies import Point, StudySpec, TaskSpec
from core.store import results
from core.store.cache import Store
from core.store.entries import KINDS, MARK
from core.store.files import pretty
from core.store.packs import pack
from tests import synthetic

LAYERS, SEQUENCES = 3, 8
TOLD = {"model": "invented model", "text": "invented text", "device": "none", "seconds": 1.5}
Members = dict[str, bytes]


def study_spec():
    """Dense and uniform at 50%, judged on a text and two tasks."""
    profile = synthetic.profile_spec(LAYERS, SEQUENCES)
    half = ExactRecipe(pruner="magnitude", sparsity=(0.5,) * LAYERS, calibration=None)
    asked = Recipe(pruner="magnitude", allocation=AllocationRequest(target=0.5))
    tasks = (TaskSpec(name=name, content="invented", examples=9, seed=0) for name in ("one", "two"))
    points = (Point(setting=None, pruned=None), Point(setting=asked, pruned=half))
    return StudySpec(model=profile.model, text=profile.text, tasks=tuple(tasks), points=points)


def save_study(store):
    spec, rng = study_spec(), np.random.default_rng(0)
    for point in spec.points:
        nll, kl, agreement = rng.random((3, SEQUENCES))
        evaluated = results.Losses(nll=nll, kl=kl, agreement=agreement, zeros=np.full((LAYERS, 7), 0.5))
        store.save(spec.evaluated(point), evaluated, TOLD)
        for unit in spec.zero_shot(point):
            correct = rng.integers(0, 2, 9).astype(float)
            answers = results.ZeroShot(document=np.arange(9.0), acc=correct, acc_norm=np.full(9, np.nan))
            store.save(unit, answers, TOLD)
    store.save(spec, None, TOLD)
    return spec.key


def save_best(store):
    """An answer of two settings, and the profile and the studies that it is of."""
    profile = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", prunable=True)
    synthetic.save_profile(store.root, profile, LAYERS)
    winner, other = (Recipe(allocation=grammar.read_allocation(f"{name}:0.7")) for name in ("owl", "dlp"))
    studies = {}
    for role in ("selection", "final"):
        studies[role] = synthetic.study_spec(profile, [winner, other], LAYERS, SEQUENCES, 256, role)
        synthetic.save_study(store.root, studies[role], LAYERS)
    spec = BestSpec(model=profile.model, profile=profile, max_loss=None, winner=winner, runner_up=other, **studies)
    store.save(spec, None, TOLD | {"request": BestRequest(target=0.7).model_dump(mode="json")})
    return spec.key


def save(store, what):
    """A whole entry; its key."""
    if what == "study":
        return save_study(store)
    if what == "best":
        return save_best(store)
    spec = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", prunable=what == "prunable profile")
    return synthetic.save_profile(store.root, spec, LAYERS)


def sound(what, folders):
    """The members of a sound pack of an entry."""
    store = Store(folders.mktemp("good"))
    return members(pack(store, store.by_key(save(store, what))))


def snapshot(root):
    """Every file of a store; that something was imported is no part of it, and has tests of its own."""
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != MARK}
    for path in [path for path in files if path.name == "manifest.json"]:
        named = json.loads(files[path])
        files[path] = pretty({name: sha for name, sha in named.items() if name != MARK})
    return {path.relative_to(root).as_posix(): data for path, data in files.items()}


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files, *more, method=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in [*files.items(), *more]:
            archive.writestr(name, data)
    return content.getvalue()


def hashed(files):
    """The same members with manifests that fit."""
    folders = {name.rpartition("/")[0] for name in files}
    found = {name: data for name, data in files.items() if not name.endswith("/manifest.json")}
    for folder in folders:
        inside = {name.split("/")[-1]: data for name, data in found.items() if name.startswith(f"{folder}/")}
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in inside.items()}
        found[f"{folder}/manifest.json"] = pretty(sums)
    return found


def rekeyed(files, change):
    """The same members with other specs, each folder under the key that it has then.

    Args:
        change: kind and spec -> spec.
    """
    found = {}
    for folder in dict.fromkeys(name.rpartition("/")[0] for name in files):
        kind, inside = folder.split("/")[0], [name for name in files if name.startswith(f"{folder}/")]
        said = change(kind, json.loads(files[f"{folder}/spec.json"]))
        moved = f"{kind}/{key_of(KINDS[kind][0], said)}"
        found |= {name.replace(folder, moved): files[name] for name in inside}
        found[f"{moved}/spec.json"] = json.dumps(said).encode()
    return found


def everywhere(said, name, value):
    """JSON with another value of a field wherever it has it."""
    if isinstance(said, list):
        return [everywhere(each, name, value) for each in said]
    if not isinstance(said, dict):
        return said
    return {key: value if key == name else everywhere(each, name, value) for key, each in said.items()}


def first(files, kind, file):
    return next(name for name in files if name.startswith(f"{kind}/") and name.endswith(f"/{file}"))
