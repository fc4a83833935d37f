"""A Hub on this machine that holds one model and one dataset, and answers as it is told to."""

import hashlib
import json
import logging
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from tests.loopback import Loopback, Quiet

COMMIT, NEW_YEAR = "0123456789abcdef0123456789abcdef01234567", "2026-01-01T00:00:00.000Z"


class Answer(NamedTuple):
    """What is sent back: `promised` is the length that its head tells of, where that is not the truth."""

    status: int = 200
    headers: dict = {}  # noqa: RUF012 (no answer changes it)
    body: bytes = b""
    promised: int = None


class Hub(Loopback):
    """Serves the files of a model's folder and those of a dataset, each answer twisted."""

    def __init__(self, model, dataset):
        super().__init__(Handler)
        self.files = {"models": {path.name: path.read_bytes() for path in model.iterdir()}, "datasets": dataset}
        self.twist = lambda _, answer: answer  # path, the sound answer -> what is sent; None: the line is dropped
        self.tokens = set()  # what its callers showed

    def sound(self, path):
        """What a Hub that is well answers."""
        kind = "datasets" if "datasets" in path else "models"
        files = self.files[kind]
        if "/tree/" in path:
            return _json(
                [{"path": name, "type": "file", "oid": _hash(each), "size": len(each)} for name, each in files.items()]
            )
        if path.startswith(f"/api/{kind}/"):
            told = {"id": "org/name", "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            return _json(told | {"private": False, "tags": [], "lastModified": NEW_YEAR, "downloads": 0, "likes": 0})
        name = path.rpartition(f"/resolve/{COMMIT}/")[2]
        if name not in files:
            return Answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        return Answer(200, {"X-Repo-Commit": COMMIT, "ETag": f'"{_hash(files[name])}"'}, files[name])


def _json(value):
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


def _hash(content):
    return hashlib.sha1(content).hexdigest()


class Handler(Quiet):
    server: Hub

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.server.tokens.add(self.headers.get("Authorization"))
        answer = self.server.twist(path, self.server.sound(path))
        if answer is None:
            self.close_connection = True
            self.connection.close()
            return
        self.send(answer.body, answer.headers | {"Connection": "close"}, answer.status, answer.promised)

    do_HEAD = do_POST = do_GET

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (OSError, ValueError):  # the line was dropped
            self.close_connection = True


@contextmanager
def believed(server, kept):
    """This process takes the server for the one Hub; what it gives is kept in a folder of its own."""
    import datasets
    from huggingface_hub import constants
    from huggingface_hub.utils import _cache_manager  # which copies the folder when it is first imported

    with pytest.MonkeyPatch.context() as patch:
        template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "ENDPOINT", server.address)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        for each in (constants, _cache_manager):
            patch.setattr(each, "HF_HUB_CACHE", str(kept / "hub"))
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(datasets.config, "HF_ENDPOINT", server.address)
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", str(kept / "datasets"))
        patch.setattr(logging.getLogger("huggingface_hub"), "level", logging.CRITICAL)
        yield patch
