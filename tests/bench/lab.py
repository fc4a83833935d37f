"""Make the lab's committed answers, those of the examples on its page: `python -m tests.bench.lab`, some minutes."""

import gzip
import json

from core.lab import Continuations, LabModel
from core.models import load, locate
from core.requests import Talk
from core.store import Store, scenes, write_file
from pages.ui.lab.question import EXAMPLES, LAYERS
from pages.ui.lab.talk import DEFAULT_PROMPT, OPENING, OPENING_TOKENS, parsed


def main():
    store = Store()
    answering = LabModel(load(locate("demo", store), "float32", store))
    for old in scenes.folder().glob("*.json.gz"):
        old.unlink()
    for at, asked in enumerate(questions()):
        print(keep("scene", str(at), asked, answering.scene(asked)), flush=True)
    for at, asked in enumerate(questions()[:2]):  # the opening one, with the first token and without
        found = [answering.lens(asked, layer) for layer in range(LAYERS)]
        hurt = {layer: after for each in found for layer, after in each.hurt.items()}
        print(keep("words", str(at), asked, found[0].replace(hurt=hurt)), flush=True)
    opening = Talk(prompt=DEFAULT_PROMPT, turns=parsed(OPENING), tokens=OPENING_TOKENS)
    print(keep("talk", "0", opening, Continuations(answering.loaded, answering.masks).advance(opening, seconds=600)))
    rows = [(asked, answering.row(asked, layer)) for asked, layer in sizes()]
    print(_keep("rows", [[each.model_dump(mode="json") for each in pair] for pair in rows]), flush=True)


def _choices(example):
    """An example, and where there is a choice with the first token the other way round."""
    state = example.state
    return [example, example._replace(state=state._replace(first=not state.first))][: 1 + example.is_choosy]


def questions():
    """The questions whose every layer is committed, the opening one first."""
    return [each.question() for example in EXAMPLES.values() for each in _choices(example)]


def sizes():
    """Questions and layers of the examples at all other sizes: what their sliders show."""
    chosen = [each for example in EXAMPLES.values() for each in _choices(example)]
    return [(other.question(), other.state.layer) for each in chosen for other in each.sizes]


def keep(kind, name, question, answer):
    """Write an answer to be committed, under a name that orders them; the same answer gives the same bytes.

    kind: scene, words, or talk, a text that is written while it is damaged.
    """
    return _keep(f"{kind}-{name}", {"question": question.model_dump(mode="json"), kind: answer.model_dump(mode="json")})


def _keep(name, held):
    path = scenes.folder() / f"{name}.json.gz"
    write_file(path, gzip.compress(json.dumps(held, separators=(",", ":")).encode(), mtime=0))
    return path


if __name__ == "__main__":
    main()
