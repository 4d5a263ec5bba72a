"""One request, sent once, and what came of it. Nothing here tries again: that would hide what is to be seen."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tidegate.demo.traffic import sent_once

TIMEOUT_S = 6.0


@dataclass(frozen=True, slots=True)
class Got:
    """An answer, or why there is none."""

    status: int | None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str | None = None

    @property
    def reason(self) -> str | None:
        """The problem document's, or the error."""
        if self.error is not None or self.status is None or self.status < 400:
            return self.error
        told = self.json()
        return str(told.get("reason")) if isinstance(told, dict) else None

    def json(self) -> Any:
        """None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def new_session() -> aiohttp.ClientSession:
    """One client program's: connections are kept and used again, as browsers and desktop programs do."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10.0),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        middlewares=(sent_once,),
        auto_decompress=True,
    )


async def send(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Got:
    """Never raises: what goes wrong on the way is what came of it."""
    try:
        async with session.request(
            method,
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        ) as answer:
            return Got(answer.status, answer.headers.copy(), await answer.read())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Got(None, error=f"{type(error).__name__}: {error}".rstrip(": "))


def values_of(got: Got) -> tuple[str, ...]:
    """All that a region told of a key that holds several."""
    if got.status != 300:
        return ()
    siblings = got.json()["siblings"]
    return tuple(base64.b64decode(one["value_base64"]).decode(errors="replace") for one in siblings)
