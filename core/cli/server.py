"""`python -m core serve | work | models`: the dashboard, its worker, and the models at hand."""

import os
import re
import runpy
import socket
import sys
from pathlib import Path
from typing import Annotated

import psutil
import typer

from core.base import UserError, access, resolved
from core.cli.terminal import Cache, Json, app, out, say, say_json
from core.jobs import processes, queue
from core.models import machine
from core.requests import DEVICE
from core.store import Store

FORWARDED = "FORWARDED_ALLOW_IPS"  # uvicorn's: the proxies whose X-Forwarded-For is believed
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="The port to listen at.", min=1, max=65535)] = 8501,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Nothing can be run, written or deleted; the lab still answers.")
    ] = False,
    share: Annotated[
        str | None,
        typer.Option(
            help="The name by which others reach this server: all of them with --read-only, else all whom a proxy on "
            "this machine lets in.",
            metavar="HOST",
        ),
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The folder that models, texts and exports of a shared server lie in.")
    ] = None,
    cache: Cache = None,
) -> None:
    """Serve the dashboard, on this machine alone unless it is shared."""
    _check(read_only, share, root)
    try:
        socket.create_server((_address(share, read_only), port)).close()
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserError(f"the server cannot listen at port {port} ({reason}): choose another with --port") from error
    os.environ |= {
        access.READ_ONLY: "on" if read_only else "",
        access.SHARED: "on" if share else "",
        access.ROOT: str(resolved(root)) if root else "",
        # Whose word counts for the address of a reader: a proxy's on this machine, where one lets readers in.
        FORWARDED: os.environ.get(FORWARDED, "127.0.0.1,::1" if share and not read_only else ""),
    } | ({"ABSORPTION_CACHE": str(resolved(cache))} if cache else {})
    os.chdir(queue.PROJECT)
    sys.argv = ["streamlit", *arguments(port, share, read_only)]
    runpy.run_module(
        "streamlit", run_name="__main__", alter_sys=True
    )  # in this process, so that ending it ends the server


def arguments(port: int, share: str | None, read_only: bool) -> list[str]:
    """Command-line arguments for Streamlit.

    Args:
        share: the name that others use; None: this machine alone.
        read_only: others reach this machine itself; else only a proxy on it does.
    """
    start = ["run", "app.py", "--server.headless=true", f"--server.port={port}"]
    hosts = (f"--server.allowedHosts={name}" for name in filter(None, ("localhost", "127.0.0.1", share)))
    details = "none" if share or read_only else "full"  # a traceback names folders of this machine
    return [*start, f"--server.address={_address(share, read_only)}", f"--client.showErrorDetails={details}", *hosts]


def _address(share: str | None, read_only: bool) -> str:
    """Address to listen at; `share` where it is one of this machine's."""
    if not (share and read_only):
        return "127.0.0.1"
    own = {each.address for interface in psutil.net_if_addrs().values() for each in interface}
    return share if share in own else "0.0.0.0"


def _check(read_only: bool, share: str | None, root: Path | None) -> None:
    """Refuse a server that is open to more people than intended.

    Raises:
        UserError: the option that is missing or wrong.
    """
    if share and not HOST.fullmatch(share):
        raise UserError(f"--share takes the name or the address that others type, as in lab.example.org, not {share!r}")
    if share and not read_only and root is None:
        raise UserError(
            "a shared server needs --read-only, or --root DIR, the folder that models, texts and exports lie in"
        )
    if root is not None and not resolved(root).is_dir():
        raise UserError(f"there is no folder {root}: make it first")


# --- this machine ----------------------------------------------------------------------------------------------------


@app.command()
def work(
    device: Annotated[str, typer.Option(help=DEVICE.help)] = DEVICE.default,
    idle: Annotated[float, typer.Option(help="Leave after this many seconds without work.")] = queue.IDLE,
    cache: Cache = None,
) -> None:
    """Run the jobs that the dashboard queues, until none comes any more."""
    from core.jobs import worker

    processes.lower_priority()
    worker.work(Store(cache), machine.device_named(device), idle)


@app.command()
def models(cache: Cache = None, json: Json = False) -> None:
    """Models at hand: the bundled one and what the local Hub cache holds."""
    from core.models import local_models

    rows, out.quiet = local_models(Store(cache)), json
    say_json({"models": rows})
    for each in rows:
        size = f"{each['layers']} layers, {(each['parameters'] or 0) / 1e6:.0f} M parameters"
        say(f"{each['source']}: {each['label']}, {each['trouble'] or size}")
    say("Also: a folder with config.json and .safetensors, a .gguf file, or any Hub id; random:<any> for a twin.")
