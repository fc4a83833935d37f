"""A page of another address gets nothing out of the dashboard: no channel, no call to the outside."""

import base64
import http.client
import uuid
from contextlib import contextmanager
from typing import ClassVar
from urllib.parse import urlparse

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from core.base import PROJECT
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


@contextmanager
def connected(address, cookie, known="", **headers):
    """What a browser with a cookie is sent for a page, and its session, where it asks for a known one."""
    names = ["streamlit", "x", known] if known else ["streamlit"]
    headers["Cookie"] = f"_streamlit_xsrf={cookie}"
    place, how = f"ws{address[4:]}/_stcore/stream", {"origin": address, "max_size": None}
    with connect(place, subprotocols=names, additional_headers=headers, **how) as socket:
        yield lambda: _drawn(socket)


def _drawn(socket):
    """The session that a page is drawn in."""
    asked, session = BackMsg(), None
    asked.rerun_script.query_string = ""
    socket.send(asked.SerializeToString())
    while (said := ForwardMsg.FromString(content := socket.recv(timeout=60))).WhichOneof("type") != "script_finished":
        assert str(PROJECT).encode() not in content, "nothing tells where the server keeps its pages"
        if said.WhichOneof("type") == "new_session":
            session = said.new_session.initialize.session_id
    return session


def test_nobody_is_given_another_browser_s_session(demo):
    """Not with its name either: that goes with the browser's cookie, which Streamlit masks anew for every page."""
    own, again = "2|01000000|cbcd|7", "2|02000000|c8cd|7"
    with connected(demo, own) as page:
        session = page()
        assert uuid.UUID(session).version == 4
        for cookie, known, headers in (
            ("2|01000000|abcd|7", session, {}),
            ("", session, {"X-Browser": "cacd"}),
            *((own, guess, {}) for guess in (str(uuid.UUID(int=0)), session[:-1], "..", "%")),
        ):
            with connected(demo, cookie, known, **headers) as other:
                assert other() != session
        assert page() == session, "who has it goes on"
    with connected(demo, again, session) as page:
        assert page() == session


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
