"""Display names of profiles: `SmolLM2-135M · C4 · noise, pruning`, and longer ones where two would be alike."""

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
    """A profile as its provenance describes it."""

    model: str
    text: str
    sequences: int
    length: int
    created: str  # date and time
    knows: str = ""  # what was measured
    beside: str = ""  # the other checkpoints that it was compared with


def model(label: str) -> str:
    """Name of a model without its origin: `SmolLM2-135M-Instruct, untrained`."""
    first = label.removeprefix("random: ").partition(",")[0]
    return f"{first}{UNTRAINED}" if label.startswith("random: ") else first


def short(label: str) -> str:
    """Short name of a model: `SmolLM2-135M, untrained`."""
    return narrow(model(label))


def narrow(name: str) -> str:
    """Name of a model without the suffixes for tuning and for the file's number format."""
    return TUNED.sub("", FILE.sub("", name.removesuffix(UNTRAINED))) + (UNTRAINED if name.endswith(UNTRAINED) else "")


def text(label: str) -> str:
    """Short name of a text: `C4`, `demo text`, `my-notes`."""
    for pattern, name in TEXTS.items():
        if re.search(pattern, label, re.IGNORECASE):
            return name
    first = label.partition(",")[0].partition(" (")[0]
    return PurePath(first).stem if first.endswith(WRITTEN) else first


def part(label: str) -> str:
    """Name of a text and the role of its part, if known: `C4 held out`, `demo text (documents 6-8)`."""
    name, documents = text(label), DOCUMENTS.search(label)
    return f"{name} {ROLES.get(name, {}).get(documents[1], f'(documents {documents[1]})')}" if documents else name


def profile(about: Described) -> str:
    """Model, text, and what was measured: the checkpoints that the model was compared with, where it was."""
    measured = f"against {about.beside}" if about.beside else about.knows
    return " · ".join(filter(None, [short(about.model), text(about.text), measured]))


def comparison(about: Described) -> str:
    """Name of a comparison among those of one model: the other checkpoints, text, windows × tokens."""
    return f"{about.beside} · {text(about.text)} · {about.sequences} × {about.length}"


def forms(about: Described) -> tuple[str, ...]:
    """Possible names of a profile, shortest first: longer ones add the amount of text, whole names or the date."""
    name, amount = profile(about), f"{about.sequences} × {about.length}"
    more = (amount, model(about.model), about.text, f"{model(about.model)} · {about.text}", about.created[:10])
    return (name, *(f"{name} · {each}" for each in more), f"{name} · {amount} · {about.created}")
