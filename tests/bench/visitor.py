"""A visitor of the dashboard without a browser: what one sends, and what it is sent, over the same socket."""

import json
import time

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

PATIENCE = 120.0  # seconds for one message
EVENTS = "$$STREAMLIT_INTERNAL_KEY_{}__events"  # where a live picture tells what happened in it


def open_socket(address):
    place = address.replace("http", "ws") + "/_stcore/stream"
    return connect(place, origin=address, subprotocols=["streamlit"], max_size=None)


class Visitor:
    """A tab: it asks for pages, says that a live picture stands, moves it, and looks after fragments meanwhile."""

    bytes = 0  # received
    page = query = ""  # hash, as the server names it; of the address bar
    waiting = None  # the picture that is to be said to stand
    told = ""  # the word that the last one waited with
    picture = None  # the last live picture, and what the reader holds in it

    def __init__(self, socket):
        self.socket, self.errors = socket, []  # what pages showed as exceptions
        self.hashes = set()  # of messages that a browser keeps
        self.fragments = {}  # id -> every so many seconds, next time

    def open(self, name):
        """Open a page until all of it is drawn; seconds."""
        self.page, self.query, self.picture, self.fragments = "", "", None, {}
        return self._timed(name=name)

    def move(self, name, value):
        """Let go of the live picture at another value of a choice, until all is drawn anew; seconds."""
        identity, state = self.picture
        return self._timed(event=(identity, "moved", {**state, name: value}))

    def think(self, seconds):
        """Look at the page; what draws itself anew asks meanwhile, as the browser does."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            due = min((at for _, at in self.fragments.values()), default=until)
            for fragment, (every, at) in list(self.fragments.items()):
                if at <= now:
                    self.fragments[fragment] = every, now + every
                    self._ask(fragment=fragment)
            self._take(max(0.0, min(due, until) - now))

    def _timed(self, name="", event=None):
        began = time.monotonic()
        self._ask(name, event)
        self._follow()
        while self.waiting:
            event, self.waiting = (self.waiting, "drawn", True), None
            self._ask(event=event)
            self._follow()
        return time.monotonic() - began

    def _ask(self, name="", event=None, fragment=""):
        asked = BackMsg()
        rerun = asked.rerun_script
        rerun.page_name, rerun.page_script_hash, rerun.query_string = name, self.page, self.query
        rerun.fragment_id, rerun.is_auto_rerun = fragment, bool(fragment)
        rerun.cached_message_hashes.extend(self.hashes)
        rerun.context_info.color_scheme = "light"
        if event:
            identity, what, value = event
            told = rerun.widget_states.widgets.add(id=EVENTS.format(identity))
            told.json_trigger_value = json.dumps([{"event": what, "value": value}])
        self.socket.send(asked.SerializeToString())

    def _follow(self):
        """Take what comes until a run of the page has ended; one that another interrupts is followed by that."""
        while self._take(PATIENCE) != ForwardMsg.FINISHED_SUCCESSFULLY:
            pass

    def _take(self, seconds):
        """Take one message, if one comes in time; how a run ended, if it tells that."""
        try:
            content = self.socket.recv(timeout=seconds)
        except TimeoutError:
            assert seconds < PATIENCE, "no answer"
            return None
        self.bytes += len(content)
        said = ForwardMsg.FromString(content)
        if said.metadata.cacheable:
            self.hashes.add(said.hash)
        match said.WhichOneof("type"):
            case "navigation":
                self.page = said.navigation.page_script_hash
            case "new_session":
                if not said.metadata.run.fragment_ids:
                    self.fragments = {}
            case "page_info_changed":
                self.query = said.page_info_changed.query_string
            case "auto_rerun":
                every = said.auto_rerun.interval
                self.fragments[said.auto_rerun.fragment_id] = every, time.monotonic() + every
            case "delta":
                self._element(said)
            case "script_finished":
                return said.script_finished
        return None

    def _element(self, said):
        element = said.delta.new_element
        if element.WhichOneof("type") == "exception":
            self.errors.append(element.exception.message)
        elif element.WhichOneof("type") == "bidi_component":
            component = element.bidi_component
            data = json.loads(component.json or component.mixed.json or "{}")
            if "state" in data:
                self.picture = component.id, data["state"]
                word = data["waiting"]
                self.waiting = component.id if word and word != self.told else None
                self.told = word
