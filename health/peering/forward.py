"""Peer requests for the sync process, brought to its Unix socket, and its answers back, whole.

    peer --/peer/v1/sync/...--> this node's listener --Unix socket--> sync process
                                     adds Tidegate-Peer-Node, Tidegate-Peer-Region: who was proven to be asking
    a kept line (lines.py) goes through as it is, message by message

Without a socket the answer is 503 `sync_absent`: the peer tries again later; nothing was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import aiohttp
from aiohttp import web

from health.peering import lines
from health.peering.client import CLOSE_S
from health.peering.identity import Peer
from health.peering.server import MAX_BODY_BYTES, problem

MAX_ANSWER_BYTES = 64 << 20
"""What a peer takes at most (client.py)."""
CONNECT_TIMEOUT_S = 5.0
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
        "host",
        "content-length",
    }
)
_OURS = ("tidegate-peer-",)
"""Only this listener says who was proven; whoever sends such a header itself is not believed."""


class SyncForward:
    """The handler to mount at `/peer/v1/sync/`."""

    def __init__(self, path: Path, *, streams_bodies: bool) -> None:
        """Bodies of signed requests have been read for their signature, and are not streamed."""
        self._path = path
        self._streams_bodies = streams_bodies
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, request: web.Request, peer: Peer) -> web.StreamResponse:
        headers = _end_to_end(request.headers.items())
        headers += [("Tidegate-Peer-Node", peer.node), ("Tidegate-Peer-Region", peer.region)]
        try:
            if lines.is_line(request.headers):
                return await self._line(request, headers)
            return await self._call(request, headers)
        except (aiohttp.ClientConnectorError, FileNotFoundError):
            return problem(503, "sync_absent", "found no sync process behind this node, expected one to be running")
        except aiohttp.ClientError as error:
            return problem(502, "sync_failed", f"found {type(error).__name__} from the sync process: {error}")

    async def _call(self, request: web.Request, headers: list[tuple[str, str]]) -> web.Response:
        data: object = None
        if request.body_exists:
            data = request.content if self._streams_bodies else await request.read()
        async with self._open().request(
            request.method, f"http://sync{request.raw_path}", headers=headers, data=data, allow_redirects=False
        ) as answer:
            return await _whole(answer)

    async def _line(self, request: web.Request, headers: list[tuple[str, str]]) -> web.StreamResponse:
        async with self._open().ws_connect(
            f"http://sync{request.raw_path}",
            headers=[(name, value) for name, value in headers if not name.lower().startswith("sec-websocket-")],
            max_msg_size=MAX_ANSWER_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
        ) as inner:
            outer = web.WebSocketResponse(max_msg_size=MAX_BODY_BYTES, compress=False)
            await outer.prepare(request)
            await lines.relayed(outer, inner)
        return outer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=str(self._path), limit=256),
                # Streams live as long as both ends want; who is silent too long is the sync protocol's to judge.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def _whole(answer: aiohttp.ClientResponse) -> web.Response:
    """All of it, so that the listener can say who answers, and sign it."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return problem(502, "sync_failed", f"found an answer above {MAX_ANSWER_BYTES} bytes from the sync process")
    return web.Response(status=answer.status, headers=_end_to_end(answer.headers.items()), body=bytes(body))


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in _HOP_BY_HOP and not name.lower().startswith(_OURS)
    ]
