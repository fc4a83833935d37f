"""The five places, their parts, and the addresses that these had before."""

from collections.abc import Mapping

ICONS = {  # in the navigation, in this order; the last stands in the footer
    "play": "science",
    "learn": "school",
    "model": "graphic_eq",
    "compress": "tune",
    "evidence": "fact_check",
    "reference": "menu_book",
}
PLACES = {  # a part, or a page as it was called before: its page, and what the URL of that says
    "lab": ("play", {}),
    "absorption": ("model", {}),
    "measure": ("model", {"see": "measure"}),
    "compare": ("model", {"see": "compare"}),
    "runs": ("model", {"see": "results"}),
    "goal": ("compress", {"part": "goal"}),
    "tune": ("compress", {"part": "tune"}),
    "allocate": ("compress", {"part": "tune"}),
    "prune": ("compress", {"part": "tune"}),
    "results": ("compress", {"part": "results"}),
    "help": ("reference", {}),
    "glossary": ("reference", {"list": "words"}),
}
WORDS = {  # in an address, what was said otherwise before
    ("part", "evaluate"): {"part": "tune"},
    ("part", "best"): {"part": "goal"},
    ("part", "export"): {"part": "results"},
    ("detail", "tasks"): {"detail": "all"},
    ("sink", "fall"): {"guess-amplify": "0"},
    ("sink", "stay"): {"guess-amplify": "1"},
    ("sink", "rise"): {"guess-amplify": "2"},
    ("group", "Compare checkpoints"): {"see": "compare"},
}


def opened(place: str, query: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The page of a place or of an old address, and what its URL says."""
    page, view = PLACES.get(place, (place, {}))
    for word in query.items():
        view = view | WORDS.get(word, dict([word]))
    return page, view
