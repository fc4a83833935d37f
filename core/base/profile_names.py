"""How a profile is called in a list: `SmolLM2-135M · C4 · 16 × 256`, and more where two would be called alike."""

import re
from pathlib import PurePath
from typing import NamedTuple

UNTRAINED = ", untrained"  # what a random twin is called, after its model
# Well-known texts by the name that everyone uses; WikiText-103 is tested on the same articles as WikiText-2.
TEXTS = {r"(^|[\W_])c4([\W_]|$)": "C4", r"wiki(text|\.test|\.valid)": "WikiText-2"}
DOCUMENTS = re.compile(r"documents (\d+-\d+)")
# Of the documents of a text, as the project uses them.
ROLES = {"C4": {"0-599": "calibration", "600-799": "selection", "800-999": "held out"}}
TUNED = re.compile(r"-(instruct|chat|it)$", re.IGNORECASE)
FILE = re.compile(r"([-._](i?q\d\w*|b?f\d\d))?\.gguf$", re.IGNORECASE)  # what a GGUF file's name says of its numbers
WRITTEN = (".jsonl", ".json", ".txt", ".raw", ".parquet")


class Described(NamedTuple):
    """What the provenance says of a profile."""

    model: str
    text: str
    sequences: int
    length: int
    key: str
    beside: str = ""  # the other checkpoints that it was compared with


def model(label: str) -> str:
    """A model without how it came to be: `SmolLM2-135M-Instruct, untrained`."""
    first = label.removeprefix("random: ").partition(",")[0]
    return f"{first}{UNTRAINED}" if label.startswith("random: ") else first


def short(label: str) -> str:
    """A model in a narrow place: `SmolLM2-135M, untrained`."""
    return narrow(model(label))


def narrow(name: str) -> str:
    """The name of a model without what tells that it was tuned, or how its file holds it."""
    return TUNED.sub("", FILE.sub("", name.removesuffix(UNTRAINED))) + (UNTRAINED if name.endswith(UNTRAINED) else "")


def text(label: str) -> str:
    """A text in a word or two: `C4`, `demo text`, `my-notes`."""
    for pattern, name in TEXTS.items():
        if re.search(pattern, label, re.IGNORECASE):
            return name
    first = label.partition(",")[0].partition(" (")[0]
    return PurePath(first).stem if first.endswith(WRITTEN) else first


def part(label: str) -> str:
    """A text and its part, by what that is for where it is known: `C4 held out`, `demo text (documents 6-8)`."""
    name, documents = text(label), DOCUMENTS.search(label)
    return f"{name} {ROLES.get(name, {}).get(documents[1], f'(documents {documents[1]})')}" if documents else name


def profile(about: Described) -> str:
    """Model, text, windows × tokens; what the model was compared with."""
    beside = f" · against {about.beside}" if about.beside else ""
    return f"{short(about.model)} · {text(about.text)} · {about.sequences} × {about.length}{beside}"


def comparison(about: Described) -> str:
    """A comparison among those of one model: the other checkpoints, text, windows × tokens."""
    return f"{about.beside} · {text(about.text)} · {about.sequences} × {about.length}"


def forms(about: Described) -> tuple[str, ...]:
    """What a profile may be called in a list: where the short name is taken, by whole model, whole text or key too."""
    name = profile(about)
    more = (model(about.model), about.text, f"{model(about.model)} · {about.text}", about.key)
    return (name, *(f"{name} · {each}" for each in more))
