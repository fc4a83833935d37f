"""The prune page itself: it opens without a model or a heavy library, and a study is watched until it ends."""

from __future__ import annotations

import pytest

from core.ask.studies import StudyRequest
from core.jobs import processes, queue
from core.jobs.records import Status
from core.store.cache import Store
from tests import fake_experiment as fake
from tests import synthetic
from tests.pages.opening import badges, figures, named
from tests.pages.prune_page import LAYERS, PROFILE, family, opened

# --- watching ------------------------------------------------------------------------------------------------------


def part_way(store: Store) -> queue.Job:
    """A study of which the first points are finished."""
    request = StudyRequest(profile=PROFILE.key, settings=family()[:4])
    job = queue.submit(store, request)
    (store.root / "break").write_text("enough")
    with pytest.raises(ValueError, match="enough"):
        fake.get(request, store)
    spec = store.resolved(request)
    for point in spec.points[:3]:
        store.save(spec.evaluated(point), synthetic.evaluated(point, 24, LAYERS), {"broken": None})
    job.write(Status(state="running", line="OWL", done=3, total=6, seconds_left=95, parts=3))
    return job


def test_a_running_study_fills_its_chart(store: Store) -> None:
    job = part_way(store)
    with processes.take(job.lock):
        app = opened(job=job.key)
    assert not app.exception
    assert "50 %, about 95 s left" in app.get("progress")[0].proto.text
    live = next(each for each in figures(app) if any(trace.get("name") == "Uniform" for trace in each["data"]))
    assert named(live, "OWL")
    [amount] = [each for each in app.caption if each.value.endswith("3 of 6 points finished.")]
    assert "16 × 512 tokens" in amount.help and not badges(app), "one protocol line a page"
    [link] = app.sidebar.get("page_link")
    assert job.key in link.proto.query_string and "4 settings of " in link.proto.label
