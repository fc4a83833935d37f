"""Streamlit's own files come straight from disk, and nothing else does."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
from starlette.datastructures import Headers

from core.store import write_file
from pages.ui import server
from pages.ui.server import MEDIA_TYPES, STATIC, assets, guard, moved, welcome
from pages.ui.talk_stream import Talks
from tests.core.store.test_deleting import GONE, by


def ask(app, path="/", kind="http", method="GET", query="", **headers):
    """What is sent for a request, and whether it was passed on to Streamlit, which answers with a header of its own."""
    sent, passed = [], []

    async def streamlit(scope, receive, send):
        passed.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"ALLOWALL")]})

    async def send(message):
        sent.append(message)

    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": method, "path": path, "query_string": query.encode(), "headers": given}
    asyncio.run(app(streamlit)(scope, None, send))
    return sent, bool(passed)


def hashed(suffix):
    """Address of one of Streamlit's files."""
    return f"/{next(STATIC.rglob(f'*.????????{suffix}')).relative_to(STATIC).as_posix()}"


@pytest.mark.parametrize("suffix", [".js", ".css", ".woff2"])
def test_a_hashed_file_is_sent_whole_and_kept_for_good(suffix):
    path = hashed(suffix)
    [start, body], passed = ask(assets, path)
    assert not passed and start["status"] == 200
    assert body["body"] == (STATIC / path[1:]).read_bytes()
    headers = dict(start["headers"])
    assert headers[b"content-type"].decode().startswith(MEDIA_TYPES[suffix])
    assert b"immutable" in headers[b"cache-control"]


@pytest.mark.parametrize("base", ["", "/behind/a/proxy"])
def test_browsers_load_the_modules_of_live_pictures_as_they_are(base):
    for file in (Path(server.__file__).parent / "live").glob("*.js"):
        [start, body], passed = ask(assets, f"{base}/live/{server.VERSION}/{file.name}")
        assert not passed and body["body"] == file.read_bytes()
        headers = dict(start["headers"])
        assert headers[b"content-type"].startswith(b"text/javascript") and b"immutable" in headers[b"cache-control"]
        for asked in re.findall(r'from "\./([^"]+)"', file.read_text("utf-8")):
            assert asked in server.MODULES


def test_streamlit_answers_for_everything_else():
    known = hashed(".js")
    for path, method in (
        ("/", "GET"),
        ("/learn", "GET"),
        ("/static/index.html", "GET"),
        ("/static/js/absent.Abcd1234.js", "GET"),
        ("/static/js/../../app.Abcd1234.js", "GET"),
        ("/static/js/..%2f..%2fapp.Abcd1234.js", "GET"),
        ("/_stcore/health", "GET"),
        (known, "HEAD"),
        (f"/live/{server.VERSION}/absent.js", "GET"),
        (f"/live/{server.VERSION}/../__init__.py", "GET"),
        ("/live/000000000000/runtime.js", "GET"),
        (known + "/", "GET"),
    ):
        assert ask(assets, path, method=method)[1], (method, path)
    talk = f"/talk/{server.VERSION}"
    for path, method in ((talk, "POST"), ("/talk/0", "GET"), (f"{talk}/x", "GET")):
        assert ask(Talks, path, method=method)[1], (method, path)


@pytest.mark.parametrize(
    ("host", "origin", "answered"),
    [
        ("127.0.0.1:8501", None, True), ("localhost:8501", "http://localhost:8501", True),
        ("127.0.0.1:8501", "http://127.0.0.1:8502", False), ("127.0.0.1:8501", "http://127.0.0.1", False),
        ("127.0.0.1:8501", "null", False), ("elsewhere.example", "http://elsewhere.example", False),
        ("elsewhere.example", None, False), (None, None, False),
    ],
)  # fmt: skip
def test_only_pages_of_its_own_address_are_answered(host, origin, answered):
    given = {"host": host, "origin": origin}
    assert welcome(Headers({name: value for name, value in given.items() if value})) is answered


@pytest.mark.parametrize("host", ["localhost:8501", "elsewhere.example"])
def test_every_answer_tells_browsers_to_keep_other_addresses_out(host):
    sent, _ = ask(guard, host=host)
    told = Headers(raw=sent[0]["headers"])
    assert sent[0]["status"] == (200 if host.startswith("localhost") else 403)
    assert told.getlist("x-frame-options") == ["DENY"] and told["x-content-type-options"] == "nosniff"
    policy = dict(each.strip().split(" ", 1) for each in told["content-security-policy"].split(";"))
    assert policy["frame-ancestors"] == policy["object-src"] == "'none'" and policy["default-src"] == "'self'"


def test_a_refused_channel_never_reaches_streamlit():
    """Streamlit would look up the machine's address in the network before it refuses one."""
    sent, passed = ask(guard, "/_stcore/stream", "websocket", host="127.0.0.1:8501", origin="http://127.0.0.1:8502")
    assert not passed and [each["type"] for each in sent] == ["websocket.close"]


@pytest.mark.parametrize("base", ["", "/behind/a/proxy"])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_nothing_is_uploaded(method, base):
    sent, passed = ask(guard, f"{base}/_stcore/upload_file/session/file", method=method, host="localhost:8501")
    assert not passed and sent[0]["status"] == 403
    assert ask(guard, f"{base}/_stcore/health", host="localhost:8501")[1]


def test_a_start_of_the_server_sweeps_the_cache(empty_cache, monkeypatch):
    left = empty_cache / "jobs" / "0" / f"{by(GONE, 'progress.json')}x"
    write_file(left, b"half")
    monkeypatch.setattr(server, "DRAWING_MODULES", ())
    monkeypatch.setattr(server, "gc", SimpleNamespace(collect=lambda: None, freeze=lambda: None))
    server._prepare()
    assert not left.exists()


@pytest.mark.parametrize("base", ["", "/behind/a/proxy"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lab?turns=0~16~gaussian:1", "play?turns=0~16~gaussian:1"),
        ("measure?job=a", "model?see=measure&job=a"),
        ("absorption?layer=3&hand=", "model?layer=3&hand="),
        ("absorption?group=Compare+checkpoints&profile=a", "model?see=compare&profile=a"),
        ("runs?show=evaluations", "model?see=results&show=evaluations"),
        ("allocate?allocation=owl+m%3D5:0.7", "compress?part=tune&allocation=owl+m%3D5:0.7"),
        ("prune", "compress?part=tune"),
        ("prune?part=results&study=a", "compress?part=results&study=a"),
        ("prune?part=best&best_for=loss", "compress?part=goal&best_for=loss"),
        ("prune?part=evaluate&seeds=0,1", "compress?part=tune&seeds=0,1"),
        ("compress?part=export", "compress?part=results"),
        ("help", "reference?"),
        ("glossary", "reference?list=words"),
        ("learn?chapter=drift", None),
        ("compress?part=tune", None),
        ("_stcore/health", None),
    ],
)
def test_an_old_address_opens_the_same_view(old, new, base):
    path, _, query = old.partition("?")
    [start, *_], passed = ask(moved, f"{base}/{path}", query=query)
    assert passed == (new is None)
    sent = dict(start["headers"]).get(b"location", b"").decode()
    page, _, view = sent.partition("?")
    assert (
        (page, parse_qs(view, True)) == (new.split("?")[0], parse_qs(new.partition("?")[2], True)) if new else not sent
    )
