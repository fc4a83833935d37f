"""The cache: one file an entry, named by the hash of its spec, written in one step, checked by hash when read."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from core.base import Spec, UserError, View, access, expanded, is_for_others, listed, made, resolved
from core.requests import BY_REQUEST, ModelSpec, Request
from core.store import entries
from core.store.entries import SUFFIX, VIEW_KINDS, Entry, file_of, read, write_entry
from core.store.files import Corrupt, changed
from core.store.notes import once_per_state, read_note, stamp, write_note

_LISTED: ContextVar[dict | None] = ContextVar("_LISTED", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """List stored entries once for the duration, so that a page sees the cache at one moment."""
    token = _LISTED.set({})
    try:
        yield
    finally:
        _LISTED.reset(token)


def _read(path: Path) -> Entry | None:
    return read(path, path.parent.name, path.stem)


_read_once = once_per_state(_read)


class Store:
    """A cache folder, with the committed demo results behind it.

    Committed results can always be read. They answer a request only in the project's own cache: whoever names another
    folder wants everything measured there. Folders that earlier versions wrote for an entry are ignored.
    """

    def __init__(self, root: Path | None = None):
        self.root = expanded(root or os.environ.get("ABSORPTION_CACHE") or entries.HOME)
        self.roots = (self.root, entries.HOME / "demo")
        own = resolved(self.root) == entries.HOME
        self.answering = self.roots if own else self.roots[:1]
        self.elsewhere = None if own or is_for_others() else self.root  # that commands name to use this cache

    # -- finding ----------------------------------------------------------------------------------------------------

    def path(self, spec: Spec) -> Path | None:
        """File of a stored spec, or None."""
        return self._path(spec, self.roots)

    def measured(self, spec: Spec) -> Path | None:
        """File of a stored spec that answers requests of this cache, or None."""
        return self._path(spec, self.answering)

    def _path(self, spec: Spec, roots: Iterable[Path]) -> Path | None:
        return next((path for root in roots if (path := file_of(root, spec)).exists()), None)

    def get(self, spec: Spec) -> Entry | None:
        """Entry of a stored spec, or None; a corrupt one is set aside and counts as absent."""
        path = self.path(spec)
        return self.entry(path) if path else None

    def load(self, spec: Spec) -> Any:
        """Result of a stored spec, or None."""
        return (entry := self.get(spec)) and entry.result

    def entry(self, path: Path) -> Entry | None:
        """Read an entry.

        Returns:
            None if it is corrupt, which sets it aside, was written by another version, which leaves it alone, or gone.

        Raises:
            Unreadable: the file cannot be read now.
        """
        try:
            if path.parent.name in (*VIEW_KINDS, "evaluated"):  # small, many, and read again and again
                return _read_once(path)
            return _read(path)
        except Corrupt as error:
            self.set_aside(path, error)
        except FileNotFoundError:  # another process has just deleted it
            pass
        return None

    def entries(self, kind: str = "profile", begins: str = "") -> Iterator[Entry]:
        """Every readable entry of a kind whose key begins so, newest first, committed last; corrupt ones are set aside.

        A view is read by its header, which is all of its file.
        """
        listed = _LISTED.get()
        if listed is None:
            return self._entries(kind, begins)
        if (self.root, kind) not in listed:
            listed[self.root, kind] = list(self._entries(kind))
        return (each for each in listed[self.root, kind] if each.key.startswith(begins))

    def _entries(self, kind: str, begins: str = "") -> Iterator[Entry]:
        paths = (path for root in reversed(self.roots) for path in root.glob(f"{kind}/[!.]*{SUFFIX}"))
        by_key = {path.stem: path for path in paths if path.name.startswith(begins)}

        def age(path):  # committed files are as old as their checkout: keys order them, the same on every machine
            return 0.0 if path.parent.parent == entries.HOME / "demo" else changed(path), path.stem

        yield from filter(None, map(self.entry, sorted(by_key.values(), key=age, reverse=True)))

    def of_model(self, model: ModelSpec, kind: str = "profile") -> list[Entry]:
        """Stored views of the same weights, in whatever precision, the newest first."""
        return [each for each in self.entries(kind) if each.spec.model.weights == model.weights]

    def profile(self, key: str) -> Entry:
        """Profile by its key, an unambiguous beginning of it, or `demo`.

        Raises:
            UserError: none or several match.
        """
        return self.by_key(key, ("profile",))

    def by_key(self, key: str, kinds: tuple[str, ...] = VIEW_KINDS, beside: Iterable[Any] = ()) -> Any:
        """Entry of some kinds, or what else is `beside`, by its key or its unambiguous beginning; `demo` is a profile.

        Raises:
            UserError: none or several match.
        """
        if key == "demo" and "profile" in kinds:
            return self.demo()
        stored = (entry for kind in kinds for entry in self.entries(kind, key))
        matches = {each.key: each for each in (*stored, *beside) if key and each.key.startswith(key)}
        if not matches:
            what = f"there is no {listed(kinds, 'or')} {key!r} in {self.root}"
            raise UserError(f"{what}: list what is there with `python -m core runs`")
        if len(matches) > 1:
            raise UserError(f"{key!r} begins several of them ({', '.join(sorted(matches))}): give more of it")
        return next(iter(matches.values()))

    def demo(self) -> Entry:
        """Committed profile on most text.

        Raises:
            UserError: none is committed.
        """
        profile = largest_committed(self.entries())
        if profile is None:
            raise UserError("there is no demo profile in cache/demo: make it with `make demo`")
        return profile

    # -- writing ----------------------------------------------------------------------------------------------------

    def save(self, spec: Spec, result: object | None, provenance: dict) -> Path:
        """Write a result so that readers see it whole or not at all."""
        path = file_of(self.root, spec)
        write_entry(path, spec, result, provenance)
        return path

    # -- corrupt entries --------------------------------------------------------------------------------------------

    def set_aside(self, path: Path, reason: Corrupt) -> None:
        """Move a corrupt entry out of the way and note the reason beside it."""
        if access.is_read_only():
            return
        target = self.root / "set_aside" / f"{path.parent.name}-{path.stem}-{time.time_ns()}{SUFFIX}"
        made(target.parent)
        try:
            path.rename(target)
        except OSError:  # a read-only demo folder, or another process was faster
            return
        note = f"{path.parent.name} {path.stem}: {reason}\n"
        target.with_suffix(".txt").write_text(note, encoding="utf-8")

    def troubles(self) -> list[str]:
        """One line for each entry that was set aside."""
        notes = sorted(self.root.glob("set_aside/*.txt"))
        lines = (path for path in notes if path.is_file() and path.stat().st_size < 2**12)  # it is a line
        return [path.read_text(encoding="utf-8", errors="replace").strip() for path in lines]

    # -- requests that were resolved before -------------------------------------------------------------------------

    def remember(self, request: Request, view: View, files: list[Path]) -> None:
        """Remember the view that a request resolved to, until one of these local files changes."""
        note = {"view": view.model_dump(mode="json"), "files": [stamp(path) for path in files]}
        write_note(self._note(request), note)

    def resolved(self, request: Request) -> View | None:
        """View that a request was resolved to; None also if a local file or a pruner has changed since."""
        with suppress(OSError, ValueError, KeyError, TypeError):  # never resolved, or by another version: it is cheap
            note = read_note(self._note(request))
            if all(stamp(each[0]) == each for each in note["files"]):
                view = BY_REQUEST[type(request)].view.model_validate(note["view"])
                return None if view.is_outdated or view.is_incomplete else view
        return None

    def _note(self, request: Request) -> Path:
        return self.root / "resolved" / f"{request.key}.json"

    def find(self, request: Request) -> Entry | None:
        """Stored profile or study that answers a request; None also if one of its units is gone or corrupt.

        Exports are made anew, since their folder may be gone.
        """
        spec = self.resolved(request) if BY_REQUEST[type(request)].answered else None
        path = self.measured(spec) if spec else None
        units = map(self.measured, spec.units if path else ())
        return self.entry(path) if path and all(each and self.entry(each) for each in units) else None


def largest_committed(profiles: Iterable[Entry]) -> Entry | None:
    """Committed profile on most text, then with most perturbations of layers and a sketch; None if none is there."""

    def size(each):
        of_layers = sum(one.perturbation.prunes != "linear" for one in each.spec.measurements)
        return each.spec.text.token_count, of_layers, each.spec.sketch is not None

    return max((each for each in profiles if each.committed), key=size, default=None)
