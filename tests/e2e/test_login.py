"""A server whose readers log in knows them by what it signed itself, and shows nothing to anybody else.

The exchange with a provider is Streamlit's own and needs Authlib; here the reader comes back from it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from core.jobs import queue
from core.store import access
from core.store.cache import Store
from tests import fake_experiment as fake
from tests.e2e.conftest import PATIENCE, free_port, serving

pytestmark = pytest.mark.e2e
SECRET, FORGED = "the secret of this server", "the secret of another one"
AUTH = """[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "{secret}"
client_id = "explorer"
client_secret = "unused"
server_metadata_url = "{address}/nowhere"
"""


def come_back(chromium: Browser, address: str, path: str, email: str, secret: str) -> Page:
    """A page as it is shown to a reader who was signed in with this secret."""
    told = {"is_logged_in": True, "email": email, "origin": address}
    signed = create_signed_value(secret, USER_COOKIE_NAME, json.dumps(told))
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    context.add_cookies([{"name": USER_COOKIE_NAME, "value": signed.decode(), "url": address}])
    page = context.new_page()
    page.goto(f"{address}/{path}")
    return page


def test_readers_are_known_by_what_the_server_signed(chromium: Browser, tmp_path: Path) -> None:
    store, port = Store(tmp_path / "cache"), free_port()
    run = queue.submit(store, fake.request(), reader="ann@example.org")
    path, address = f"measure?job={run.key}", f"http://127.0.0.1:{port}"
    (tmp_path / "secrets.toml").write_text(AUTH.format(address=address, secret=SECRET))
    said = {access.LOGIN: "on", access.SHARED: "on", "STREAMLIT_SECRETS_FILES": str(tmp_path / "secrets.toml")}
    with serving(store.root, port, **said):
        stranger = come_back(chromium, address, path, "ann@example.org", FORGED)
        expect(stranger.get_by_role("button", name="Log in")).to_be_visible()
        expect(stranger.get_by_role("heading", name="Measure a model")).to_have_count(0)
        stranger.context.close()
        for email, refused in (("bob@example.org", True), ("ann@example.org", False)):
            page = come_back(chromium, address, path, email, SECRET)
            page.get_by_role("button", name="Cancel", exact=True).click()
            refusal = page.get_by_test_id("stAlertContentError")
            expect(refusal if refused else page.get_by_text("Cancelled at")).to_be_visible()
            assert (queue.job(store, run.key).state == "queued") == refused
            page.context.close()
