"""Sessions of the dashboard without a browser: what one sends and receives, over the same socket."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

PATIENCE = 120.0  # seconds for one answer


@dataclass
class Session:
    """A reader who has a page open."""

    address: str  # http://127.0.0.1:8501
    page: str
    seconds: list[float] = field(default_factory=list)  # of every rerun after the first
    errors: list[str] = field(default_factory=list)  # what the page showed as an exception
    fragments: dict[str, float] = field(default_factory=dict)  # that draw themselves anew -> every so many seconds

    def __post_init__(self) -> None:
        place = self.address.replace("http", "ws") + "/_stcore/stream"
        self.socket = connect(place, origin=self.address, subprotocols=["streamlit"], max_size=None)
        self.run()

    def run(self, query: str = "", fragment: str = "") -> float:
        """Run the page, or a fragment of it, until all of it is sent; seconds."""
        asked = BackMsg()
        asked.rerun_script.page_name = self.page
        asked.rerun_script.query_string = query
        asked.rerun_script.fragment_id = fragment
        asked.rerun_script.is_auto_rerun = bool(fragment)
        began = time.monotonic()
        self.socket.send(asked.SerializeToString())
        self._follow()
        return time.monotonic() - began

    def rerun(self, query: str = "") -> None:
        """The same, timed."""
        self.seconds.append(self.run(query))

    def _follow(self) -> None:
        while True:
            said = ForwardMsg.FromString(self.socket.recv(timeout=PATIENCE))
            kind = said.WhichOneof("type")
            if kind == "auto_rerun":
                self.fragments[said.auto_rerun.fragment_id] = said.auto_rerun.interval
            elif kind == "delta" and said.delta.new_element.WhichOneof("type") == "exception":
                self.errors.append(said.delta.new_element.exception.message)
            elif kind == "script_finished":
                return

    def close(self) -> None:
        self.socket.close()
