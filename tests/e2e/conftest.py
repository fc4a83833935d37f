"""A fresh server on its own port and a real browser. Without Chromium these tests skip; with CI set they fail."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect, sync_playwright

from core.jobs import queue
from core.store import Store
from tests import synthetic

ROOT = Path(__file__).resolve().parents[2]
APP = ("streamlit", "run", "app.py", "--server.headless=true", "--server.port")
QUIET = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE = 60_000  # ms: a browser beside others takes long to load the chart library
HISTORY = 25  # steps back in a tab that another test may use: a browser keeps 50
expect.set_options(timeout=PATIENCE)
READY = "[data-testid=stApp][data-test-connection-state=CONNECTED]"
CALM = """([asked, quiet]) => {
    const drawn = document.querySelector("[data-test-script-state=notRunning]")
    const live = document.querySelector("[data-testid^=stBidiComponent]:not(.st-key-theme *)")
    const bare = live && !performance.getEntriesByName("picture")[0]
    const busy = !drawn || bare || document.querySelector("[data-testid=stSkeleton]")
    if (busy || window.calm?.asked !== asked) window.calm = {asked, since: performance.now()}
    return performance.now() - window.calm.since >= quiet
}"""


@contextmanager
def serving(cache, port=None, command=APP, **environment):
    """Run the app, or a command that ends with its option of a port, until the block ends; yields its address."""
    port = port or free_port()
    with process("-m", *command, str(port), env=os.environ | {"ABSORPTION_CACHE": str(cache)} | environment) as server:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/_stcore/health", server)
        yield address


@contextmanager
def process(*command, **how):
    """Run Python until the block ends, as its user would end it: ask, and where a browser holds it, insist."""
    quiet = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = subprocess.Popen([sys.executable, *command], **quiet, **how)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(timeout=20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(timeout=20)


def free_port():
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(health, server):
    for _ in range(450):
        try:
            urllib.request.urlopen(health, timeout=1).close()
            return
        except OSError:
            assert server.poll() is None, "the server ended"
            time.sleep(0.2)
    raise AssertionError("the server did not answer within 90 seconds")


@contextmanager
def working(cache, *command):
    """A process that serves the queue of a cache on the CPU until the block ends; the real worker, or another."""
    usual = "-m", "core", "work", "--cache", str(cache), "--device", "cpu", "--idle", "300"
    with process(*command or usual):
        for _ in range(900):
            if queue.worker_alive(Store(cache), "cpu"):
                break
            time.sleep(0.1)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """The server that tests share, and the key of the invented profile that it has beside the committed results."""
    root = tmp_path_factory.mktemp("shared")
    key = synthetic.save_profile(root, synthetic.profile_spec(prunable=True), "deep model")
    with serving(root) as address:
        yield address, key


@pytest.fixture
def demo(shared):
    """The address of a server whose pages show the committed results."""
    return shared[0]


@pytest.fixture
def invented_at(shared):
    """The address of a page of the invented profile, which can be pruned and holds all that the tour can show."""
    return lambda page: f"{shared[0]}/{page}?profile={shared[1]}"


@pytest.fixture(scope="session")
def chromium():
    """The browser found on this machine."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no chromium or google-chrome on the path")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", *QUIET]
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def idle():
    """Tabs that no test uses. One that has shown a page draws the next with half the work: its scripts are compiled."""
    return []


@pytest.fixture
def tab(chromium, idle):
    """Opens an address in a tab of its own, waits until all is drawn, or `until` is; remembers requests, sockets."""
    pages = []

    def open_tab(address, width=1440, scheme="light", until=None):
        page = idle.pop() if idle else _new_tab(chromium)
        pages.append(page)
        page.asked, page.sockets = [], []
        page.set_viewport_size({"width": width, "height": 2000})
        page.emulate_media(color_scheme=scheme)
        page.goto(address, wait_until="commit" if until else "load")
        page.wait_for_selector(until or READY)
        if until is None:
            settle(page)
        return page

    yield open_tab
    for page in pages:
        page.goto("about:blank")
        if page.evaluate("history.length") < HISTORY:
            idle.append(page)
        else:
            page.context.close()


@pytest.fixture
def window(chromium):
    """Opens a window of a browser that is set up like this, as nobody used it before."""
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(closing(chromium.new_context(**how))).new_page()


def _new_tab(chromium):
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("websocket", lambda socket: page.sockets.append(socket))
    return page


def settle(page, quiet=400):
    """Wait until, for so many milliseconds on end, no script has run, no chart was fetched and no picture was due."""
    page.wait_for_function(CALM, arg=[time.monotonic(), quiet], polling=50)


def still(place):
    """Where a thing lies, once it has stopped moving."""
    place.scroll_into_view_if_needed()
    seen = None
    while seen != (seen := place.bounding_box()) or not seen:
        settle(place.page)
    return seen


def query(page):
    """What the URL says."""
    return {key: values[0] for key, values in parse_qs(urlparse(page.url).query).items()}


def wait_for_query(page, **wanted):
    """Wait until the URL says so and the page is drawn: the server has heard of what was let go."""
    page.wait_for_url(lambda url: all(parse_qs(urlparse(url).query).get(key) == [wanted[key]] for key in wanted))
    settle(page)


def hosts(page):
    """Whom the page asked for something."""
    return {urlparse(url).hostname for url in page.asked if url.startswith(("http", "ws"))}


def drag(page, slider, share, look):
    """Drag a slider to a share of its way and let it go; what is seen at every step. Only the end sends a message."""
    expect(slider).to_be_visible()
    box = still(slider)
    y, start, seen = box["y"] + box["height"] / 2, box["x"] + 8, []
    page.mouse.move(start, y)
    with silence(page):
        page.mouse.down()
        for step in range(1, 25):
            page.mouse.move(start + share * step / 24 * (box["width"] - 16), y)
            seen.append(look())
    return seen


@contextmanager
def silence(page):
    """While the block holds the mouse down nothing may be sent to the server; that it is let go must be."""
    sent = []
    page.sockets[-1].on("framesent", lambda frame: sent.append(frame))
    settle(page, quiet=1000)
    before = len(sent)
    yield
    assert len(sent) == before, "the server was called during the drag"
    with page.sockets[-1].expect_event("framesent", timeout=PATIENCE):
        page.mouse.up()
