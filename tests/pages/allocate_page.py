"""What the tests of the allocate page share: the page opened, and what its charts hold."""

import json
import shlex
from pathlib import Path
from unittest import mock

from pages.ui.compress import tune
from tests.pages.opening import live, opened_at


def opened(**view):
    """The page with a view in its URL."""
    return opened_at("tune", **{"below": "methods"} | view)


def on_screen(app):
    """Sparsity per layer of the allocation in view, as the page writes it to its file."""
    with mock.patch.object(tune, "written", wraps=tune.written) as written:
        app.run()
    return written.call_args[0][0].sparsity


def predicted(app):
    """The perplexity predicted of the allocation in view, and the ends of its interval."""
    shown = live(app)
    at, hero = shown["state"]["strength"], shown["hero"]
    return tuple(hero[name][at] for name in ("values", "low", "high"))


def command_words(app, folder):
    """What follows `python -m core` in the command; beside layers set by hand, the file that the page offers."""
    [line] = [each.value for each in app.code if each.value.startswith("python -m core allocate")]
    words = shlex.split(line)
    if words[7].endswith(".json"):
        numbers = {"sparsity": on_screen(app).tolist(), "budget": app.session_state["target"]}
        words[7] = str(folder / words[7])
        Path(words[7]).write_text(json.dumps(numbers), encoding="utf-8")
    return words[3:]
