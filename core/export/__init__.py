"""Pruned models as plain folders that load anywhere."""

from core import lazily

__getattr__ = lazily(
    __name__,
    card="Card GGUF RECIPE licence_of",
    checking="SENTENCE load_back",
    export="Contents",
    gguf_file="TYPES",
    target="FORMER check_target space_needed",
)
