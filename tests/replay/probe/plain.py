"""What is asked for, commands, and their answers as JSON holds them: all digits, and fingerprints of long arrays."""

import hashlib
import io
import json
import re
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np

from core.cli import main

HERE = Path(__file__).resolve().parent.parent
ASKED = tomllib.loads((HERE / "requests.toml").read_text(encoding="utf-8"))
REFUSED = "refused"  # what a request is answered that cannot be met
NUMBERS_OF_A_POINT = ("perplexity", "kl", "agreement", "windows", "broken_at_layer", "tasks")
PROTOCOL = ("text_hash", "windows", "length", "packing", "bos", "dtype")
NUMBER = re.compile(r"[-+−]?\s?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?")


def ask(*words):
    """What a command says with `--json`; None where it refuses the request.

    Raises:
        RuntimeError: it failed.
    """
    said, told = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        code = main([*words, "--json"])
    if code not in (0, 2):
        raise RuntimeError(f"{' '.join(words)}: {told.getvalue()}")
    return json.loads(said.getvalue()) if code == 0 else None


def options(given):
    """`{"lam": 0.08, "unclipped": True}` -> `--lam 0.08 --unclipped`."""
    for name, value in given.items():
        yield f"--{name.replace('_', '-')}"
        if value is not True:
            yield str(value)


def plain(value):
    """Arrays as lists, tuples too; NaN stays NaN."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def fingerprint(values):
    """The shape of an array and a hash over its numbers; every NaN counts alike."""
    numbers = np.ascontiguousarray(values, np.float64) + 0.0
    numbers = np.where(np.isnan(numbers), np.nan, numbers)
    return {"shape": list(numbers.shape), "sha256": hashlib.sha256(numbers.tobytes()).hexdigest()}


def only(told, names):
    """Some fields of an answer."""
    return {name: told[name] for name in names}


def point(told):
    """The numbers of an evaluated point and how it was measured, without the names of its texts."""
    how = told["protocol"]
    read = how["calibration"]
    calibration = read and only(read, ("text_hash", "windows", "length", "seed"))
    return only(told, NUMBERS_OF_A_POINT) | {"protocol": only(how, PROTOCOL) | {"calibration": calibration}}


def numbers(text):
    """`-39% [-43, -34]` -> `[-39, -43, -34]`."""
    return [float(re.sub(r"[,\s]", "", each).replace("−", "-")) for each in NUMBER.findall(text)]
