"""The warm model: who is answered when, by one process, whatever befalls it."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from core.base import PROJECT, UserError
from core.lab import Scheduler, WarmModel, scheduler
from core.requests import Task, lab
from tests import tiny

# answers with what was asked and its own pid; sentences that begin with a known word do something else first
FAKE = """
import os, pathlib, time
from core.lab.warm_process import serve
from core.base import PROJECT, UserError
class Desk:
    calls = 0
    def prefetch(self):
        return False
    def answer(self, task):
        self.calls += 1
        text = getattr(task.request, "sentence", "") or task.request.prompt
        what, _, rest = text.partition(" ")
        while what == "hold" and not pathlib.Path(rest).exists():
            time.sleep(0.02)
        if what == "crash":
            os._exit(3)
        if what == "refuse":
            raise UserError(rest)
        if what == "slip":
            return 1 / 0
        print("no answer", flush=True)
        return task.kind, rest, task.layer, os.getpid(), self.calls
serve(Desk)
"""
REFUSING = """
def no(): raise UserError('there is none')
serve(no)
"""
SOON = 120  # seconds: a busy machine is no finding


def command(code=FAKE):
    return [sys.executable, "-c", code]


@pytest.fixture
def made():
    """Makes warm models whose processes are gone at the end."""
    all_of_them = []

    def make(code=FAKE, idle=600):
        all_of_them.append(WarmModel(command(code), idle))
        return all_of_them[-1]

    yield make
    for each in all_of_them:
        ended(each)


def ended(one):
    """Its process has left."""
    one.idle = 0
    if one.state() != "cold":
        until(lambda: one.state() != "loading")
        with suppress(UserError):
            one.ask(row("x end"), "nobody").result(SOON)
    until(lambda: one.state() == "cold")


def until(happened):
    """Wait for something to become true."""
    ends = time.monotonic() + SOON
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.02)


def row(words, layer=0):
    return Task("row", lab.question(words, "skip"), layer)


def scene(words):
    return Task("scene", lab.question(words, "skip"))


def talk(words, start=0, turns=()):
    return Task("talk", lab.Talk(prompt=words, start=start, turns=turns))


def served(scheduler):
    """Answer all that waits, each with its words; these in the order of answering."""
    order = []
    while ticket := scheduler.next(0):
        asked = ticket.task.request
        words = asked.sentence if hasattr(asked, "sentence") else asked.prompt
        scheduler.answer(words)
        order.append(words)
    return order


@pytest.mark.parametrize(
    ("tasks", "ahead", "order"),
    [
        ([(talk, "1", "a"), (scene, "2", "a"), (row, "3", "a")], 0, "321"),
        ([(row, "a1", "a", "1"), (row, "a2", "a", "2"), (row, "b", "b")], 2, "a1ba2"),
        ([(talk, f"{each:03}", f"{each}") for each in range(200)], 0, "".join(f"{199 - n:03}" for n in range(200))),
    ],
    ids=["quick kinds first", "readers take turns", "the newest reader's first words come first"],
)
def test_who_is_answered_when(tasks, ahead, order):
    one = Scheduler()
    futures = [one.ask(kind(f"x {words}"), *asker) for kind, words, *asker in tasks]
    assert one.count_ahead(futures[-1]) == ahead
    assert "".join(each[2:] for each in served(one)) == order and one.count_ahead(futures[0]) == 0


def test_a_change_of_damage_brings_the_turn_forward_once():
    one, turns = Scheduler(), []
    for at, order in enumerate(("cba", "acb", "a", "cba")):  # the second change of a's waits for its turn
        for reader in sorted(order):
            changes = reader == "a" and at in (1, 3)
            one.ask(talk(f"x {reader}{at}", at, ((at, 1, "skip"),) if changes else ((0, 1, "skip"),)), reader)
        turns.append("".join(each[2] for each in served(one)))
    assert turns == ["cba", "acb", "a", "cba"]


@pytest.mark.parametrize("kinds", [(scene,), (row, scene), (row, scene, talk)])
def test_many_tabs_of_a_reader_delay_another_no_more_than_one(kinds):
    """Of what waits, the other reader's comes as early as beside a single tab, whoever asked first or had a turn."""

    def before(tabs):
        one = Scheduler()
        for tab in map(str, range(tabs)):
            for kind in kinds:
                one.ask(kind(f"x {kind.__name__} {tab}"), "many", tab)
        one.next(0)
        own = {f"x {kind.__name__} alone" for kind in kinds}
        for kind in kinds:
            one.ask(kind(f"x {kind.__name__} alone"), "one")
        one.answer("x first")
        order = served(one)
        assert len(order) == len(kinds) * (tabs + 1) - 1 and own <= {*order}
        return max(map(order.index, own))

    assert before(20) == before(1) <= 2 * len(kinds)


@pytest.mark.parametrize("also", [(), (talk,)])
def test_quick_questions_one_after_another_keep_nobody_s_slow_one_waiting(also):
    one = Scheduler()
    slow = [one.ask(kind("x slow"), "patient") for kind in (scene, *also)]
    for kind in also:
        one.ask(kind("x own"), "quick")
    turns = 0
    while not all(each.done() for each in slow):
        one.ask(row(f"x {turns}"), "quick")
        one.next(0)
        one.answer("x")
        turns += 1
        assert turns <= 8


def test_a_newer_question_takes_the_place_of_the_reader_s_older_one():
    one = Scheduler()
    one.ask(row("x 0"), "a")
    assert one.next(0) is one.running
    first, other, shared = one.ask(row("x 1"), "a"), one.ask(scene("x 1"), "a"), one.ask(row("x 0"), "b")
    assert one.ask(row("x 1"), "a") is first, "the same again changes nothing"
    one.ask(row("x 2"), "a")
    assert first.cancelled() and not other.cancelled() and one.count_ahead(shared) == 1
    one.answer("x 0")
    assert served(one) == ["x 2", "x 1"] and shared.result() == "x 0", "who asks the same is answered by the same"


def test_a_question_that_was_taken_back_before_it_was_seen_ends_nothing():
    one = Scheduler()
    one.ask(row("known"), "me")
    one.next(0)
    one.answer("its answer")
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(one.next, SOON)
        until(lambda: one.running is None)
        time.sleep(0.1)  # it waits for a question
        with one.changed:  # so that it sees both at once
            lost = one.ask(row("new"), "me")
            assert lost is not one.ask(row("known"), "me") and lost.cancelled() and not one.waiting
        time.sleep(0.1)
        one.ask(row("newer"), "me")
        assert turn.result(SOON).task == row("newer")


def test_answers_are_kept(monkeypatch):
    monkeypatch.setattr(scheduler, "MAX_ANSWERS", 2)
    one = Scheduler()
    for words in ("x 1", "x 2", "x 1", "x 3"):
        one.ask(row(words), "a")
        served(one)
    assert one.ask(row("x 1"), "b").done() and not one.ask(row("x 2"), "b").done(), "the least recent is forgotten"


def test_a_refusal_and_a_bug_are_told_apart(made):
    one = made()
    with pytest.raises(UserError, match=r"^say it otherwise$"):
        one.ask(row("refuse say it otherwise"), "a").result(SOON)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        one.ask(row("slip"), "a").result(SOON)
    assert one.ask(row("x 1"), "a").result(SOON)[1] == "1"


STEPPING = FAKE.replace("return False", "time.sleep(0.05); self.calls += 1; return self.calls < 5")


def test_steps_go_ahead_while_nobody_asks(made):
    """A question comes between two of them; when all are done the process waits."""
    one = made(STEPPING)
    assert one.ask(row("x 1"), "a").result(SOON)[4] < 5
    until(lambda: one.ask(row(f"x {time.monotonic()}"), "a").result(SOON)[4] > 5)


def test_a_crash_costs_one_answer_and_the_others_come(made, tmp_path, sentence):
    one = made()
    before = one.ask(row("x 1"), "a").result(SOON)[3]
    one.ask(row(f"hold {tmp_path / 'go'}"), "holder")
    until(lambda: one.running is not None)
    lost, others = one.ask(row("crash"), "a"), [one.ask(row(f"x {reader}"), reader) for reader in "bc"]
    (tmp_path / "go").touch()
    sentence(lost.exception(SOON), "ask again")
    found = [each.result(SOON) for each in others]
    assert [each[1] for each in found] == ["b", "c"]
    assert one.ask(row("x last"), "a").result(SOON)[3] != before


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(1)", "could not be started"),
        ("print('hello')", "could not be started"),
        (FAKE.replace("serve(Desk)", REFUSING), "there is none"),
    ],
)
def test_a_model_that_cannot_be_had_is_an_error_for_all(made, code, said):
    one = made(code)
    for _ in range(2):
        for future in [one.ask(row("x 1"), "a"), one.ask(scene("x 1"), "b")]:
            assert said in str(future.exception(SOON)) and isinstance(future.exception(), UserError)
        assert one.state() == "cold"


def test_it_leaves_when_nobody_asks_and_comes_back(made):
    one = made(idle=0.2)
    pid = one.ask(row("x 1"), "a").result(SOON)[3]
    until(lambda: one.state() == "cold" and not psutil.pid_exists(pid))
    assert one.ask(row("x 2"), "a").result(SOON)[3] != pid
    assert one.ask(row("x 1"), "a").done(), "answers outlive the process"


def test_it_ends_with_the_process_that_started_it():
    code = f"""
import sys
from core.lab.scheduler import WarmModel
from core.requests.lab import Task
from core.requests import lab
print(WarmModel({command()!r}).ask(Task("row", lab.question("x 1", "skip"), 0), "a").result({SOON})[3])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    until(lambda: gone(int(done.stdout)))


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_real_process_answers_several_readers(empty_cache):
    """A tiny model: rows, scenes and talks are those of this process, refusals arrive as such."""
    from core.lab import Continuations, LabModel

    folder = str(tiny.folder("llama"))
    one = WarmModel([sys.executable, "-m", "core.lab.warm_process", folder])
    asked = [lab.question(words, "gaussian:0.3").replace(model=folder) for words in tiny.SENTENCES[:4]]
    here = LabModel(tiny.loaded("llama"))
    found = [[one.ask(Task(*kind), kind[1].sentence) for kind in (("row", each, 2), ("scene", each))] for each in asked]
    for each, (row, scene) in zip(asked, found, strict=True):
        expected = here.scene(each)
        assert scene.result(SOON).replace(seconds=0) == expected.replace(seconds=0)
        assert row.result(SOON).drift == expected.row(2).drift
    said = lab.Talk(model=folder, prompt="The heron", turns=((0, 1, "skip"), (3, 1, "")), tokens=8)
    steps = []
    while len(steps) < 8:
        steps += one.ask(Task("talk", said.replace(start=len(steps))), "a").result(SOON).steps
    assert tuple(steps) == Continuations(here.loaded, here.masks).advance(said, seconds=SOON).steps
    for wrong in (Task("row", asked[0], tiny.LAYERS), Task("talk", said.replace(turns=((0, 9, "skip"),)))):
        assert isinstance(one.ask(wrong, "a").exception(SOON), UserError)
    one.idle = 0
    one.ask(Task("scene", asked[0].replace(sentence="The end")), "a").result(SOON)
    until(lambda: one.state() == "cold")
