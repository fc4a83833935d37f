"""Whole entries of each kind for tests of the cache: a profile, a study with tasks, a best setting."""

import numpy as np

from core.requests import grammar
from core.requests.allocations import AllocationRequest
from core.requests.export_and_search import BestRequest, BestSpec
from core.requests.recipes import Recipe
from core.requests.studies import ExactRecipe, StudyRecipe, StudySpec, TaskSpec
from core.store import results
from tests import synthetic

LAYERS, SEQUENCES = 3, 8
PROVENANCE = {"model": "invented model", "text": "invented text", "device": "none", "seconds": 1.5}


def study_spec():
    """Dense and uniform at 50%, judged on a text and two tasks."""
    profile = synthetic.profile_spec(LAYERS, SEQUENCES)
    half = ExactRecipe(pruner="magnitude", sparsity=(0.5,) * LAYERS, calibration=None)
    asked = Recipe(pruner="magnitude", allocation=AllocationRequest(target=0.5))
    tasks = (TaskSpec(name=name, content="invented", examples=9, seed=0) for name in ("one", "two"))
    points = (StudyRecipe(setting=None, pruned=None), StudyRecipe(setting=asked, pruned=half))
    return StudySpec(model=profile.model, text=profile.text, tasks=tuple(tasks), points=points)


def save_study(store):
    spec, rng = study_spec(), np.random.default_rng(0)
    for point in spec.points:
        nll, kl, agreement = rng.random((3, SEQUENCES))
        evaluated = results.Losses(nll=nll, kl=kl, agreement=agreement, zeros=np.full((LAYERS, 7), 0.5))
        store.save(spec.evaluated(point), evaluated, PROVENANCE)
        for unit in spec.zero_shot(point):
            correct = rng.integers(0, 2, 9).astype(float)
            answers = results.ZeroShot(document=np.arange(9.0), acc=correct, acc_norm=np.full(9, np.nan))
            store.save(unit, answers, PROVENANCE)
    store.save(spec, None, PROVENANCE)
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
    store.save(spec, None, PROVENANCE | {"request": BestRequest(target=0.7).model_dump(mode="json")})
    return spec.key


def save(store, what):
    """A whole entry; its key."""
    if what == "study":
        return save_study(store)
    if what == "best":
        return save_best(store)
    spec = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", prunable=what == "prunable profile")
    return synthetic.save_profile(store.root, spec, LAYERS)
