"""Judging pruned models: studies, searches and zero-shot tasks."""

from core import lazily

__getattr__ = lazily(
    __name__,
    resolution="resolve",
)
