"""A provider of logins on this machine: whoever clicks a name is signed in as that one."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import time
from urllib.parse import parse_qs, urlencode, urlparse

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.loopback import Loopback, Quiet

CLIENT, SECRET = "explorer", "what the provider gave the server"


class Provider(Loopback):
    """OpenID Connect's code flow with proof of the asking side (PKCE)."""

    def __init__(self, *readers: str):
        super().__init__(Handler)
        self.readers = readers  # addresses to choose from
        self.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
        self.codes: dict[str, tuple[str, dict[str, str]]] = {}  # code -> reader, what was asked for them
        self.metadata_url = f"{self.address}/.well-known/openid-configuration"

    def metadata(self) -> dict[str, object]:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {name: f"{self.address}/{place}" for name, place in places.items()} | {
            "issuer": self.address,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def choice(self, asked: dict[str, str]) -> str:
        """A page with a link for every reader, each leading back with a code."""
        links = []
        for reader in self.readers:
            code = secrets.token_urlsafe()
            self.codes[code] = reader, asked
            back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            links.append(f'<p><a href="{html.escape(back)}">{reader}</a></p>')
        return "".join(links)

    def token(self, sent: dict[str, str]) -> dict[str, object]:
        """What a code is worth, once, to the side that asked for it.

        Raises:
            KeyError: there is no such code.
            PermissionError: another side holds it.
        """
        reader, asked = self.codes.pop(sent["code"])
        proof = base64.urlsafe_b64encode(hashlib.sha256(sent["code_verifier"].encode()).digest()).decode().rstrip("=")
        if proof != asked["code_challenge"]:
            raise PermissionError
        told = {"iss": self.address, "aud": CLIENT, "sub": reader, "email": reader, "nonce": asked["nonce"]}
        told |= {"iat": int(time.time()), "exp": int(time.time()) + 600}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, told, self.key)
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 600, "id_token": signed}


class Handler(Quiet):
    server: Provider

    def do_GET(self) -> None:
        place = urlparse(self.path)
        if place.path == "/authorize":
            self._send(self.server.choice(_fields(place.query)), "text/html")
        elif place.path == "/keys":
            self._send(json.dumps({"keys": [self.server.key.as_dict(private=False)]}))
        else:
            self._send(json.dumps(self.server.metadata()))

    def do_POST(self) -> None:
        sent = _fields(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        assert self.headers["Authorization"] == f"Basic {known}", "the server shows the secret that it was given"
        self._send(json.dumps(self.server.token(sent)))

    def _send(self, body: str, kind: str = "application/json") -> None:
        self.send(body.encode(), {"Content-Type": kind})


def _fields(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
