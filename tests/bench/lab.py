"""Make the lab's committed answers: `python -m tests.bench.lab`, a quarter of an hour on two idle cores.

Scenes of the opening sentence, and three prompts continued by the dense and by pruned models.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
from pathlib import Path

from core.ask import lab
from core.evaluate.writing import Writer
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
PROMPTS = (
    "Once upon a time, a small robot woke up in a quiet garden and",
    "The capital of France is Paris, and the capital of Italy is",
    "To make a good cup of tea, first",
)
TOKENS = 40


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", choices=("scenes", "texts"))
    only, store = options.parse_args().only, Store()
    loaded = load(locate("demo", store), "float32", store)
    answering = Lab(loaded)
    if only != "texts":
        for name, (word, first) in SCENES.items():
            asked = lab.question(OPENING, word, first)
            print(keep_scene(name, asked, answering.scene(asked)), flush=True)
    if only != "scenes":
        print(keep_written(texts(Writer(loaded, store, answering.masks))), flush=True)


def texts(writer: Writer) -> list[scenes.Generated]:
    """Every prompt by every setting; without zeros all allocations are one."""
    found = {}
    for share, allocation in itertools.product(lab.SPARSITIES, lab.ALLOCATIONS):
        for prompt in PROMPTS:
            asked = lab.prompt(prompt, allocation, share, TOKENS)
            if share == 0 and allocation != lab.ALLOCATIONS[0]:
                uniform = found[lab.prompt(prompt, lab.ALLOCATIONS[0], 0, TOKENS)]
                found[asked] = uniform.model_copy(update={"asked": asked})
            else:
                found[asked] = writer.write(asked)
            print(asked.setting.name, found[asked].seconds, repr(found[asked].pruned), flush=True)
    return list(found.values())


def keep_scene(name: str, question: lab.Question, scene: scenes.Scene) -> Path:
    """Write an answer to be committed, under a name that orders them; the same answer gives the same bytes."""
    held = {"question": question.model_dump(mode="json"), "scene": scene.model_dump(mode="json")}
    path = scenes.folder() / f"scene-{name}.json.gz"
    write_file(path, gzip.compress(json.dumps(held, separators=(",", ":")).encode(), mtime=0))
    return path


def keep_written(found: list[scenes.Generated]) -> Path:
    """Write continuations to be committed."""
    path = scenes.folder() / "generated.json"
    write_file(path, (json.dumps([each.model_dump(mode="json") for each in found], indent=1) + "\n").encode())
    return path


if __name__ == "__main__":
    main()
