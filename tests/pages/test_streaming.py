"""A talk reaches the page token by token, and nothing is asked once nobody listens."""

import asyncio
import contextlib
import json
from concurrent.futures import Future
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import pytest

from core.base import UserError
from core.requests import Talk
from core.store import Chunk, WrittenToken
from pages.ui import server, talk_stream
from pages.ui.talk_stream import Talks
from tests.bench.lab import keep

SAID = '{"prompt": "a", "tokens": 6}'
pytestmark = pytest.mark.anyio
SOON = 30  # seconds: a busy machine is no finding


class Warm:
    """A model that answers when it is told to."""

    def __init__(self):
        self.asked, self.standing, self.before = [], "ready", 0
        self.state, self.count_ahead, self.seconds_for = lambda: self.standing, lambda _: self.before, lambda n: n

    def ask(self, kind, asked, layer, reader, tab):
        self.asked.append((asked, reader, tab, Future()))
        return self.asked[-1][3]

    def answer(self, at, count, end=None):
        asked, _, _, future = self.asked[at]
        assert future.set_running_or_notify_cancel()
        future.set_result(Chunk(steps=[spoken(asked.start + each) for each in range(count)], end=end))


def spoken(at):
    return WrittenToken(at=at, dense=f" d{at}", hurt=f" h{at}", twin=f" t{at}", p=0.5)


@pytest.fixture
def warm(monkeypatch):
    monkeypatch.setattr(talk_stream, "scheduler", here := Warm())
    monkeypatch.setattr(talk_stream, "LOOK_SECONDS", 0.02)
    return here


class Listener:
    """A browser that listens to a talk."""

    def __init__(self):
        self.sent = []
        self.left = asyncio.Event()

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    async def ended(self):
        await asyncio.wait_for(self.task, SOON)

    @property
    def lines(self):
        body = b"".join(each.get("body", b"") for each in self.sent)
        return [json.loads(line) for line in body.decode().splitlines()]


@asynccontextmanager
async def listening(app, said=SAID, tab="1", client="10.0.0.1", base="", **headers):
    listener = Listener()
    scope = {
        "type": "http", "method": "GET", "path": f"{base}/talk/{server.VERSION}", "client": (client, 1),
        "query_string": urlencode({"asked": said, "tab": tab}).encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    listener.task = asyncio.create_task(app(scope, listener.receive, listener.send))
    try:
        yield listener
    finally:
        listener.left.set()
        await listener.ended()


async def until(happened):
    async with asyncio.timeout(SOON):
        while not happened():
            await asyncio.sleep(0.005)


async def streamlit(scope, receive, send):
    await send({"type": "http.response.start", "status": 404, "headers": []})


@pytest.fixture
def app():
    return Talks(streamlit)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.parametrize("base", ["", "/behind/a/proxy"])
async def test_every_token_is_a_line_and_one_chunk_after_the_other_is_asked_for(app, warm, base):
    async with listening(app, base=base) as here:
        for turn, count in enumerate((2, 0, 3)):
            await until(lambda turn=turn: len(warm.asked) > turn)
            warm.answer(turn, count)
        await until(lambda: len(warm.asked) > 3)
        warm.answer(3, 1, "")
        await here.ended()
    assert [each[0].start for each in warm.asked] == [0, 2, 2, 5]
    assert here.lines == [*(spoken(at).model_dump() for at in range(6)), {"end": ""}]
    assert dict(here.sent[0]["headers"])[b"content-type"].startswith(b"application/x-ndjson")
    assert not app.open


async def test_a_committed_talk_is_told_at_once_as_far_as_it_is_the_same(app, warm, filled_cache):
    """Of a talk that is healed from its third token on, two are told before the model is asked for the rest."""
    known = Talk(prompt="a", turns=((1, 0, "skip"),), tokens=6)
    keep("talk", "0", known, Chunk(steps=[spoken(at) for at in range(6)], end=""))
    async with listening(app, known.model_dump_json()) as here:
        await here.ended()
    assert here.lines == [*(spoken(at).model_dump() for at in range(6)), {"end": ""}] and not warm.asked
    healed = known.replace(turns=((1, 0, "skip"), (2, 0, "")))
    async with listening(app, healed.model_dump_json()) as here:
        await until(lambda: warm.asked)
        assert warm.asked[0][0].start == len(here.lines) == 2


async def test_who_leaves_is_not_written_for(app, warm):
    async with listening(app) as here:
        await until(lambda: warm.asked)
        warm.answer(0, 1)
        await until(lambda: len(warm.asked) == 2)
        here.left.set()
        await here.ended()
        assert warm.asked[1][3].cancelled() and not app.open


async def test_a_tab_listens_to_one_talk(app, warm):
    """A newer one ends the older one, whose chunk comes too late; another tab's goes on."""
    async with listening(app) as older, listening(app, tab="2") as other:
        await until(lambda: len(warm.asked) == 2)
        async with listening(app, '{"prompt": "b", "tokens": 6}') as newer:
            await until(lambda: len(warm.asked) == 3)
            for turn in range(3):
                warm.answer(turn, 1)
            await older.ended()
            await until(lambda: len(warm.asked) == 5)
    assert [(each[0].prompt, each[2]) for each in warm.asked[3:]] == [("a", "2"), ("b", "1")]
    assert [len(each.lines) for each in (older, other, newer)] == [1, 1, 1]


async def test_a_reader_is_told_what_is_waited_for(app, warm):
    warm.standing = "loading"
    async with listening(app) as here:
        await until(lambda: here.lines == [{"loading": True}])
        warm.standing, warm.before = "ready", 2
        await until(lambda: here.lines[1:] == [{"waits": 2, "seconds": 2}])


async def test_what_cannot_be_is_one_line(app, warm):
    async with listening(app, '{"prompt": " "}') as here:
        await here.ended()
    assert list(here.lines[0]) == ["error"] and "empty" in here.lines[0]["error"]
    async with listening(app) as here:
        await until(lambda: warm.asked)
        warm.asked[0][3].set_exception(UserError("there is no layer 40"))
        await here.ended()
    assert here.lines == [{"error": "there is no layer 40"}]


async def test_a_reader_has_so_many_streams(app, warm, monkeypatch):
    monkeypatch.setattr(talk_stream, "MAX_STREAMS", 1)
    async with listening(app), listening(app, tab="2") as here:
        await here.ended()
        assert "close another" in here.lines[0]["error"]


@pytest.mark.parametrize(("readers", "ended"), [("abcd", 1), ("abbcd", 2)], ids=["waited longest", "of the most"])
async def test_whoever_fills_the_server_keeps_no_newcomer_out(app, warm, monkeypatch, readers, ended):
    """One stream goes on; of the others that wait, before their first words or after them, one gives way."""
    monkeypatch.setattr(talk_stream, "MAX_WRITTEN", 1)
    monkeypatch.setattr(talk_stream, "MAX_ALL", len(readers) - 1)
    async with contextlib.AsyncExitStack() as stack:
        heard = []
        for tab, name in enumerate(readers):
            cookie = f"_streamlit_xsrf={name}"
            one = listening(app, tab=str(tab), client="127.0.0.1", cookie=cookie)
            heard.append(await stack.enter_async_context(one))
            await until(lambda tab=tab: len(warm.asked) > tab)
        here = heard[ended]
        await here.ended()
        assert "come back" in here.lines[-1]["error"] and warm.asked[ended][3].cancelled()
        assert [each.task.done() for each in heard].count(True) == 1
        warm.answer(len(readers) - 1, 1)
        await until(lambda: heard[-1].lines)


async def test_of_many_streams_few_go_on_after_their_first_words_and_the_others_are_told_how_long_they_wait(
    app, warm, monkeypatch
):
    """The first of each reader comes before any second; whom another's end lets on goes on by itself."""
    monkeypatch.setattr(talk_stream, "MAX_WRITTEN", 1)
    async with (
        listening(app) as first,
        listening(app, tab="2") as second,
        listening(app, client="10.0.0.2") as other,
    ):
        await until(lambda: len(warm.asked) == 3)
        for turn in range(3):
            warm.answer(turn, 1)
        await until(lambda: len(warm.asked) == 4 and len(second.lines) == len(other.lines) == 2)
        assert [each.lines[1] for each in (other, second)] == [{"waits": n, "seconds": 6 * n} for n in (1, 2)]
        assert warm.asked[3][1:3] == ("10.0.0.1", "1")
        first.left.set()
        await until(lambda: len(warm.asked) == 5)
        assert warm.asked[4][1:3] == ("10.0.0.1", "2")


@pytest.mark.parametrize(
    ("client", "cookie", "known"),
    [
        ("10.0.0.1", "_streamlit_xsrf=b", "10.0.0.1"),
        ("127.0.0.1", "_streamlit_xsrf=b", "b"),
        ("::1", "", ""),
        ("::1", "_streamlit_xsrf=2|01000000|cbcd|7", "cacd"),  # masked by 1, as Streamlit does for every page
    ],
)
async def test_readers_are_those_of_the_lab(app, warm, client, cookie, known):
    """As Streamlit tells them to the page: `st.context.ip_address`, which hides this computer's, or else a cookie."""
    async with listening(app, client=client, cookie=cookie):
        await until(lambda: warm.asked)
        assert warm.asked[0][1] == known


async def test_pages_of_other_addresses_start_nothing(app, warm):
    """An image of one tells no origin, but browsers say that it is another's."""
    async with listening(app, sec_fetch_site="cross-site") as here:
        await here.ended()
        assert here.sent[0]["status"] == 403 and not warm.asked
