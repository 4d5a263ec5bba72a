"""How a write gets to the region that takes it: one question over the peer channel, answered by a data API there.

    data API here ──Carried──> POST /peer/v1/sync/write ──data_dir/sync.sock──> data API there ──Answered──> as it is

Every node of the region is asked in turn until one holds the lease. What was sent carries its operation id, so a node
that wrote it and could not answer does not write it twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from config.models import Config
from gateway.core.data_service import SOCKET
from health.peering.client import PeerClient, PeerRefused, PeerUnreachable
from sync.api.behind_aiohttp import read_body
from sync.api.primary import CARRIED_FROM, Answered, Carried, PrimaryUnreachable
from tidegate.node.peer_refusals import refusal

WRITE: Final = "/peer/v1/sync/write"
DATA: Final = "/data/v1/"
EXTRA_S: Final = 3.0
"""For an answer, beyond what the write itself may wait for other regions."""
MAX_BODY: Final = 8 << 20
_OURS: Final = CARRIED_FROM.lower()


class Carrier:
    """Both ends, of one sync process."""

    def __init__(self, config: Config, client: PeerClient) -> None:
        self._client = client
        self._own_node = config.node.id
        self._peers = {region.id: tuple(region.peers) for region in config.regions}
        self._timeout_s = (config.sync.ack_timeout if config.sync is not None else 2.0) + EXTRA_S
        self._path = Path(config.node.data_dir) / SOCKET
        self._session: aiohttp.ClientSession | None = None

    async def carry(self, region: str, asked: Carried) -> Answered:
        """Raises PrimaryUnreachable."""
        frame = msgspec.msgpack.encode(asked)
        why = "no address of it is known"
        refusal: Answered | None = None
        for url in self._peers.get(region, ()):
            try:
                peer, answer = await self._client.call(url, "POST", WRITE, frame, timeout_s=self._timeout_s)
                answered = msgspec.msgpack.decode(answer, type=Answered)
            except (PeerUnreachable, PeerRefused, msgspec.DecodeError) as error:
                why = str(error)
                continue
            if peer.region != region:
                why = f"{url} stands in {peer.region}"
                continue
            if answered.status != 503:
                return answered
            refusal = answered
        if refusal is not None:
            return refusal
        raise PrimaryUnreachable(why)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """What a peer brings, as control's listener has proven who it is."""
        body = await read_body(request, at_most=MAX_BODY)
        if body is None:
            return refusal(413, "too_large", f"a write above {MAX_BODY} bytes")
        try:
            asked = msgspec.msgpack.decode(body, type=Carried)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return refusal(400, "malformed_frame", f"no write: {error}")
        if not asked.path.startswith(DATA) or asked.method not in {"PUT", "PATCH", "DELETE", "POST"}:
            return refusal(
                400, "malformed_frame", f"{asked.method[:20]} of another path, expected a write below {DATA}"
            )
        region = request.headers.get("Tidegate-Peer-Region", "")
        headers = [(name, value) for name, value in asked.headers if name.lower() != _OURS]
        headers.append((CARRIED_FROM, region))
        try:
            async with self._open().request(
                asked.method, f"http://data{asked.path}", headers=headers, data=asked.body, allow_redirects=False
            ) as answer:
                kept = tuple(
                    (str(name), value) for name, value in answer.headers.items() if name.lower() not in _FRAMING
                )
                answered = Answered(answer.status, kept, await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return refusal(503, "data_unavailable", f"the data API does not answer ({type(error).__name__})")
        return web.Response(body=msgspec.msgpack.encode(answered), content_type="application/octet-stream")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=str(self._path), limit=1024),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


_FRAMING: Final = frozenset({"content-length", "transfer-encoding", "connection", "date", "server"})
