"""`python -m core serve`: the dashboard for oneself, for a class that may only look, or for several people."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from core.cli import app
from core.cli.options import Cache
from core.jobs.queue import PROJECT
from core.specs.errors import UserError
from core.specs.paths import resolved
from core.store import access

SECRETS = PROJECT / ".streamlit" / "secrets.toml"
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="The port to listen at.", min=1, max=65535)] = 8501,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Nothing can be run, written or deleted; the lab still answers.")
    ] = False,
    share: Annotated[
        str | None, typer.Option(help="The name by which others reach this machine: serve them too.", metavar="HOST")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The folder that models, texts and exports of a shared server lie in.")
    ] = None,
    login: Annotated[bool, typer.Option("--login", help="Readers log in, as .streamlit/secrets.toml says.")] = False,
    user_header: Annotated[
        str | None, typer.Option(help="The header in which a proxy on this machine names the reader.")
    ] = None,
    cache: Cache = None,
) -> None:
    """Serve the dashboard, on this machine alone unless it is shared."""
    _check(read_only, share, root, login, user_header)
    _check_port(_address(share, user_header is None), port)
    said = {
        access.READ_ONLY: "on" if read_only else "",
        access.SHARED: "on" if share else "",
        access.ROOT: str(resolved(root)) if root else "",
        access.LOGIN: "on" if login else "",
        access.USER_HEADER: user_header or "",
    }
    around = os.environ | said | ({"ABSORPTION_CACHE": str(resolved(cache))} if cache else {})
    raise typer.Exit(subprocess.call(line(port, share, user_header is None), cwd=PROJECT, env=around))


def line(port: int, share: str | None, directly: bool) -> list[str]:
    """How Streamlit is started.

    Args:
        share: the name that others use; None: nobody else may ask.
        directly: others reach this machine itself and not a proxy on it.
    """
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    names = ["localhost", "127.0.0.1", *([share] if share else [])]
    hosts = (f"--server.allowedHosts={name}" for name in names)
    return [*command, f"--server.address={_address(share, directly)}", *hosts]


def _address(share: str | None, directly: bool) -> str:
    return "0.0.0.0" if share and directly else "127.0.0.1"


def _check(read_only: bool, share: str | None, root: Path | None, login: bool, user_header: str | None) -> None:
    """Refuse what would leave a door open.

    Raises:
        UserError: and what would close it.
    """
    if not share:
        if login or user_header:
            raise UserError("readers have names only on a shared server: add --share HOST")
    elif not HOST.fullmatch(share):
        raise UserError(f"--share takes the name or the address that others type, as in lab.example.org, not {share!r}")
    elif not read_only and root is None:
        raise UserError("a shared server needs --root DIR, the folder that models, texts and exports lie in")
    elif not read_only and login == bool(user_header):
        raise UserError(
            "a shared server needs to know its readers: give --login or --user-header NAME, or serve with --read-only"
        )
    if root is not None and not resolved(root).is_dir():
        raise UserError(f"there is no folder {root}: make it first")
    if login:
        _check_login()


def _check_port(address: str, port: int) -> None:
    try:
        socket.create_server((address, port)).close()
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserError(f"the server cannot listen at port {port} ({why}): choose another with --port") from error


def _check_login() -> None:
    if importlib.util.find_spec("authlib") is None:
        raise UserError('a login needs one more package: pip install "Authlib>=1.3.2"')
    try:
        known = tomllib.loads(SECRETS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if "auth" not in known:
        raise UserError(f"a login needs a section [auth] in {SECRETS}, as Streamlit's st.login describes it")
