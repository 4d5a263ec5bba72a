"""A token issuer: its keys, its tokens, and a real server that publishes and introspects."""

from __future__ import annotations

import base64
import json
import warnings
from typing import Any

from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

NOW = 1_700_000_000
CLAIMS = {"iss": "https://issuer/", "aud": "api", "sub": "alice", "exp": NOW + 300}

Key = RSAKey | ECKey | OKPKey


def rsa(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid})


def ec(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def ed(kid: str) -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": kid})


def token(key: Key, algorithm: str, claims: dict[str, Any] | None = None, **header: Any) -> str:
    """Signed, with the key's id in its header unless another is given."""
    payload = json.dumps(CLAIMS if claims is None else claims)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EdDSA has a newer name
        return jws.serialize_compact({"alg": algorithm, "kid": key.kid, **header}, payload, key, algorithms=[algorithm])


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, ""))


def published(*keys: Key) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


class Issuer:
    """Listens on loopback. What it says is what its attributes are."""

    def __init__(self) -> None:
        self.keys = b'{"keys": []}'
        self.status = 200
        self.key_asks = 0
        self.active: dict[str, dict[str, Any]] = {}
        self.asks: list[tuple[str, str | None]] = []
        """Tokens asked about, with the asker's credentials."""

    async def __aenter__(self) -> Issuer:
        app = web.Application()
        app.router.add_get("/jwks", self._jwks)
        app.router.add_post("/introspect", self._introspect)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    async def _jwks(self, request: web.Request) -> web.Response:
        self.key_asks += 1
        return web.Response(status=self.status, body=self.keys)

    async def _introspect(self, request: web.Request) -> web.Response:
        shown = str((await request.post())["token"])
        self.asks.append((shown, request.headers.get("Authorization")))
        return web.json_response(self.active.get(shown, {"active": False}), status=self.status)
