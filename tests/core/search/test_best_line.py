"""The line of a best setting: the command line reads it back as what was asked."""

from __future__ import annotations

import shlex

import pytest

from core.cli import best as cli
from core.cli import main
from core.search import best_line
from core.search.roles import cut
from core.specs.requests import BestRequest
from core.specs.texts import WindowRequest

ONE = WindowRequest(source="allenai/c4", sequences=9, length=64)
ASKED = {
    "the demo": BestRequest(target=0.7),
    "one text": BestRequest(max_loss=0.125, calibration=ONE, selection=ONE, final=ONE),
    "a text for each": BestRequest(
        target=0.55, pruner="sparsegpt", effort="full", seeds=(3, 1), profile="0123456789abcdef", revision="main",
        dtype="bfloat16", calibration=ONE, selection=ONE.model_copy(update={"source": "file:two texts.jsonl"}),
        final=ONE.model_copy(update={"source": "other/text"}),
    ),
    "two roles share": BestRequest(
        max_loss=1.5, calibration=ONE, selection=ONE, final=ONE.model_copy(update={"source": "other/text"})
    ),
}  # fmt: skip


class Caught(Exception):
    """What the command asks, before it runs."""


def read(line: str, monkeypatch: pytest.MonkeyPatch) -> BestRequest:
    """What `python -m core best` makes of a line."""

    def caught(request: BestRequest, *_: object) -> None:
        raise Caught(request)

    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "core", "best"]
    monkeypatch.setattr(cli, "_run", caught)
    monkeypatch.setattr(cli, "absolute", lambda typed: typed)
    with pytest.raises(Caught) as found:
        main(words[3:])
    return found.value.args[0]


@pytest.mark.parametrize("name", ASKED)
def test_the_line_asks_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    main(["models", "--json"])  # registers the commands
    stored = cut(ASKED[name], lambda source: 23)
    again = read(best_line.line(stored), monkeypatch)
    assert again == ASKED[name] and cut(again, lambda source: 23) == stored


def text(role: str, **how: object) -> BestRequest:
    stored = cut(ASKED["one text"], lambda source: 23)
    return stored.model_copy(update={role: getattr(stored, role).model_copy(update=how)})


@pytest.mark.parametrize(
    "asked",
    [
        text("final", length=128),
        text("selection", sequences=12),
        text("calibration", bos="every"),
        text("calibration", packing="documents"),
        text("final", seed=1),
        text("final", documents=(20, 30)),
        text("final", documents=(0, 0)),
        text("calibration", documents=None),
        BestRequest(target=0.5, calibration=WindowRequest(documents=(0, 5), length=256)),
    ],
)
def test_what_the_options_cannot_say_has_no_line(asked: BestRequest) -> None:
    assert best_line.line(asked) is None
