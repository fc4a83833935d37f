"""Pages opened by tests, and what stands on them."""

import base64
import json
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from pages.ui import places

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ("perturb", "drift", "amplify", "absorb", "allocate", "prune")
PAGES = tuple(places.ICONS)
# What is installed stays as it is: it is looked through for components once, where every tab would do it anew.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def shell(painted=True):
    """The app at its landing page, in a tab whose browser shows pages whole from the first run on, or not yet."""
    app = AppTest.from_file(str(ROOT / "pages" / "shell.py"), default_timeout=120)
    if painted:
        paint(app)
    return app


def paint(app):
    """Tell the app that the browser shows every page's live picture, as the picture's callback does."""
    app.session_state["painted"] = {*PAGES, ""}


def opened_at(place, painted=True, **view):
    """A page, or a part of one, with a view in its URL; what is folded until it is wanted stands open."""
    app = shell(painted)
    app.session_state["The same on the command line"] = app.session_state["All numbers"] = True
    page, view = places.opened(place, view)
    app.query_params.update(view)
    return app.switch_page(f"{page}.py").run()


def url(app):
    """What the URL says."""
    return {key: value if isinstance(value, str) else value[0] for key, value in dict(app.query_params).items()}


def put(app, key, value):
    """Set the widget of that key, and run the page again."""
    [widget] = [each for each in (*app.main, *app.sidebar) if getattr(each, "key", None) == key]
    return widget.set_value(value).run()


def words(elements):
    """What some elements of a page say."""
    return " ".join(each.value for each in elements)


def pictures(app):
    """The live pictures on the page: every live part but the one that waits for another theme."""
    return [each for each in app.get("bidi_component") if "theme" not in each.proto.component_name]


def given(component):
    """What a live picture was given."""
    data = json.loads(component.proto.json)
    return json.loads(data.pop("fixed", "{}")) | data


def picture(app, part):
    """What the live picture that has such a part was given."""
    return next(data for data in map(given, pictures(app)) if part in data)


def live(app):
    """What the page's first live picture was given."""
    return given(pictures(app)[0])


def figures(app):
    """The charts on the page, as plotly's JSON."""
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def numbers(values):
    """An array as plotly sends it."""
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])


def named(figure, name):
    """The trace with a name."""
    return next(trace for trace in figure["data"] if trace.get("name") == name)


def links(app):
    """What each link of the page says in the URL, in order."""
    return [dict(parse_qsl(each.proto.query_string, keep_blank_values=True)) for each in app.main.get("page_link")]


def badges(app):
    """The protocols on the page: the short name of each, and all that it opens."""
    found = [each for each in app.get("popover") if each.proto.popover.help == "Protocol"]
    return [" ".join([each.proto.popover.label, *(line.value for line in each.caption)]) for each in found]
