"""An OpenID Connect provider of a few accounts and no passwords, to log in at the pages with; authorization code flow.

It signs with a key of its own, tells codes, nonces and clients apart, and has nothing to do with the code it tests.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "cityhub-pages", "known to this test alone"
# Claims by subject.
ACCOUNTS: dict[str, dict[str, str]] = {
    "7001": {"name": "李芳", "preferred_username": "lifang"},
    "7002": {"name": "陈强", "preferred_username": "chenqiang"},
}


class Provider:
    """Accounts, a signing key, and the codes that are out."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.key = RSAKey.generate_key(2048, parameters={"kid": "test", "use": "sig", "alg": "RS256"})
        self.codes: dict[str, dict[str, str]] = {}

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def choice(self, asked: dict[str, str]) -> str:
        """The page on which a person says which account is his."""
        links = "".join(
            f'<p><a href="/chosen?{urlencode(asked | {"sub": sub})}">{claims["name"]}</a></p>'
            for sub, claims in ACCOUNTS.items()
        )
        return f"<!doctype html><meta charset=utf-8><title>Log in</title>{links}"

    def code(self, chosen: dict[str, str]) -> str:
        """The address that the person's browser takes back to the pages."""
        code = secrets.token_urlsafe()
        self.codes[code] = {name: chosen[name] for name in ("sub", "nonce", "redirect_uri")}
        return f"{chosen['redirect_uri']}?{urlencode({'code': code, 'state': chosen['state']})}"

    def token(self, asked: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The identity token for a code, once, and for this client alone."""
        given = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = self.codes.pop(asked.get("code", ""), None)
        if authorization != f"Basic {given}" or known is None or known["redirect_uri"] != asked.get("redirect_uri"):
            return None
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": known["sub"], "nonce": known["nonce"]}
        claims |= {"iat": now, "exp": now + 300} | ACCOUNTS[known["sub"]]
        signed = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self.key)
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": signed}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        values = {name: found[0] for name, found in parse_qs(asked.query).items()}
        if asked.path == "/.well-known/openid-configuration":
            self._json(self.provider.metadata())
        elif asked.path == "/keys":
            self._json({"keys": [self.provider.key.as_dict(private=False)]})
        elif asked.path == "/authorize" and values.get("client_id") == CLIENT:
            self._send(200, "text/html", self.provider.choice(values))
        elif asked.path == "/chosen":
            self.send_response(302)
            self.send_header("Location", self.provider.code(values))
            self.end_headers()
        else:
            self._send(404, "text/plain", "")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        values = {name: found[0] for name, found in parse_qs(body).items()}
        token = self.provider.token(values, self.headers.get("Authorization", ""))
        self._json(token or {"error": "invalid_grant"}, 200 if token else 400)

    def _json(self, value: dict[str, Any], status: int = 200) -> None:
        self._send(status, "application/json", json.dumps(value))

    def _send(self, status: int, kind: str, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Nothing: what is asked holds codes."""


@contextmanager
def served() -> Iterator[str]:
    """The provider's issuer, while it answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    issuer = f"http://127.0.0.1:{server.server_port}"
    server.RequestHandlerClass = type("Handler", (_Handler,), {"provider": Provider(issuer)})
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()


def secrets_file(issuer: str, address: str) -> str:
    """What the pages at this address need to know of the provider, as Streamlit's secrets."""
    known = {
        "redirect_uri": f"{address}/oauth2callback",
        "cookie_secret": secrets.token_urlsafe(),
        "client_id": CLIENT,
        "client_secret": SECRET,
        "server_metadata_url": f"{issuer}/.well-known/openid-configuration",
    }
    return "[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in known.items())
