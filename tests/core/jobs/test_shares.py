"""Shares: each piece falls to one of them, and together, in whatever order, they make the bits of an undivided run."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save

from core.jobs import execute, queue, worker
from core.models import Cancelled
from core.requests import Share, ShareRequest, Unfinished, cut, read_share
from core.store import SUFFIX, UNITS, Store, missing
from tests import tiny
from tests.builders.requests import measurement as profile
from tests.builders.requests import recipe, study

ASKED = {
    "profile": lambda text: profile(text, sketch=True),
    "study": lambda text: study(text, recipe("depth_ramp beta=0.05"), recipe(pruner="magnitude")),
}


@pytest.fixture(params=ASKED)
def whole(request, text):
    return ASKED[request.param](text)


def numbers(store):
    """Arrays of each entry of a store, as a hash; not of those that a killed process had not put in their place."""
    paths = [path for folder in (*UNITS, "parts/*") for path in store.root.glob(f"{folder}/[!.]*{SUFFIX}")]
    return {f"{path.parent.name}/{path.stem}": hashlib.sha256(save(load_file(path))).hexdigest() for path in paths}


def share(whole, part, of):
    return ShareRequest(whole=whole, share=Share(part=part, of=of))


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40), st.integers(1, 12))
def test_shares_are_neighbours_and_about_as_much(works, of):
    found = cut(works, of)
    assert found == sorted(found) and set(found) <= set(range(1, of + 1))
    loads = Counter()
    for part, work in zip(found, works, strict=True):
        loads[part] += work
    assert all(load < sum(works) / of + max(works) * 1.001 for load in loads.values())


def test_shares_in_any_order_make_the_bits_of_an_undivided_run(whole, empty, tmp_path):
    local = Store(tmp_path / "local")
    undivided = execute.get(whole, local)
    for part in (3, 1):
        entry = execute.get(share(whole, part, 3), empty)
        assert entry.spec == Unfinished(whole=undivided.spec) and empty.find(whole) is None
        assert missing(empty, undivided.spec)
    assert execute.get(share(whole, 2, 3), empty).key == undivided.key == empty.find(whole).key
    assert numbers(empty) == numbers(local)
    assert not list(empty.entries("unfinished")) and not list((empty.root / "parts").glob("*/[!.]*"))


def test_a_share_that_was_stopped_goes_on_and_does_nothing_twice(whole, empty):
    lines = []

    def report(after):
        def told(progress):
            if progress.parts >= after:
                raise Cancelled
            lines.append(progress.line)

        return told

    with pytest.raises(Cancelled):
        execute.get(share(whole, 2, 2), empty, report=report(1))
    kept = numbers(empty)
    assert kept
    for part in (1, 2, 1, 2):
        execute.get(share(whole, part, 2), empty, report=report(99))
    saved = [line for line in lines if "saved" in line]
    assert len(saved) == len(set(saved))
    assert empty.find(whole)


def test_a_share_does_not_wait_for_the_device(empty, text):
    whole = profile(text, "skip")
    with queue.processes.take(queue.lock_of(empty, "device", "cpu")):
        job = queue.submit(empty, share(whole, 1, 1))
        entry = worker.run(empty, job, {})
    assert worker.run(empty, queue.job(empty, job.key), {}).key == entry.key


@pytest.mark.parametrize("typed", ["0/8", "9/8", "a", "1/0", "2", "-1/8", "1/8/8", "", "1.5/8"])
def test_what_is_no_share_is_refused(typed, refused):
    with refused("--part", repr(typed), "1/8"):
        read_share(typed)


def test_shares_by_the_command_line(say, text):
    line = ["measure", "--model", tiny.folder("llama"), "--text", text, "--perturb", "skip", "--sequences", 2]
    line += ["--length", 12, "--device", "cpu", "--json"]
    told = say(*line, "--part", "1/2").json
    assert 0 < told["missing"] <= told["units"] == 5
    assert say("runs", "--json").json["unfinished"][0]["whole"] == told["whole"]
    assert say(*line, "--part", "2/2").json["key"] == told["whole"] == say(*line).json["key"]
    assert say("runs", "--json").json["unfinished"] == []
