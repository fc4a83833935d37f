"""A page of another address gets nothing out of the dashboard: no channel, no call to the outside."""

import base64
import http.client
import uuid
from typing import ClassVar
from urllib.parse import urlparse

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

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


def session(address, known=""):
    """The session that a browser is given, asking for a known one."""
    asked, names = BackMsg(), ["streamlit", "x", known] if known else ["streamlit"]
    asked.rerun_script.query_string = ""
    with connect(f"ws{address[4:]}/_stcore/stream", origin=address, subprotocols=names, max_size=None) as socket:
        socket.send(asked.SerializeToString())
        while (said := ForwardMsg.FromString(socket.recv(timeout=60))).WhichOneof("type") != "new_session":
            pass
        return said.new_session.initialize.session_id


def test_nobody_is_given_another_browser_s_session_without_its_name(demo):
    """Streamlit gives a session to whoever names it; names are drawn, and no guess is one."""
    own = session(demo)
    assert uuid.UUID(own).version == 4 and session(demo, own) == own
    others = {session(demo), *(session(demo, guess) for guess in (str(uuid.UUID(int=0)), own[:-1], "..", "%"))}
    assert len(others) == 5 and own not in others


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
