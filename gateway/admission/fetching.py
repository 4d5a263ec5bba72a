"""What does an issuer's server say? Bounded in time and size, no redirects: an answer or one reason why not."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import aiohttp

TIMEOUT_S: Final = 5.0
MAX_BYTES: Final = 512 * 1024
MAX_CONNECTIONS: Final = 32


class FetchFailed(Exception):
    """The message says what happened."""


class Fetcher:
    """One data plane's; connections are kept."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> bytes:
        """Raises `FetchFailed`."""
        return await self._ask("GET", url, None, {})

    async def post(self, url: str, form: Mapping[str, str], credentials: tuple[str, str]) -> bytes:
        """A form, with Basic credentials. Raises `FetchFailed`."""
        spelt = ":".join(quote(part, safe="") for part in credentials)  # RFC 6749 section 2.3.1
        basic = "Basic " + base64.b64encode(spelt.encode()).decode()
        return await self._ask("POST", url, form, {"Authorization": basic})

    async def _ask(self, method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str]) -> bytes:
        session = self._session
        if session is None:
            session = self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "User-Agent": "tidegate"},
            )
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                session.request(method, url, data=form, headers=headers, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise FetchFailed(f"found status {answer.status}, expected 200")
                content = await answer.content.read(MAX_BYTES + 1)
                while len(content) <= MAX_BYTES and (more := await answer.content.read(MAX_BYTES + 1)):
                    content += more
        except TimeoutError:
            raise FetchFailed(f"found no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(f"found {type(error).__name__}: {error}") from None
        if len(content) > MAX_BYTES:
            raise FetchFailed(f"found more than {MAX_BYTES} bytes")
        return content

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
