"""A page of another address gets nothing out of the dashboard: no frame, no channel, no call to the outside."""

import base64
import http.client
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import READY, serving
from tests.loopback import Loopback, Quiet


class Foreign(Loopback):
    """A server at another port of this machine: a foreign page to a browser, and a proxy to a program."""

    def __init__(self):
        super().__init__(Recording)
        self.asked, self.page = [], ""


class Recording(Quiet):
    """Answers every request, to whatever address, with one page, and remembers the addresses."""

    server: Foreign

    def do_GET(self):
        self.server.asked.append(self.path)
        self.send(self.server.page.encode(), {"Content-Type": "text/html"})

    do_CONNECT = do_POST = do_GET


@pytest.fixture
def foreign():
    with Foreign() as server:
        yield server


def channel(address, **headers):
    """Status of the answer to a browser's request for Streamlit's channel."""
    connection = http.client.HTTPConnection(urlparse(address).netloc, timeout=10)
    key = base64.b64encode(bytes(16)).decode()
    opening = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    connection.request("GET", "/_stcore/stream", headers=opening | headers)
    return connection.getresponse().status


def test_a_foreign_page_opens_no_channel_and_makes_the_server_call_nobody(tmp_path, foreign):
    proxied = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), foreign.address)
    with serving(tmp_path, **proxied, NO_PROXY="", no_proxy="") as address:
        assert channel(address, Origin=address) == 101
        for origin in (foreign.address, "https://elsewhere.example", "null", address.replace("http:", "ftp:")):
            assert channel(address, Origin=origin) == 403, origin
        assert channel(address, Host="elsewhere.example", Origin="http://elsewhere.example") == 403
    assert foreign.asked == []


def test_a_foreign_page_cannot_show_the_dashboard_in_a_frame(demo, foreign, chromium):
    foreign.page = f'<iframe src="{demo}/measure" width="900" height="700"></iframe><p>all of it</p>'
    page = chromium.new_page()
    with page.expect_event("requestfailed", lambda request: request.url.startswith(demo)):
        page.goto(foreign.address)
    expect(page.get_by_text("all of it")).to_be_visible()
    assert page.frame_locator("iframe").locator(READY).count() == 0
    page.close()
