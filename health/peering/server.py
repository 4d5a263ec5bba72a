"""The listener for peers: who may come in, and what is behind which path.

    request --> one of us? (identity) --> proven? (certificate of its region, or signature) --> handler of the path
                   no: a problem document that says what differs; nothing behind a path has seen the request

Paths are mounted by prefix, the longest wins. With signed requests the body is read, within bounds, before anything
is believed; over TLS it is the handler's to stream.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from aiohttp import web

from config.core.signing import Signer
from health.peering.certificates import speaks_for
from health.peering.identity import Identity, Peer, Stranger
from health.peering.signing import Verifier, sign_answer

MAX_BODY_BYTES = 8 << 20
"""A batch of changes has 4 MiB, a whole state a few; a longer body is refused unread."""

Handler = Callable[[web.Request, Peer], Awaitable[web.StreamResponse]]


class PeerServer:
    """All that is mounted, behind one door."""

    def __init__(
        self,
        identity: Identity,
        *,
        signer: Signer | None,
        hosts: Mapping[str, frozenset[str]],
        wall: Callable[[], float],
        clock: Callable[[], float],
        on_refused: Callable[[str, str], None] = lambda reason, detail: None,
    ) -> None:
        """`signer` is the shared secret's; None: mutual TLS. `hosts`: region -> hosts of its peers' addresses."""
        self._identity = identity
        self._signer = signer
        self._verifier = Verifier(signer) if signer is not None else None
        self._hosts = hosts
        self._wall = wall
        self._clock = clock
        self._on_refused = on_refused
        self._mounted: dict[str, Handler] = {}
        self.refused: dict[str, int] = {}
        """Requests turned away, by reason."""

    def mount(self, prefix: str, handler: Handler) -> None:
        """`handler` answers the path `prefix`, and what is below it when it ends with a slash."""
        self._mounted[prefix] = handler

    async def handle(self, request: web.Request) -> web.StreamResponse:
        nonce: str | None = None
        try:
            peer = self._identity.recognise(request.headers)
            if self._verifier is not None:
                nonce = self._verifier.verify(
                    request.headers,
                    method=request.method,
                    target=request.raw_path,
                    body=await request.read(),
                    wall=self._wall(),
                    now=self._clock(),
                )
            else:
                self._check_certificate(request, peer)
            answer = await self._answer(request, peer)
        except Stranger as stranger:
            self.refused[stranger.reason] = self.refused.get(stranger.reason, 0) + 1
            self._on_refused(stranger.reason, str(stranger))
            answer = problem(stranger.status, stranger.reason, str(stranger))
        except web.HTTPRequestEntityTooLarge:
            answer = problem(413, "body_too_large", f"found a larger body, expected at most {MAX_BODY_BYTES} bytes")
        if not answer.prepared:
            answer.headers.update(self._identity.headers)
            if self._signer is not None and nonce is not None and isinstance(answer, web.Response):
                body = answer.body if isinstance(answer.body, bytes) else b""
                answer.headers["Tidegate-Signature"] = sign_answer(
                    self._signer, nonce=nonce, status=answer.status, body=body, node=self._identity.node
                )
        return answer

    async def _answer(self, request: web.Request, peer: Peer) -> web.StreamResponse:
        path = request.path
        prefixes = [one for one in self._mounted if path == one or (one.endswith("/") and path.startswith(one))]
        if not prefixes:
            return problem(404, "no_such_path", f"found no {path[:200]}, expected a path of the peer protocol")
        return await self._mounted[max(prefixes, key=len)](request, peer)

    def _check_certificate(self, request: web.Request, peer: Peer) -> None:
        transport = request.transport
        certificate = transport.get_extra_info("peercert") if transport is not None else None
        if not speaks_for(certificate, peer.region, self._hosts.get(peer.region, frozenset())):
            raise Stranger(
                403,
                "region_mismatch",
                f"found a certificate that does not speak for {peer.region}, expected one that names it or its peers",
            )

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app


def problem(status: int, reason: str, detail: str) -> web.Response:
    """RFC 9457, as everywhere in Tidegate."""
    instance = secrets.token_hex(12)
    document = {
        "type": f"urn:tidegate:problem:{reason.replace('_', '-')}",
        "title": reason.replace("_", " "),
        "status": status,
        "detail": detail,
        "instance": instance,
        "reason": reason,
    }
    return web.Response(status=status, body=json.dumps(document).encode(), content_type="application/problem+json")


def runner_of(server: PeerServer) -> web.AppRunner:
    """Not set up yet."""
    return web.AppRunner(server.app(), access_log=None, shutdown_timeout=1.0, keepalive_timeout=75.0)


def hosts_of(peers: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """Region -> URLs, to region -> hosts."""
    return {
        region: frozenset(host for host in (urlsplit(url).hostname for url in urls) if host)
        for region, urls in peers.items()
    }
