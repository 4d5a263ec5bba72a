"""Asking a peer: kept connections, one deadline, and an answer only from who was meant.

call(url, ...) --> bytes of a 200     PeerRefused: it answered, and said no     PeerUnreachable: nobody answered
open_line(url, path) --> a kept line (lines.py)
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp
import msgspec

from config.core.signing import Signer
from health.peering.identity import Identity, Peer, Stranger
from health.peering.lines import Line, LineBroken, greeted
from health.peering.signing import is_answer_signed, signed

MAX_ANSWER_BYTES = 64 << 20
"""A whole state: ten thousand rows of some KiB."""
MAX_CONNECTIONS_PER_PEER = 8
CLOSE_S = 1.0
"""For the other side's goodbye."""


class PeerUnreachable(Exception):
    """No answer, or none that can be one of ours; whether the request was acted on is not known."""


class PeerRefused(Exception):
    """The peer answered with a problem."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


class _Problem(msgspec.Struct):
    reason: str = "unknown"
    detail: str = ""


class PeerClient:
    """One for all peers of a node."""

    def __init__(
        self, identity: Identity, *, signer: Signer | None, tls: ssl.SSLContext | None, wall: Callable[[], float]
    ) -> None:
        self._identity = identity
        self._signer = signer
        self._tls = tls
        self._wall = wall
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self, url: str, method: str, path: str, body: bytes = b"", *, timeout_s: float
    ) -> tuple[Peer, bytes]:
        """`url` is a peer's origin. Raises `PeerUnreachable` or `PeerRefused`."""
        headers, nonce = self._proof(method, path, body)
        try:
            async with self._open().request(
                method,
                url.rstrip("/") + path,
                data=body or None,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,
                ssl=self._tls if self._tls is not None else True,
            ) as answer:
                content = await _bounded(answer)
                peer = self._identity.recognise(answer.headers)
                self._check(answer, peer, content, nonce)
                status = answer.status
        except Stranger as stranger:
            raise PeerUnreachable(f"{url}: {stranger}") from stranger
        except TimeoutError as error:
            raise PeerUnreachable(f"{url}: no answer in {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PeerUnreachable(f"{url}: {error or type(error).__name__}") from error
        if status != 200:
            raise _refused(status, content)
        return peer, content

    async def open_line(self, url: str, path: str, *, timeout_s: float, now: float) -> Line | None:
        """None: the peer answers, and gives no line; `call` tells why. Raises `PeerUnreachable`."""
        headers, nonce = self._proof("GET", path, b"")
        socket: aiohttp.ClientWebSocketResponse | None = None
        line: Line | None = None
        try:
            async with asyncio.timeout(timeout_s):
                socket = await self._open().ws_connect(
                    url.rstrip("/") + path,
                    headers=headers,
                    ssl=self._tls if self._tls is not None else True,
                    max_msg_size=MAX_ANSWER_BYTES,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                )
                line = await greeted(socket, self._identity, self._signer, nonce=nonce, now=now)
        except aiohttp.WSServerHandshakeError:
            return None
        except (Stranger, LineBroken) as error:
            raise PeerUnreachable(f"{url}: {error}") from error
        except TimeoutError as error:
            raise PeerUnreachable(f"{url}: no line in {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PeerUnreachable(f"{url}: {error or type(error).__name__}") from error
        finally:
            if socket is not None and line is None:
                await socket.close()  # whoever does not greet would else hold a place among the peer's connections
        return line

    def _proof(self, method: str, path: str, body: bytes) -> tuple[dict[str, str], str]:
        """Headers that say who asks, and the nonce of their signature."""
        headers = dict(self._identity.headers)
        nonce = secrets.token_hex(16)
        if self._signer is not None:
            headers |= signed(
                self._signer, method=method, target=path, who=headers, body=body, wall=self._wall(), nonce=nonce
            )
        return headers, nonce

    def _check(self, answer: aiohttp.ClientResponse, peer: Peer, content: bytes, nonce: str) -> None:
        """An answer to a request that was refused as a stranger's cannot be signed: its nonce was not believed."""
        if self._signer is None or answer.status in {400, 401, 403, 413, 503}:
            return
        signature = answer.headers.get("Tidegate-Signature", "")
        if not is_answer_signed(
            self._signer, signature, nonce=nonce, status=answer.status, body=content, node=peer.node
        ):
            raise Stranger(401, "bad_signature", "found an answer without a signature by `peer.secret`")

    def renew(self, tls: ssl.SSLContext) -> None:
        """From now on connections begin with this; kept ones of before are not used again."""
        self._tls = tls

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit_per_host=MAX_CONNECTIONS_PER_PEER, ttl_dns_cache=30)
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise ValueError(f"found an answer above {MAX_ANSWER_BYTES} bytes")
    return bytes(content)


def _refused(status: int, content: bytes) -> PeerRefused:
    try:
        told = msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _Problem(detail=f"status {status}")
    return PeerRefused(status, told.reason[:100], told.detail[:500])


def origin(url: str) -> str:
    """Scheme, host and port alone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
