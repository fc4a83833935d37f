"""Whole entries of each kind for tests of the cache: a profile, a study with tasks, a best setting."""

from core.requests import AllocationRequest, BestRequest, BestSpec, Recipe, read_recipe
from tests import synthetic
from tests.builders import profiles

LAYERS, SEQUENCES = 3, 8
PROVENANCE = {"model": "invented model", "text": "invented text", "device": "none", "seconds": 1.5}


def save_study(store):
    """Dense and uniform at 50%, judged on a text and two tasks."""
    half = Recipe(pruner="magnitude", allocation=AllocationRequest(target=0.5))
    return profiles.study(store, [half], synthetic.profile_spec(LAYERS, 8, "quick"), tasks=("one", "two")).spec.key


def save_best(store):
    """An answer of two settings, and the profile and the studies that it is of."""
    profile = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", prunable=True)
    synthetic.save_profile(store.root, profile)
    winner, other = (read_recipe(f"{name}:0.7") for name in ("owl", "dlp"))
    studies = {
        role: profiles.study(store, [winner, other], profile, windows=SEQUENCES, length=256, text=role).spec
        for role in ("selection", "final")
    }
    spec = BestSpec(model=profile.model, profile=profile, max_loss=None, winner=winner, runner_up=other, **studies)
    store.save(spec, None, PROVENANCE | {"request": BestRequest(target=0.7).model_dump(mode="json")})
    return spec.key


def save(store, what):
    """A whole entry; its key."""
    if what in ("study", "best"):
        return {"study": save_study, "best": save_best}[what](store)
    spec = synthetic.profile_spec(LAYERS, SEQUENCES, "quick", prunable=what == "prunable profile")
    return synthetic.save_profile(store.root, spec)
