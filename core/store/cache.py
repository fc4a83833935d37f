"""The cache: spec -> folder, content-addressed, written under a temporary name, checked by hash when read."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.base import PROJECT, Spec, UserError, View, access, expanded, listed, resolved
from core.requests import BY_REQUEST, ModelSpec, Request
from core.store.entries import KIND_OF, KINDS, VIEW_KINDS, read_folder
from core.store.files import (
    Corrupt,
    Gone,
    changed,
    pretty,
    sealed,
    stamp,
    stamps,
    unsealed,
    write_file,
    write_folder,
)
from core.store.results import decode, encode

HOME = PROJECT / "cache"
_LISTED = ContextVar("_LISTED", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """List what is stored once for as long as this lasts, so that a page sees the cache as it is at one moment."""
    token = _LISTED.set({})
    try:
        yield
    finally:
        _LISTED.reset(token)


@dataclass(frozen=True)
class Entry:
    """A stored spec with its folder, its provenance and its result."""

    path: Path
    spec: Spec
    provenance: dict
    result: Any = None  # None for a view

    @property
    def key(self) -> str:
        return self.path.name

    @property
    def kind(self) -> str:
        """`profile`, `study` and so on."""
        return self.path.parent.name

    @cached_property
    def committed(self) -> bool:
        """True for what ships with the project, which cannot be deleted."""
        return self.path.parent.parent.resolve() == (HOME / "demo").resolve()


class Store:
    """A cache folder, with the committed demo results behind it.

    Committed results can always be read. They answer a request only in the project's own cache: who names another
    folder wants everything measured there.
    """

    def __init__(self, root: Path | None = None):
        self.root = expanded(root or os.environ.get("ABSORPTION_CACHE") or HOME)
        self.roots = (self.root, HOME / "demo")
        own = resolved(self.root) == HOME
        self.answering = self.roots if own else self.roots[:1]
        self.elsewhere = None if own else self.root  # the folder that a command names to use this cache

    # -- finding ----------------------------------------------------------------------------------------------------

    def path(self, spec: Spec) -> Path | None:
        """The folder of a stored spec, or None."""
        return next(self._paths(spec, self.roots), None)

    def measured(self, spec: Spec) -> Path | None:
        """The folder of a stored spec, or None if it has yet to be measured for this cache."""
        return next(self._paths(spec, self.answering), None)

    def _paths(self, spec: Spec, roots: Iterable[Path]) -> Iterator[Path]:
        place = Path(KIND_OF[type(spec)], spec.key)
        return (root / place for root in roots if (root / place / "manifest.json").is_file())

    def get(self, spec: Spec) -> Entry | None:
        """The entry of a stored spec, or None; a corrupt one is set aside and counts as absent."""
        path = self.path(spec)
        return self.entry(path) if path else None

    def load(self, spec: Spec) -> Any:
        """The result of a stored spec, or None."""
        return (entry := self.get(spec)) and entry.result

    def entry(self, path: Path) -> Entry | None:
        """Read a folder.

        Returns:
            None if it is corrupt, which sets it aside, or was written by another version, which leaves it alone.

        Raises:
            Unreadable: a file cannot be read now.
        """
        try:
            known = stamps(path) if path.parent.name in (*VIEW_KINDS, "evaluated") else ()  # read once: small, and many
            return _read_once(path, known) if known else _read(path)
        except Corrupt as broken:
            self.set_aside(path, broken)
            return None

    def entries(self, kind: str = "profile", begins: str = "") -> Iterator[Entry]:
        """Every readable entry of a kind whose key begins so, newest first; corrupt ones are set aside."""
        listed = _LISTED.get()
        if listed is None:
            return self._entries(kind, begins)
        if (self.root, kind) not in listed:
            listed[self.root, kind] = list(self._entries(kind))
        return (each for each in listed[self.root, kind] if each.key.startswith(begins))

    def _entries(self, kind: str, begins: str = "") -> Iterator[Entry]:
        manifests = (path for root in reversed(self.roots) for path in root.glob(f"{kind}/[!.]*/manifest.json"))
        found = {path.parent.name: path for path in manifests if path.parent.name.startswith(begins)}
        for path in sorted(found.values(), key=changed, reverse=True):
            if entry := self.entry(path.parent):
                yield entry

    def of_model(self, model: ModelSpec, kind: str = "profile") -> list[Entry]:
        """Stored views of the same weights, in whatever precision, the newest first."""
        return [each for each in self.entries(kind) if each.spec.model.weights == model.weights]

    def profile(self, key: str) -> Entry:
        """A profile by its key, an unambiguous beginning of it, or `demo`.

        Raises:
            UserError: none or several match.
        """
        return self.by_key(key, ("profile",))

    def by_key(self, key: str, kinds: tuple[str, ...] = VIEW_KINDS, beside: Iterable[Any] = ()) -> Any:
        """An entry of some kinds by its key or an unambiguous beginning of it; `demo` is a profile.

        Args:
            beside: what else has a key and may be meant.

        Raises:
            UserError: none or several match.
        """
        if key == "demo" and "profile" in kinds:
            return self.demo()
        here = (entry for kind in kinds for entry in self.entries(kind, key))
        found = {each.key: each for each in (*here, *beside) if key and each.key.startswith(key)}
        if not found:
            what = f"there is no {listed(kinds, 'or')} {key!r} in {self.root}"
            raise UserError(f"{what}: list what is there with `python -m core runs`")
        if len(found) > 1:
            raise UserError(f"{key!r} begins several of them ({', '.join(sorted(found))}): give more of it")
        return next(iter(found.values()))

    def demo(self) -> Entry:
        """The committed profile on most text.

        Raises:
            UserError: none is committed.
        """
        found = largest_committed(self.entries())
        if found is None:
            raise UserError("there is no demo profile in cache/demo: make it with `make demo`")
        return found

    # -- writing ----------------------------------------------------------------------------------------------------

    def save(self, spec: Spec, result: object | None, provenance: dict) -> Path:
        """Write a result so that it is found whole or not at all."""
        path = self.root / KIND_OF[type(spec)] / spec.key
        files = {"spec.json": pretty(spec.model_dump(mode="json")), "provenance.json": pretty(provenance)}
        return write_folder(path, files | encode(result))

    # -- corrupt entries --------------------------------------------------------------------------------------------

    def set_aside(self, path: Path, reason: Corrupt) -> None:
        """Move a corrupt folder out of the way and remember why."""
        if isinstance(reason, Gone) or access.is_read_only():  # what lies there now, if anything, is another result
            return
        target = self.root / "set_aside" / f"{path.parent.name}-{path.name}-{time.time_ns()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.rename(target)
        except OSError:  # a read-only demo folder, or another process was faster
            return
        (target / "reason.txt").write_text(f"{path.parent.name} {path.name}: {reason}\n", encoding="utf-8")

    def troubles(self) -> list[str]:
        """One line for each entry that was set aside."""
        found = sorted(self.root.glob("set_aside/*/reason.txt"))
        reasons = (path for path in found if path.is_file() and path.stat().st_size < 2**12)  # it is a line
        return [path.read_text(encoding="utf-8", errors="replace").strip() for path in reasons]

    # -- requests that were resolved before -------------------------------------------------------------------------

    def remember(self, request: Request, view: View, files: list[Path]) -> None:
        """Note which profile or study a request means, as long as these local files stay as they are."""
        note = {"view": view.model_dump(mode="json"), "files": [stamp(path) for path in files]}
        write_file(self._note(request), sealed(note))

    def resolved(self, request: Request) -> View | None:
        """The view that a request was resolved to, or None; also where its local files or a pruner changed since."""
        try:
            note = unsealed(self._note(request))
            if all(stamp(Path(known[0])) == known for known in note["files"]):
                found = BY_REQUEST[type(request)].view.model_validate(note["view"])
                return None if found.is_outdated else found
        except (OSError, ValueError, KeyError, TypeError):
            pass  # never resolved, or by another version: resolving again is cheap
        return None

    def _note(self, request: Request) -> Path:
        return self.root / "resolved" / f"{request.key}.json"

    def find(self, request: Request) -> Entry | None:
        """The stored profile or study that answers a request, or None; also where one of its units is gone or corrupt.

        Where no stored result is an answer, as an export is none whose folder may be gone, it is made anew.
        """
        spec = self.resolved(request) if BY_REQUEST[type(request)].answered else None
        path = self.measured(spec) if spec else None
        units = map(self.measured, spec.units if path else ())
        return self.entry(path) if path and all(each and self.entry(each) for each in units) else None


def _read(path: Path) -> Entry | None:
    """An entry whose files are as they were written; None where another version wrote it.

    Raises:
        Corrupt: they are not.
    """
    kind, form = KINDS[path.parent.name]
    files, provenance = read_folder(path)
    try:
        entry = Entry(path, kind.model_validate_json(files["spec.json"]), provenance, decode(files, form))
    except ValidationError:
        return None
    return entry if entry.spec.key == path.name else None


@lru_cache(maxsize=4096)
def _read_once(path: Path, _stamps: tuple) -> Entry | None:
    """The same of what is listed and compared again and again, for as long as its files stay as they are."""
    return _read(path)


def largest_committed(profiles: Iterable[Entry]) -> Entry | None:
    """The committed profile on most text, of those with most perturbations of layers; None if none is committed."""

    def size(each):
        text = each.spec.text
        of_layers = [one for one in each.spec.measurements if one.perturbation.prunes != "linear"]
        return text.token_count, len(of_layers)

    return max((each for each in profiles if each.committed), key=size, default=None)
