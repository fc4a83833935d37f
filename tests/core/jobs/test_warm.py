"""The warm model: who is answered when, by one process, whatever befalls it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core.ask import lab
from core.base.errors import UserError
from core.jobs import scheduler, warm
from core.jobs.scheduler import Task
from core.jobs.warm import Warm
from tests import tiny

# answers with what was asked and its own pid; sentences that begin with a known word do something else first
FAKE = """
import os, pathlib, time
from core.jobs.warm_process import serve
from core.base.errors import UserError
calls = 0
def answer(task):
    global calls
    if task.kind == "ahead":
        return False
    calls += 1
    what, _, rest = (task.asked.prompt if task.kind == "text" else task.asked.sentence).partition(" ")
    while what == "hold" and not pathlib.Path(rest).exists():
        time.sleep(0.02)
    if what == "crash":
        os._exit(3)
    if what == "refuse":
        raise UserError(rest)
    if what == "slip":
        return 1 / 0
    print("no answer", flush=True)
    return task.kind, rest, task.layer, os.getpid(), calls
serve(lambda: answer)
"""
REFUSING = """
def no(): raise UserError('there is none')
serve(no)
"""
SOON = 120  # seconds: a busy machine is no finding


def command(code: str = FAKE) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def made() -> Iterator[Callable[..., Warm]]:
    """Makes warm models whose processes are gone at the end."""
    all_of_them: list[Warm] = []

    def make(code: str = FAKE, idle: float = 600) -> Warm:
        all_of_them.append(Warm(command(code), idle))
        return all_of_them[-1]

    yield make
    for each in all_of_them:
        ended(each)


def ended(one: Warm) -> None:
    """Its process has left."""
    one.idle = 0
    if one.serving:
        until(lambda: one.state() != "loading")
        with suppress(UserError):
            one.ask(row("x end"), "nobody").result(SOON)
    until(lambda: not one.serving)


def until(happened: Callable[[], object]) -> None:
    ends = time.monotonic() + SOON
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.02)


def row(words: str, layer: int = 0) -> Task:
    return Task("row", lab.question(words, "skip"), layer)


def scene(words: str) -> Task:
    return Task("scene", lab.question(words, "skip"))


def text(words: str) -> Task:
    return Task("text", lab.prompt(words, "uniform", 0.5))


class Held:
    """A question that is being answered until it is let go."""

    def __init__(self, of: Warm, path: Path, reader: str = "holder"):
        self.path = path
        self.future = of.ask(row(f"hold {path}"), reader)
        until(lambda: of.scheduler.running is not None)

    def let_go(self) -> None:
        self.path.touch()


def order_of(futures: dict[str, Future]) -> list[str]:
    """The names of the futures in the order in which they are answered, filled as they are."""
    order: list[str] = []
    for name, future in futures.items():
        future.add_done_callback(lambda _, name=name: order.append(name))
    return order


def test_it_is_cold_then_loads_and_is_ready(made: Callable[..., Warm]) -> None:
    one = made()
    assert one.state() == "cold"
    one.wake()
    assert one.state() in ("loading", "ready")
    until(lambda: one.state() == "ready")
    kind, said, layer, pid, _ = one.ask(row("say hello", 3), "a").result(SOON)
    assert (kind, said, layer) == ("row", "hello", 3) and psutil.pid_exists(pid)


def test_rows_come_before_scenes_and_scenes_before_texts(made: Callable[..., Warm], tmp_path: Path) -> None:
    one = made()
    held = Held(one, tmp_path / "go")
    asked = {name: one.ask(task, "a") for name, task in (("text", text("x 1")), ("scene", scene("x 2")))}
    asked["row"] = one.ask(row("x 3"), "a")
    assert [one.ahead(asked[name]) for name in ("row", "scene", "text")] == [1, 2, 3]
    assert one.ahead(held.future) == 0
    order = order_of(asked)
    held.let_go()
    asked["text"].result(SOON)
    assert order == ["row", "scene", "text"] and one.ahead(asked["text"]) == 0


def test_readers_take_turns(made: Callable[..., Warm], tmp_path: Path) -> None:
    """Who was just answered waits for those who were not, whoever asked first."""
    one = made()
    held = Held(one, tmp_path / "go", reader="a")
    asked = {reader: one.ask(row(f"x {reader}"), reader) for reader in "abc"}
    order = order_of(asked)
    held.let_go()
    asked["a"].result(SOON)
    assert order == ["b", "c", "a"]


def test_a_newer_question_takes_the_place_of_the_reader_s_older_one(made: Callable[..., Warm], tmp_path: Path) -> None:
    one = made()
    held = Held(one, tmp_path / "go")
    first, other = one.ask(row("x 1"), "a"), one.ask(scene("x 1"), "a")
    shared = one.ask(row("x 2"), "b")
    assert one.ask(row("x 2"), "a") is shared, "who asks the same waits together"
    assert first.cancelled() and not other.cancelled()
    last = one.ask(row("x 3"), "a")
    held.let_go()
    assert [each.result(SOON)[1] for each in (shared, other, last)] == ["2", "1", "3"]
    assert held.future.result(SOON)[1] == str(tmp_path / "go"), "what is being answered goes on"


def test_what_was_answered_is_remembered(made: Callable[..., Warm], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "KEPT", 2)
    one = made()
    first = one.ask(row("x 1"), "a").result(SOON)
    again = one.ask(row("x 1"), "b")
    assert again.done() and again.result() == first
    for word in ("2", "3"):
        one.ask(row(f"x {word}"), "a").result(SOON)
    assert one.ask(row("x 1"), "a").result(SOON)[4] == 4, "the least recently asked was forgotten"


def test_a_refusal_and_a_bug_are_told_apart(made: Callable[..., Warm]) -> None:
    one = made()
    with pytest.raises(UserError, match=r"^say it otherwise$"):
        one.ask(row("refuse say it otherwise"), "a").result(SOON)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        one.ask(row("slip"), "a").result(SOON)
    assert one.ask(row("x 1"), "a").result(SOON)[1] == "1"


STEPPING = FAKE.replace("return False", "time.sleep(0.05); calls += 1; return calls < 5")


def test_steps_go_ahead_while_nobody_asks(made: Callable[..., Warm]) -> None:
    """A question comes between two of them; when all are done the process waits, and leaves when nobody asks."""
    one = made(STEPPING, idle=2)
    assert one.ask(row("x 1"), "a").result(SOON)[4] < 5
    until(lambda: not one.serving)
    one.idle = 600
    pid = one.ask(row("x 2"), "a").result(SOON)[3]
    assert psutil.pid_exists(pid)


def test_a_crash_in_a_step_ahead_starts_nothing_until_somebody_asks(made: Callable[..., Warm]) -> None:
    one = made(FAKE.replace("return False", "os._exit(3)"))
    one.wake()
    until(lambda: not one.serving)
    assert one.state() == "cold" and one.ask(row("x 1"), "a").result(SOON)[1] == "1"


def test_a_crash_costs_one_answer_and_the_others_come(made: Callable[..., Warm], tmp_path: Path, sentence) -> None:
    one = made()
    before = one.ask(row("x 1"), "a").result(SOON)[3]
    held = Held(one, tmp_path / "go")
    lost, others = one.ask(row("crash"), "a"), [one.ask(row(f"x {reader}"), reader) for reader in "bc"]
    held.let_go()
    sentence(lost.exception(SOON), "ask again")
    found = [each.result(SOON) for each in others]
    assert [each[1] for each in found] == ["b", "c"]
    assert one.ask(row("x last"), "a").result(SOON)[3] != before


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(1)", "could not be started"),
        ("print('hello')", "could not be started"),
        (FAKE.replace("serve(lambda: answer)", REFUSING), "there is none"),
    ],
)
def test_a_model_that_cannot_be_had_is_an_error_for_all(made: Callable[..., Warm], code: str, said: str) -> None:
    one = made(code)
    for _ in range(2):
        for future in [one.ask(row("x 1"), "a"), one.ask(scene("x 1"), "b")]:
            assert said in str(future.exception(SOON)) and isinstance(future.exception(), UserError)
        assert one.state() == "cold"


def test_it_leaves_when_nobody_asks_and_comes_back(made: Callable[..., Warm]) -> None:
    one = made(idle=0.2)
    pid = one.ask(row("x 1"), "a").result(SOON)[3]
    until(lambda: one.state() == "cold" and not psutil.pid_exists(pid))
    assert one.ask(row("x 2"), "a").result(SOON)[3] != pid
    assert one.ask(row("x 1"), "a").done(), "answers outlive the process"


def test_it_ends_with_the_process_that_started_it() -> None:
    code = f"""
import sys
from core.jobs.scheduler import Task
from core.jobs.warm import Warm
from core.ask import lab
print(Warm({command()!r}).ask(Task("row", lab.question("x 1", "skip"), 0), "a").result({SOON})[3])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=warm.PROJECT)
    until(lambda: gone(int(done.stdout)))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def at_once(one: Warm, readers: int, tasks: Callable[[int], list[Task]]) -> dict[int, list]:
    """What so many readers are answered who all ask at the same moment."""
    found: dict[int, list] = {}
    start = threading.Barrier(readers)

    def read(reader: int) -> None:
        start.wait()
        futures = [one.ask(task, str(reader)) for task in tasks(reader)]
        found[reader] = [each.result(2 * SOON) for each in futures]

    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(readers)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return found


def test_twenty_readers_at_once_get_their_answers_from_one_process(made: Callable[..., Warm]) -> None:
    found = at_once(made(), 20, lambda reader: [row(f"x {reader}", reader), scene(f"x {reader}"), text("x same")])
    for reader, (of_row, of_scene, of_text) in found.items():
        assert of_row[:3] == ["row", str(reader), reader]
        assert of_scene[:2] == ["scene", str(reader)] and of_text[:2] == ["text", "same"]
    assert len({answer[3] for answers in found.values() for answer in answers}) == 1
    assert len({tuple(answers[2]) for answers in found.values()}) == 1, "one answer for all who asked the same"


def test_the_real_process_answers_twenty_readers(empty_cache: Path) -> None:
    """A tiny model: rows and scenes are those of this process, refusals arrive as such."""
    from core.measure.scenes import Lab

    folder = str(tiny.folder("llama"))
    one = Warm([sys.executable, "-m", "core.jobs.warm_process", folder])
    asked = [lab.question(words, "gaussian:0.3", model=folder) for words in tiny.SENTENCES[:4]]
    here = Lab(tiny.loaded("llama"))
    found = at_once(
        one, 20, lambda reader: [Task("row", asked[reader % 4], reader % tiny.LAYERS), Task("scene", asked[reader % 4])]
    )
    for reader, (of_row, of_scene) in found.items():
        expected = here.scene(asked[reader % 4])
        assert of_scene.model_copy(update={"seconds": 0}) == expected.model_copy(update={"seconds": 0})
        assert of_row.drift == expected.row(reader % tiny.LAYERS).drift
    written = one.ask(Task("text", lab.prompt("The heron", "uniform", 0.5, 4, folder)), "a").result(SOON)
    assert written.dense and written.sparsity == pytest.approx(0.5, abs=0.02)
    for wrong in (Task("row", asked[0], tiny.LAYERS), Task("scene", lab.question("word " * 80, "skip", model=folder))):
        assert isinstance(one.ask(wrong, "a").exception(SOON), UserError)
    one.idle = 0
    one.ask(Task("row", asked[0], 1), "a").result(SOON)
    one.ask(Task("row", lab.question("The end", "skip", model=folder), 1), "a").result(SOON)
    until(lambda: not one.serving)


@pytest.mark.slow
@pytest.mark.bundled
def test_the_bundled_model_answers_twenty_readers() -> None:
    one = Warm()
    asked = [lab.question(words, "gaussian:0.3") for words in tiny.SENTENCES[:4]]
    try:
        found = at_once(
            one, 20, lambda reader: [Task("row", asked[reader % 4], reader), Task("scene", asked[reader % 4])]
        )
    finally:
        ended(one)
    for reader, (of_row, of_scene) in found.items():
        assert of_row.layer == reader and of_row.gain == pytest.approx(of_scene.gain[reader], rel=1e-3)


def test_no_layer_below_the_first_is_asked() -> None:
    with pytest.raises(UserError, match="layer -1"):
        warm.row(lab.question("x", "skip"), -1)
