"""Models and datasets of the Hub. One request with a time limit comes first: libraries wait without end."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Literal

from core.base import Fields, UserError, brief
from core.models.patching import patched

PATIENCE = 10.0  # seconds that its first answer may take


def wait_for_answer(name: str, kind: Literal["model", "dataset"], revision: str | None = None) -> None:
    """Wait until the Hub has answered for a repository; it sends the token of the environment, where there is one.

    Raises:
        Exception: it does not answer, or has none that may be read; by the libraries' own kinds of errors.
    """
    from huggingface_hub import HfApi

    HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=PATIENCE)


def cached(kind: Literal["model", "dataset"]) -> list[str]:
    """Repositories in the local cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return sorted(repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == kind)
    except CacheNotFound:
        return []


@contextmanager
def offline() -> Iterator[None]:
    """While inside, models and datasets come from this machine alone."""
    import datasets
    from huggingface_hub import constants

    with patched(datasets.config, HF_HUB_OFFLINE=True), patched(constants, HF_HUB_OFFLINE=True):
        yield


MODEL_FILES = ["README.md", "LICENSE*", "*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
UNAUTHORISED = 401  # the status of an answer to a token that is none


class NotHere(UserError):
    """Refusal of a Hub model whose files are not on this machine."""


def model_folder(repository: str, revision: str | None, fetch: bool) -> Path:
    """The folder of a model in the local cache, named by its commit; fetched first if `fetch` allows it.

    Raises:
        NotHere: it is neither here, nor to be had whole.
        UserError: no revision can be called so.
    """
    from huggingface_hub import snapshot_download

    # The library of the Hub opens it as a file of its cache.
    if revision and not re.fullmatch(r"\w(\.?[\w/@+#=-])*", revision):
        raise UserError(f"there can be no revision {brief(revision)}: give the name of a branch or tag, or a commit")

    label, why = f"{repository}@{revision}" if revision else repository, None
    request = {"revision": revision, "allow_patterns": MODEL_FILES}
    if fetch:
        try:
            wait_for_answer(repository, "model", revision)
            snapshot_download(repository, **request)
            why = NotHere(f"the Hub gave only a part of {label}: ask again, or give a local folder")
        except Exception as error:  # of the Hub, of the network, of a login page that answers in place of the Hub
            why = _why_not(error, repository, revision, label)
    try:
        return Path(snapshot_download(repository, **request, local_files_only=True))  # what is here must do, if whole
    except Exception as error:
        raise (why or _why_not(error, repository, revision, label)) from error


def _why_not(error: Exception, repository: str, revision: str | None, label: str) -> UserError:
    """The reason why the Hub does not give a model, as a refusal."""
    from huggingface_hub import errors

    match error:
        case errors.GatedRepoError():
            return NotHere(
                f"{repository} is gated: accept its terms on the Hub, then run `hf auth login` or set HF_TOKEN"
            )
        case errors.RevisionNotFoundError():
            return NotHere(f"{repository} has no revision {revision!r}")
        case errors.RepositoryNotFoundError() | errors.HFValidationError():
            return NotHere(
                f"the Hub has no model {repository!r} that you may read: check the spelling, or set HF_TOKEN if it is "
                "private"
            )
        case errors.HfHubHTTPError(response=response) if response.status_code == UNAUTHORISED:
            return NotHere(
                f"the Hub does not accept your token for {repository}: run `hf auth login`, or set another HF_TOKEN"
            )
    return NotHere(
        f"{label} is not in the local Hub cache and the Hub cannot be reached: go online, or give a local folder"
    )


DOCUMENTS = 1000  # of a dataset, unless the request names others
# Without the name of C4's configuration, which together with a shard asks for all other shards too.
OPTIONS = {
    "allenai/c4": {"data_files": {"train": "en/c4-train.00000-of-01024.json.gz"}, "split": "train"},
    "Salesforce/wikitext": {"name": "wikitext-2-raw-v1", "split": "test"},
}
WHOLE = ("Salesforce/wikitext",)  # one text, whose rows are its lines


def dataset_documents(name: str, last: int | None) -> tuple[str, tuple[str, ...]]:
    """A label for the documents of a dataset, and the documents from the first on.

    Args:
        last: the last document that is wanted.

    Raises:
        UserError: it is neither here nor to be had, or has no column of texts.
    """
    most = None if name in WHOLE else DOCUMENTS if last is None else last + 1
    texts = tuple(_texts(name, islice(_rows(name, most), most)))
    cut = most is not None and last is None and len(texts) == most
    split = OPTIONS.get(name, {}).get("split", "train")
    return f"{name} ({split}{f', first {most:,} documents' if cut else ''})", texts


def _rows(name: str, most: int | None) -> Iterable[Fields]:
    """The rows of a dataset: streamed where only some are wanted, from this machine where the Hub does not answer."""
    from datasets import load_dataset

    options = {"split": "train"} | OPTIONS.get(name, {})
    with suppress(Exception):  # of the network, of whoever answers in place of the Hub, of the files of the dataset
        wait_for_answer(name, "dataset")
        if most is None:
            return load_dataset(name, **options)
        return list(islice(load_dataset(name, **options, streaming=True), most))
    try:
        with offline():
            return load_dataset(name, **options)
    except Exception as error:
        raise UserError(
            f"the dataset {name} is neither in the local cache nor to be had from the Hub: check the name, go online, "
            "or give file:PATH"
        ) from error


def _texts(name: str, rows: Iterable[Fields]) -> Iterable[str]:
    for row in rows:
        if not isinstance(row.get("text"), str):
            raise UserError(f"the dataset {name} has no column named text that holds one in every row")
        yield row["text"]
