"""What the tests of the prune page share: a profile that can be pruned, its studies, and the page opened."""

import pytest

from core.jobs import Cost, Status, queue
from core.requests import grammar
from core.results import candidates
from core.store import profiles
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.opening import opened_at, url

LAYERS = 6
EXPECTED = Cost(memory=2**30, parts=6, seconds=120)
PROFILE = synthetic.profile_spec(LAYERS, prunable=True)
OWL = grammar.read_allocation("owl:0.7")


def family():
    """OWL with its correction and controls at two strengths, and two more allocators."""
    asked = candidates.family(OWL, "gaussian:0.3", [0.0, 0.04, 0.08], candidates.CONTROLS, 5)
    more = [grammar.read_allocation(f"{name}:0.7") for name in ("alphapruning", "depth_ramp")]
    return candidates.combined([*asked, *more], "wanda", (0,))


def save(store, asked, costs=synthetic.invented_cost, windows=24, tasks=(), allocated=True, **more):
    """A study of the profile in the cache, whose allocations are those of the profile where `allocated`."""
    label = more.get("text", "invented evaluation text")
    spec = synthetic.study_spec(PROFILE, asked, windows, text=label, tasks=tasks)
    if allocated:
        spec = synthetic.as_allocated(spec, profiles.load(store, store.profile(PROFILE.key)))
    return synthetic.save_study(store.root, spec, PROFILE.key, costs, **more)


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("results", **view)


def submitted(app, store, button="run"):
    """What a button queues, which the URL names then."""
    app.button(key=button).click().run()
    (job,) = queue.jobs(store)
    assert url(app)["job"] == job.key
    return job.request


def broken_off(store, request, device="cpu", **status):
    """A job that has finished one part and whose process, in play, is this one."""
    job = queue.submit(store, request, device)
    (store.root / "break").write_text("enough")
    with pytest.raises(ValueError, match="enough"):
        fake.get(request, store)
    job.write(Status(state="running", total=6, seconds_left=95, **status))
    return job
