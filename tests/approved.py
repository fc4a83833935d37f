"""Texts that were read and approved: `APPROVE=1` before a test's command approves what is said now."""

import os


def check(file, lines):
    """Compare lines with the approved file, or approve them; read the difference before it is committed."""
    if os.environ.get("APPROVE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines) + "\n", "utf-8")
    assert file.exists(), f"{file.name} was never approved: {__doc__}"
    assert "\n".join(lines).splitlines() == file.read_text("utf-8").splitlines()
