"""A profile as one file that can be carried to another machine."""

from __future__ import annotations

import io
import zipfile

from core.store import Entry, Store, units


def pack(store: Store, entry: Entry) -> bytes:
    """The profile and its units as a zip; unpacked inside another cache folder they are found there."""
    folders = [entry.path, *filter(None, (store.path(unit) for unit in units(entry.spec)))]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in folders:
            for file in sorted(folder.iterdir()):
                archive.write(file, f"{folder.parent.name}/{folder.name}/{file.name}")
    return content.getvalue()
