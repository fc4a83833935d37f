"""A page of another address gets nothing out of the dashboard: no channel, no call to the outside."""

import base64
import http.client
from typing import ClassVar
from urllib.parse import urlparse

from tests.e2e.conftest import serving
from tests.loopback import Loopback, Quiet


class Recording(Quiet):
    """Answers every request, to whatever address, and remembers the addresses."""

    asked: ClassVar = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send(b"", {"Content-Type": "text/html"})

    do_CONNECT = do_POST = do_GET


def channel(address, **headers):
    """Status of the answer to a browser's request for Streamlit's channel."""
    connection = http.client.HTTPConnection(urlparse(address).netloc, timeout=10)
    key = base64.b64encode(bytes(16)).decode()
    opening = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    connection.request("GET", "/_stcore/stream", headers=opening | headers)
    return connection.getresponse().status


def test_a_foreign_page_opens_no_channel_and_makes_the_server_call_nobody(tmp_path):
    """The foreign page is a server at another port of this machine, and the proxy of the dashboard's own calls."""
    with Loopback(Recording) as foreign:
        proxied = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), foreign.address)
        with serving(tmp_path, **proxied, NO_PROXY="", no_proxy="") as address:
            assert channel(address, Origin=address) == 101
            for origin in (foreign.address, "https://elsewhere.example", "null", address.replace("http:", "ftp:")):
                assert channel(address, Origin=origin) == 403, origin
            assert channel(address, Host="elsewhere.example", Origin="http://elsewhere.example") == 403
    assert Recording.asked == []
