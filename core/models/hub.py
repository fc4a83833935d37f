"""The Hub of models and datasets: it is asked once whether it answers, before a library waits for it without end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

PATIENCE = 10.0  # seconds that its first answer may take


def ask(name: str, kind: Literal["model", "dataset"], revision: str | None = None) -> None:
    """Wait until the Hub has answered for a repository; it sends the token of the environment, where there is one.

    Raises:
        Exception: it does not answer, or has none that may be read; by the libraries' own kinds of errors.
    """
    from huggingface_hub import HfApi

    HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=PATIENCE)


def cached(kind: Literal["model", "dataset"]) -> list[str]:
    """Names of what the local cache holds."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return sorted(repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == kind)
    except CacheNotFound:
        return []


@contextmanager
def offline() -> Iterator[None]:
    """While inside, models and datasets are what this machine holds of them."""
    import datasets
    from huggingface_hub import constants

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
