"""This node among its peers: the listener, the client, and what is mounted behind the listener.

regions[].peers ──> addresses of all nodes        peer.bind ──> the listener, in the control process
/peer/v1/soft        health/peering/gossip.py        /peer/v1/acceptor   this node's embedded acceptor
/peer/v1/sync/*      <data_dir>/peer-sync.socket       /peer/v1/hello      who is there
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec
from aiohttp import web

from config.core.signing import Signer
from config.mesh_keys import mesh_signer
from config.models import Acceptor, Config
from config.models import Peer as PeerOptions
from config.secrets import resolve
from gateway.keyring import Keyring
from health.core.acceptor import Request
from health.core.votes import WITNESS
from health.peering.certificates import client_context, files_of, server_context
from health.peering.client import PeerClient
from health.peering.forward import SyncForward
from health.peering.identity import Identity, Peer
from health.peering.server import PeerServer, hosts_of, problem, runner_of
from health.quorum.acceptors import PATH as ACCEPTOR_PATH
from health.quorum.acceptors import Silent, StoredAcceptor
from health.quorum.sqlite import SqliteCells
from tidegate.node import replication, sockets
from tidegate.node.logs import Log
from tidegate.node.plan import Address
from tidegate.node.renewal import Renewal, TlsSite
from tidegate.node.tasks import Tasks
from tidegate.node.wall import wall

SAY_EVERY_S = 60.0
"""The same refusal again is not said more often; the counters have all of them."""


def witness_urls(config: Config) -> tuple[str, ...]:
    """Where the witness is asked for votes, and as an acceptor."""
    quorum = config.failover.quorum if config.failover is not None else None
    voting = [quorum.witness] if quorum is not None and quorum.witness is not None else []
    election = config.election
    acceptors = election.acceptors if election is not None and election.acceptors != "auto" else ()
    accepting = [
        one.url for one in acceptors if isinstance(one, Acceptor) and one.witness and one.url.startswith("http")
    ]
    return tuple(dict.fromkeys(url.rstrip("/") for url in (*voting, *accepting)))


class Peers:
    """Made when `peer` is configured."""

    def __init__(
        self,
        options: PeerOptions,
        config: Config,
        *,
        environ: Mapping[str, str],
        log: Log,
        is_witness: bool = False,
    ) -> None:
        """Raises `SecretUnavailable`, `KeysUnusable` or `CertificateUnusable`."""
        self._options = options
        self._log = log
        self._said: dict[str, float] = {}
        regions = {region.id: region.peers for region in config.regions}
        witnesses = witness_urls(config)
        self.urls = tuple(dict.fromkeys([*(url for urls in regions.values() for url in urls), *witnesses]))
        """Of all nodes, and of the witness."""
        known = {**regions, WITNESS: witnesses} if witnesses else regions
        self.by_region = {region: urls for region, urls in regions.items() if urls}
        self._keyring = Keyring(self._keys_changed, make=partial(mesh_signer, environ=environ))
        self._keyring.adopt(self._keyring.load(config))
        self._identity = identity = Identity(
            node=config.node.id,
            region=WITNESS if is_witness else config.node.region,
            regions=known,
            signer=self._keyring.signer,
        )
        signer = None if options.secret is None else Signer((resolve(options.secret, environ=environ),))
        self._site: TlsSite | None = None
        tls = options.tls
        self.renewal = Renewal("peer channel", files=lambda: files_of(tls), renew=self._renew, log=log)
        self._tls: ssl.SSLContext | None = None if options.tls is None else server_context(options.tls)
        self.client = PeerClient(
            identity,
            signer=signer,
            tls=None if options.tls is None else client_context(options.tls),
            wall=wall,
        )
        self.server = PeerServer(
            identity,
            signer=signer,
            hosts=hosts_of(known),
            wall=wall,
            clock=time.monotonic,
            on_refused=self._refused,
        )
        data_dir = Path(config.node.data_dir)
        self._acceptor = StoredAcceptor(SqliteCells(data_dir / "acceptor.sqlite"))
        self._forward = SyncForward(data_dir / replication.SOCKET, streams_bodies=signer is None)
        self.server.mount(ACCEPTOR_PATH, self._vote)
        self.server.mount("/peer/v1/sync/", self._forward)
        self.server.mount("/peer/v1/hello", self._hello)

    async def serve(self) -> None:
        """Until cancelled. Raises `AddressUnavailable`."""
        bind = self._options.bind
        # A control process that replaces one which is just ending may listen beside it.
        listening = sockets.listen(Address("peer", bind.host, bind.port, "peer.bind"))
        runner = runner_of(self.server)
        self._site = TlsSite(runner, listening, backlog=128)
        try:
            await runner.setup()
            await self._site.show(self._tls)
            await asyncio.Event().wait()
        finally:
            site, self._site = self._site, None
            await site.close()

    def start(self, tasks: Tasks) -> None:
        """Serve, and follow the files of certificates and keys."""
        tasks.keep("peer listener", self.serve)
        tasks.keep("peer certificates", self.renewal.run)
        tasks.keep("peer keys", self._keyring.run)

    def _keys_changed(self) -> None:
        self._identity.adopt(self._keyring.signer)

    async def _renew(self) -> None:
        """Raises `CertificateUnusable`."""
        tls = self._options.tls
        if tls is None:
            return
        self._tls = await asyncio.to_thread(server_context, tls)
        self.client.renew(await asyncio.to_thread(client_context, tls))
        if self._site is not None:
            await self._site.show(self._tls)

    async def _hello(self, request: web.Request, peer: Peer) -> web.Response:
        return web.Response(body=b"{}", content_type="application/json")

    async def _vote(self, request: web.Request, peer: Peer) -> web.Response:
        try:
            asked: Request = msgspec.json.decode(await request.read(), type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(400, "malformed_body", f"found a request that is not understood: {error}")
        try:
            answer = await self._acceptor.ask(asked)
        except Silent as silent:
            self._refused("acceptor_unavailable", str(silent))
            return problem(503, "acceptor_unavailable", str(silent))
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    def _refused(self, reason: str, detail: str) -> None:
        now = time.monotonic()
        if now - self._said.get(reason, -SAY_EVERY_S) >= SAY_EVERY_S:
            self._said[reason] = now
            self._log.warning("a peer's request was refused", reason=reason, detail=detail)

    async def close(self) -> None:
        await self.client.close()
        await self._forward.close()
        await self._acceptor.close()
