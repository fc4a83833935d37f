"""A server whose readers log in shows nothing to anybody else, and knows by the provider whose results are whose."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from core.jobs import queue
from core.store import access
from core.store.cache import Store
from tests import fake_experiment as fake
from tests.e2e.conftest import PATIENCE, free_port, serving
from tests.e2e.provider import CLIENT, SECRET, Provider

ANN, BOB = "ann@example.org", "bob@example.org"
AUTH = """[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "the secret of this server, which is long enough"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{provider}"
"""


def visit(chromium: Browser, address: str) -> Page:
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(address)
    return page


def log_in(chromium: Browser, address: str, provider: Provider, reader: str, path: str) -> Page:
    """A page as it is shown to a reader who came by way of the provider."""
    page = visit(chromium, address)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{provider.address}/**")
    page.get_by_role("link", name=reader).click()
    page.wait_for_url(f"{address}/**")
    page.goto(f"{address}/{path}")
    return page


def forge(chromium: Browser, address: str, reader: str) -> Page:
    """A page as it is shown to somebody who signs with a secret of their own."""
    page = visit(chromium, address)
    told = json.dumps({"is_logged_in": True, "email": reader, "origin": address})
    signed = create_signed_value("the secret of another server", USER_COOKIE_NAME, told).decode()
    page.context.add_cookies([{"name": USER_COOKIE_NAME, "value": signed, "url": address}])
    return page


def test_readers_are_known_by_their_login(chromium: Browser, tmp_path: Path) -> None:
    store, port = Store(tmp_path / "cache"), free_port()
    run = queue.submit(store, fake.request(), reader=ANN)
    path, address, secrets = f"measure?job={run.key}", f"http://127.0.0.1:{port}", tmp_path / "secrets.toml"
    said = {access.LOGIN: "on", access.SHARED: "on", "STREAMLIT_SECRETS_FILES": str(secrets)}
    with Provider(ANN, BOB) as provider:
        secrets.write_text(
            AUTH.format(address=address, client=CLIENT, secret=SECRET, provider=provider.metadata_url), encoding="utf-8"
        )
        with serving(store.root, port, **said):
            stranger = forge(chromium, address, ANN)
            stranger.goto(f"{address}/{path}")
            expect(stranger.get_by_role("button", name="Log in")).to_be_visible()
            expect(stranger.get_by_role("heading", name="Measure a model")).to_have_count(0)
            expect(stranger.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)
            stranger.context.close()
            for reader in (BOB, ANN):
                page = log_in(chromium, address, provider, reader, path)
                page.get_by_role("button", name="Cancel", exact=True).click()
                refusal = page.get_by_test_id("stAlertContentError")
                expect(refusal if reader == BOB else page.get_by_text("Cancelled at")).to_be_visible()
                assert (queue.job(store, run.key).state == "queued") == (reader == BOB)
                page.context.close()
