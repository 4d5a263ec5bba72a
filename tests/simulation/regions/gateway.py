"""What becomes of one request at one region's gateway? The decisions of the product, on servers that are simulated.

    head ──decide──> refused here, or regions in order ──> session, endpoint ──> attempt ──> answer
                          └─ held until the data is there      ^──── again, if safe and within the budget

Nothing is decided here: routing, residency, sessions, retries, budgets and what is learnt of endpoints are the
product's (gateway/core); this page carries what gateway/proxy/exchange.py carries over sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.core.decision import Refusal, decide, failed_everywhere, next_endpoint, no_endpoint
from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead
from gateway.core.problems import Answer
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.core.sticky import Stay, World
from gateway.dataplane import DataPlane
from gateway.errors import AnswerTimeout, ConnectFailed, ConnectionLost, UpstreamError
from gateway.proxy.attempts import Attempts
from sync.store import Record
from tests.simulation.regions.backends import Backends
from tests.simulation.regions.wire import Unanswered, Wire

LISTENER = "public"
CLIENT_IP = "192.0.2.7"


@dataclass(frozen=True)
class Answered:
    """What the client gets."""

    status: int
    reason: str = ""
    """Slug, of an answer that is the gateway's own."""
    endpoint: str = ""
    set_cookie: bytes = b""
    location: str = ""
    session: str = ""
    """What became of a session that sticks."""
    body: bytes = b""
    read: Read | None = None


@dataclass(frozen=True)
class Read:
    """What a read of the data found, and what its store had applied before it looked."""

    applied: Mapping[str, int]
    record: Record | None


@dataclass(frozen=True)
class Attempted:
    """One attempt as a gateway made it."""

    gateway: str
    life: int
    """Of the node's process, counted."""
    token: str
    route: str
    endpoint: str
    region: str
    at: float


Data = Callable[[RequestHead, bytes], Awaitable[Answered]]


class Gateway:
    """One node's."""

    def __init__(
        self,
        plane: DataPlane,
        *,
        region: str,
        life: int,
        wire: Wire,
        backends: Backends,
        attempted: list[Attempted],
        data: Data,
    ) -> None:
        self._plane = plane
        self._region = region
        self._life = life
        self._wire = wire
        self._backends = backends
        self._attempted = attempted
        self._data = data

    async def ask(self, head: RequestHead, token: str, body: bytes = b"") -> Answered:
        snapshot = self._plane.snapshot
        if snapshot is None:
            return Answered(503, "starting")
        decided = await self._decided(snapshot, head)
        if isinstance(decided, Refusal):
            return _own(decided.answer)
        if decided.service.is_data:
            return await self._data(head, body)
        return await Exchange(self, self._plane.snapshot or snapshot, decided, head, token).run()

    async def _decided(self, snapshot: RoutingSnapshot, head: RequestHead) -> Forward | Refusal:
        """Once the data is there, or time is up."""
        plane = self._plane
        until = plane.now()
        decided = decide(snapshot, head, LISTENER, _nowhere, CLIENT_IP)
        if isinstance(decided, Refusal):
            until += decided.wait_s
        while isinstance(decided, Refusal) and decided.wait_s and plane.now() < until:
            await plane.data_moves(within_s=until - plane.now())
            decided = decide(plane.snapshot or snapshot, head, LISTENER, _nowhere, CLIENT_IP)
        return decided


def _nowhere() -> str | None:
    return None


def _own(answer: Answer) -> Answered:
    location = answer.location.decode() if answer.location else ""
    return Answered(answer.status, answer.reason, location=location)


class Exchange:
    """One request that is forwarded."""

    def __init__(
        self, gateway: Gateway, snapshot: RoutingSnapshot, forward: Forward, head: RequestHead, token: str
    ) -> None:
        self._gateway = gateway
        self._plane = gateway._plane
        self._snapshot = snapshot
        self._forward = forward
        self._head = head
        self._token = token
        self._attempts = Attempts(self._plane.book)
        self._lane = self._plane.lane(forward.service.id)
        cookie = forward.service.sticky
        self._stay = None if cookie is None else Stay(cookie, head, wall=self._plane.wall())

    async def run(self) -> Answered:
        plane, service = self._plane, self._forward.service
        self._lane.budget.requests += 1
        if self._stay is not None:
            self._forward = self._stay.settle(self._forward, self._world(), CLIENT_IP)
        endpoint = self._next()
        while True:
            if endpoint is None:
                away = self._stay.refusal(self._forward) if self._stay is not None else None
                return _own(away or no_endpoint(self._forward))
            self._attempts.begin(endpoint, now=plane.now())
            self._note(endpoint)
            try:
                status = await self._attempt(endpoint)
            except UpstreamError as error:
                self._attempts.fail(endpoint.id, error, now=plane.now())
                done = self._attempts.count - 1
                may = service.retries.allows_error(error, method=self._head.method, retries_done=done)
                if not (may and self._lane.budget.take(service.retries, now=plane.now())):
                    return _own(failed_everywhere(self._forward, error))
            else:
                self._attempts.answered(endpoint.id, status, now=plane.now())
                self._attempts.end(endpoint.id)
                done = self._attempts.count - 1
                may = service.retries.allows_status(status, method=self._head.method, retries_done=done)
                if not (may and self._lane.budget.take(service.retries, now=plane.now())):
                    return self._answer(endpoint, status)
            endpoint = self._next()
            if endpoint is None:
                self._attempts.tried.clear()
                await asyncio.sleep(service.retries.backoff_s(self._attempts.count - 1, plane.rng))
                endpoint = self._next()

    def _answer(self, endpoint: Endpoint, status: int) -> Answered:
        stay, plane = self._stay, self._plane
        if stay is None:
            return Answered(status, endpoint=endpoint.id)
        line = stay.answered(endpoint, status, wall=plane.wall(), rng=plane.rng)
        return Answered(status, endpoint=endpoint.id, set_cookie=line, session=stay.sentence)

    def _world(self) -> World:
        plane = self._plane
        return World(self._snapshot, plane.snapshot, plane.book, plane.rng, plane.now())

    def _next(self) -> Endpoint | None:
        plane = self._plane
        if self._stay is not None:
            return self._stay.next_endpoint(self._forward, self._world(), tried=self._attempts.tried)
        return next_endpoint(
            self._snapshot,
            self._forward,
            plane.book,
            tried=self._attempts.tried,
            rng=plane.rng,
            now=plane.now(),
            current=plane.snapshot,
        )

    def _note(self, endpoint: Endpoint) -> None:
        gateway = self._gateway
        gateway._attempted.append(
            Attempted(
                gateway._region,
                gateway._life,
                self._token,
                self._forward.route.id,
                endpoint.id,
                endpoint.region,
                asyncio.get_running_loop().time(),
            )
        )

    async def _attempt(self, endpoint: Endpoint) -> int:
        """The status. Raises UpstreamError."""
        gateway, service = self._gateway, self._forward.service
        server, wire = gateway._backends.servers[endpoint.id], gateway._wire
        try:
            await wire.reach(gateway._region, server.region, timeout_s=service.connect_timeout_s)
        except Unanswered as error:
            raise ConnectFailed(str(error), timed_out=True) from error
        if server.mood == "refuses":
            raise ConnectFailed("connection refused", refused=True)
        limit_s = service.try_timeout_s or 1.0
        try:
            async with asyncio.timeout(limit_s):
                status = await server.answer(self._token, gateway._region, gateway._backends)
                await wire.reach(server.region, gateway._region, timeout_s=limit_s)
        except TimeoutError as error:
            raise AnswerTimeout(f"no answer in {limit_s:g} s") from error
        except Unanswered as error:
            raise ConnectionLost(str(error)) from error
        return status
