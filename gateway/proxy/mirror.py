"""A copy of a request, for another service: what comes back is read, counted, and thrown away.

    original  ──head──>  Copy: an endpoint, a connection of its own
              ──body──>  written as it comes; what the endpoint does not take yet waits, within bounds

Nothing waits for a copy, and no copy waits for a place at its service. Nothing is tried twice, and whatever goes wrong
with it ends the copy alone. It carries the original's request id, and `Tidegate-Mirror` with the route's name, so that
whoever gets it can tell: no client's field of that name passes. Residency binds it like the original: the same regions,
asked again when it is sent, and on record.
"""

from __future__ import annotations

from typing import Final

from gateway.core import mirroring, reasons
from gateway.core.audit import transfer
from gateway.core.data_service import with_line
from gateway.core.gate import Endpoint
from gateway.core.head import RequestHead
from gateway.core.outgoing import copied
from gateway.core.plans import RoutePlan, ServicePlan
from gateway.core.response import ResponseHead
from gateway.core.snapshot import Forward, RoutingSnapshot
from gateway.errors import AnswerTimeout, ConnectFailed, UpstreamError
from gateway.proxy.attempts import Attempts
from gateway.proxy.peer import Peer
from gateway.proxy.ports import Runtime
from gateway.proxy.roles import Upstream
from gateway.proxy.upstream import connect

FIELD: Final = b"Tidegate-Mirror"


def mark_of(route: str) -> bytes:
    """The field line that tells a copy."""
    return b"%b: %b\r\n" % (FIELD, route.encode())


def is_picked(forward: Forward, head: RequestHead, runtime: Runtime) -> bool:
    """Whether this request is one of those that are copied. A tunnel never is: nobody would speak on its other end."""
    shaping = forward.route.shaping
    if shaping is None or shaping.mirror is None or head.is_websocket:
        return False
    return runtime.rng.random() < shaping.mirror.share


class Copy:
    """One request's. It answers to nobody."""

    __slots__ = (
        "_answer_bytes",
        "_attempts",
        "_began_at",
        "_connection",
        "_data",
        "_has_place",
        "_held",
        "_is_endpoint_full",
        "_lane",
        "_request_ended",
        "_route",
        "_runtime",
        "_service",
        "_status",
        "_waiting",
        "head",
        "outcome",
    )

    def __init__(self, runtime: Runtime, route: RoutePlan, service: ServicePlan, head: RequestHead) -> None:
        """`route` is the plan of the copies, `head` what the original's endpoint gets."""
        self._runtime = runtime
        self._route = route
        self._service = service
        self._lane = runtime.lane(service.id)
        self._has_place = False
        """Whether it counts among its service's requests."""
        self._attempts = Attempts(runtime.book)
        self._connection: Upstream | None = None
        self._began_at = runtime.now()
        self._data = b""
        """The head, until there is a connection."""
        self._waiting: list[bytes] = []
        self._held = 0
        """Bytes that wait."""
        self._is_endpoint_full = False
        self._request_ended = not head.body_length
        self._status = 0
        self._answer_bytes = 0
        self.outcome = ""
        """How it ended; empty while it has not."""
        if head.expects_continue:
            head = copied(head)
            head.expects_continue = False  # the original's endpoint is asked, and the copy goes by what that one says
        self.head = head

    @property
    def idle_timeout_s(self) -> float:
        return self._service.idle_timeout_s

    @property
    def told(self) -> str:
        """For the original's line in the log, which does not wait for the copy's answer."""
        return f"{self._service.id}: {self.outcome}" if self.outcome else self._service.id

    # -- from the original

    def begin(self, snapshot: RoutingSnapshot, peer: Peer, request_id: bytes) -> None:
        """Send it on its way, if there is room for it and somebody to send it to."""
        runtime, route = self._runtime, self._route
        shedding = runtime.door.shedding
        if shedding is not None and shedding.level:
            self._end(reasons.SHED)
            return
        if runtime.mirrors.is_full:
            self._end(reasons.TOO_MANY_COPIES)
            return
        endpoint = mirroring.endpoint_for_copy(
            snapshot,
            route,
            runtime.book,
            country=peer.country() if route.uses_country else None,
            client=peer.client_ip,
            rng=runtime.rng,
            now=runtime.now(),
            current=runtime.snapshot,
        )
        if endpoint is None:
            self._end(reasons.NO_HEALTHY_ENDPOINT)
            return
        bulkhead = self._lane.bulkhead
        if not self._lane.enter():  # it does not wait: its body would, and whoever asks the service itself goes first
            self._end(reasons.SERVICE_FULL if bulkhead.may_connect() else reasons.UPSTREAM_CONNECTION_LIMIT)
            return
        self._has_place = True
        local = snapshot.routing.region
        connection = runtime.pool.take(endpoint)
        if route.is_audited and endpoint.region != local:
            runtime.audit({**transfer(route, local, endpoint, request_id), "purpose": "mirror"})
        authority = f"{endpoint.host}:{endpoint.port}".encode()
        data = peer.forwarding.request(self.head, request_id, authority, peer.origin)
        if endpoint.is_gateway:
            data = with_line(data, runtime.hops.line(snapshot, route, endpoint, self.head, peer, is_copy=True))
        self._data = with_line(data, mark_of(route.id))
        self._attempts.begin(endpoint, now=runtime.now())
        runtime.mirrors.under_way.add(self)
        if connection is not None:
            self._send(connection)
        else:
            if self._lane.is_crowded():
                runtime.pool.make_room(self._service.id)
            bulkhead.opening += 1
            runtime.spawn(self._connect(endpoint), "connect for a copy")

    def on_request_body(self, data: bytes, *, ended: bool) -> None:
        """More of the body, framed as for the original's endpoint."""
        if self.outcome:
            return
        self._request_ended = ended
        connection = self._connection
        if connection is not None and not self._is_endpoint_full:
            self._write(connection, data)
        elif self._runtime.mirrors.hold(len(data), held_before=self._held):
            self._held += len(data)
            self._waiting.append(data)
        else:
            self.drop(reasons.COPY_TOO_SLOW)

    def on_original_over(self) -> None:
        """The original has ended: where its body had not, the copy's never will."""
        if not self._request_ended and not self.outcome:
            self.drop(reasons.CLIENT_LEFT)

    # -- to the endpoint

    async def _connect(self, endpoint: Endpoint) -> None:
        try:
            connection = await connect(self._runtime, endpoint, timeout_s=self._service.connect_timeout_s)
        except ConnectFailed as error:
            self.on_failed(endpoint.id, error)
            return
        finally:
            self._lane.opened()
        if self.outcome:
            connection.close()
        else:
            self._send(connection)

    def _send(self, connection: Upstream) -> None:
        self._connection = connection
        self._attempts.running[connection.endpoint.id] = connection
        service = self._service
        timeout_s = service.try_timeout_s if self._request_ended else service.idle_timeout_s
        connection.send(self, self._data + self._take_waiting(), timeout_s=timeout_s)
        self._data = b""

    def _write(self, connection: Upstream, data: bytes) -> None:
        connection.write(data)
        if connection.is_awaiting_head:
            service = self._service
            connection.extend(service.try_timeout_s if self._request_ended else service.idle_timeout_s)

    def _take_waiting(self) -> bytes:
        self._runtime.mirrors.free(self._held)
        self._held = 0
        data = b"".join(self._waiting)
        self._waiting.clear()
        return data

    # -- from the endpoint

    def on_interim(self, head: ResponseHead) -> None:
        """Of no interest."""

    def on_answer_head(self, connection: Upstream, head: ResponseHead) -> bool:
        now = self._runtime.now()
        self._attempts.answered(connection.endpoint.id, head.status, now=now)
        if self._service.policies.adaptive and head.status < 500:
            self._lane.took(self._attempts.took_s(connection.endpoint.id, now=now), now)
        self._status = head.status
        return True

    def flush_head(self) -> None:
        """There is nobody to pass it on to."""

    def on_answer_body(self, data: bytes, *, ended: bool) -> None:
        self._answer_bytes += len(data)
        connection = self._connection
        if ended:
            self._end(mirroring.status_class(self._status))
            if connection is not None:
                connection.release(may_reuse=self._request_ended, keep_s=self._service.keep_alive_s)
        elif (
            self._answer_bytes > mirroring.MAX_ANSWER_BYTES
            or self._runtime.now() - self._began_at > mirroring.MAX_DURATION_S
        ):
            self.drop(mirroring.status_class(self._status))

    def on_failed(self, endpoint_id: str, error: UpstreamError) -> None:
        if not self.outcome:
            now = self._runtime.now()
            if isinstance(error, AnswerTimeout):
                self._lane.took(self._attempts.took_s(endpoint_id, now=now), now)
            self._attempts.fail(endpoint_id, error, now=now)
            self._end(error.reason)

    def on_upstream_full(self) -> None:
        self._is_endpoint_full = True

    def on_upstream_drained(self) -> None:
        self._is_endpoint_full = False
        if self._waiting and self._connection is not None:
            self._write(self._connection, self._take_waiting())

    # -- the end

    def drop(self, outcome: str) -> None:
        """It is given up; its endpoint is not to blame."""
        self._attempts.drop_all_but(None)
        self._end(outcome)

    def _end(self, outcome: str) -> None:
        self.outcome = outcome
        for endpoint_id in list(self._attempts.running):
            self._attempts.end(endpoint_id)
        if self._has_place:
            self._has_place = False
            self._lane.release()
        mirrors = self._runtime.mirrors
        mirrors.under_way.discard(self)
        self._take_waiting()
        mirrors.count(self._route.id, self._service.id, outcome)
