"""Make the lab's committed answers, scenes of the opening sentence: `python -m tests.bench.lab`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from core.ask import lab
from core.measure.answers import Lab
from core.models.loading import load
from core.models.sources import locate
from core.store import scenes
from core.store.cache import Store
from core.store.files import write_file

OPENING = "The old clockmaker opened the door of her shop and found the street empty."
SCENES = {
    "1-noise": ("gaussian:0.3", False),
    "2-noise-first-token": ("gaussian:0.3", True),
    "3-pruned": ("residual:wanda:0.7", False),
    "4-left-out": ("skip", False),
}


def main() -> None:
    store = Store()
    answering = Lab(load(locate("demo", store), "float32", store))
    for name, (word, first) in SCENES.items():
        asked = lab.question(OPENING, word, first)
        print(keep_scene(name, asked, answering.scene(asked)), flush=True)


def keep_scene(name: str, question: lab.Question, scene: scenes.Scene) -> Path:
    """Write an answer to be committed, under a name that orders them; the same answer gives the same bytes."""
    held = {"question": question.model_dump(mode="json"), "scene": scene.model_dump(mode="json")}
    path = scenes.folder() / f"scene-{name}.json.gz"
    write_file(path, gzip.compress(json.dumps(held, separators=(",", ":")).encode(), mtime=0))
    return path


if __name__ == "__main__":
    main()
