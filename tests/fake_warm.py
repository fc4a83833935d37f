"""A warm model that answers when a test says so, with invented scenes."""

from concurrent.futures import Future

import numpy as np

from core.store import Lens, Scene

LAYERS = 30
TOKENS = ("The", " old", " door", "s", ".")


def scene(gain=0.5, flips=2, tokens=TOKENS, layers=LAYERS):
    """Noise of size 0.3 on all but the first token, whose drift changes by the same factor at every layer."""
    depth = np.arange(layers)
    size = 0.3 * gain ** (np.subtract.outer(-depth, -depth) / (layers - 1))
    drift = [
        [None if k < i else (0.0, *[float(f"{size[i, k]:.4g}")] * (len(tokens) - 1)) for k in range(layers)]
        for i in range(layers)
    ]
    words = tuple(tuple((f" w{n}", 0.5 / 2**n) for n in range(5)) for _ in tokens)
    other = tuple(tuple((f" x{n}", 0.4 / 2**n) for n in range(5)) for _ in tokens)
    flipped = tuple(at < flips for at in range(len(tokens)))
    hurt = tuple(b if flip else a for a, b, flip in zip(words, other, flipped, strict=True))
    return Scene(
        tokens=tokens,
        norms=((50.0, *[1.0] * (len(tokens) - 1)),) * layers,
        dense=words,
        seconds=1.5,
        drift=drift,
        gain=[*(float(f"{size[i, -1] / 0.3:.4g}") for i in range(layers - 1)), None],
        perturbed=(hurt,) * layers,
        flipped=(flipped,) * layers,
        kl=((0.1,) * len(tokens),) * layers,
    )


def lens(layer, tokens=TOKENS, layers=LAYERS):
    """The dense model says one word from layer 20 on, the hurt one another from layer 25 on."""
    row = [tuple(((word, 0.5),) for _ in tokens) for word in (" early", " dense", " hurt")]
    hurt = tuple(row[2 * (k >= 25)] for k in range(layer, layers))
    return Lens(dense=tuple(row[k >= 20] for k in range(layers)), hurt={layer: hurt})


class Warm:
    """A stand-in for `core.lab.scheduler`: keeps questions until `answer_row`, `answer_scene` or `write` answers."""

    standing, waiting, woken = "ready", 0, 0

    def __init__(self):
        self.rows, self.lenses, self.scenes, self.texts = {}, {}, {}, {}

    def state(self):
        return self.standing

    def count_ahead(self, future):
        return self.waiting

    def wake(self):
        self.woken += 1

    def ask(self, kind, asked, layer, reader, tab):
        if kind in ("row", "lens"):
            return (self.rows if kind == "row" else self.lenses).setdefault((asked, layer), Future())
        return (self.scenes if kind == "scene" else self.texts).setdefault(asked, Future())
