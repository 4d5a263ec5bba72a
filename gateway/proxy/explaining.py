"""The explanation of one live request: what was decided when it came, and what came of it."""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.book import EndpointBook
from gateway.core.debugging import ANSWER_FIELD, Explanation
from gateway.core.debugging import NAME as DEBUG_NAME
from gateway.core.explain import Admission, explain
from gateway.core.head import RequestHead
from gateway.core.snapshot import RoutingSnapshot
from gateway.core.standing import standing
from gateway.errors import RequestRefused
from gateway.proxy.attempts import Attempts
from gateway.proxy.peer import Peer
from gateway.proxy.ports import Runtime


class Explaining:
    """Of one request, from its head to its end."""

    __slots__ = ("_explanation", "line")

    def __init__(self, explanation_id: bytes, request_id: bytes, explanation: Explanation, at: float) -> None:
        self.line = b"%b: %b" % (ANSWER_FIELD, explanation_id)
        """For the answer, without its end."""
        self._explanation: Explanation = {
            "id": explanation_id.decode(),
            "request_id": request_id.decode(),
            "at": at,
            **explanation,
        }

    def ended(self, *, status: int, reason: str, endpoint: str = "", attempts: Attempts | None = None) -> Explanation:
        """With what really happened, which other requests at the same time may have moved from what was to be."""
        failures = attempts.failures if attempts is not None else []
        self._explanation["outcome"] = {
            "status": status,
            "reason": reason,
            "endpoint": endpoint or None,
            "attempts": attempts.count if attempts is not None else 0,
            "failures": [{"endpoint": where, "failure": why} for where, why in failures],
        }
        return self._explanation


def explaining_of(
    runtime: Runtime, snapshot: RoutingSnapshot, head: RequestHead, *, listener: str, peer: Peer, request_id: bytes
) -> Explaining | None:
    """Begin it, for a request that carries the field; None where no operator of ours has signed that."""
    signer = snapshot.routing.signer
    if signer is None or not runtime.debug.takes(signer, head.values(DEBUG_NAME), now=runtime.wall()):
        return None
    explanation = explained(
        snapshot,
        head,
        listener=listener,
        client_ip=peer.client_ip,
        country=lambda _: peer.country(),
        book=runtime.book,
        now=runtime.now(),
        admission=runtime.door.explain,
    )
    if explanation is None:
        return None
    return Explaining(runtime.next_request_id(), request_id, explanation, runtime.wall())


def explained(
    snapshot: RoutingSnapshot,
    head: RequestHead,
    *,
    listener: str,
    client_ip: str,
    country: Callable[[str], str | None],
    book: EndpointBook,
    now: float,
    admission: Admission,
) -> Explanation | None:
    """What would be decided of it now; None where it cannot be told. `now` is monotonic, as the book's times are.

    The book is only read: an explanation takes nobody's turn, and its choice among equals may be another than the deed.
    """
    held = {
        each.endpoint.id: f"{each.reason}: {each.detail}"
        for pools in snapshot.pools.values()
        for pool in pools.values()
        for each in standing(pool, book, now).held_back
    }
    lines = head.block[2:-4].decode("latin-1").split("\r\n")
    fields = [line.partition(":") for line in lines if line]
    headers = [(name, value.strip()) for name, _, value in fields if name.lower() != "host"]
    try:
        return explain(
            snapshot,
            method=head.method,
            url=f"http://{head.host or 'unnamed'}{head.path.decode('ascii')}{head.query.decode('ascii')}",
            headers=headers,
            client_ip=client_ip,
            country=country,
            listener=listener,
            held=held,
            admission=admission,
        )
    except (RequestRefused, ValueError):
        return None
