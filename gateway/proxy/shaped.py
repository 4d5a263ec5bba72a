"""One answer on its way from endpoint to client: its fields changed, its body replaced in, compressed, within limits.

    head ──> fields ──> is its body to be replaced in? held : written ──> compressed?
    body ──> counted ──> held whole, or passed when it is too large ──> replaced in ──> compressed ──> the client

Large pieces are worked on by a thread. Meanwhile the endpoint is not read from, so that a fast endpoint waits for a
slow coder as it waits for a slow client; the order of pieces is kept. As long as nothing was written, an endpoint that
fails can still be replaced by another.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from config.core.signing import Signer
from gateway.core import reasons
from gateway.core.coders import Coder, coder
from gateway.core.compression import altered, copied, encoded_head, is_worth_it, negotiated, vary_line
from gateway.core.cors import origin_of
from gateway.core.head import RequestHead
from gateway.core.header_rules import facts_of
from gateway.core.problems import Answer
from gateway.core.response import ResponseHead
from gateway.core.shaping import AnswerRules
from gateway.proxy.off_loop import OFF_LOOP_BYTES, OffLoop

BROKEN = Answer(500, reasons.INTERNAL_ERROR, "the gateway failed to work on the answer's body", "proxy_internal_error")


class Receiver(Protocol):
    """The exchange that the answer is for."""

    def begin_answer(self, head: ResponseHead) -> None:
        """This is the head that the client gets."""

    def write_shaped(self, data: bytes, *, ended: bool) -> None: ...
    def refuse(self, answer: Answer) -> None:
        """It ends here: with this answer, or cut where another has begun."""

    def hold_upstream(self) -> None: ...
    def go_on_upstream(self) -> None: ...


class ShapedAnswer:
    """One attempt's answer."""

    __slots__ = (
        "_coder",
        "_head",
        "_held",
        "_is_busy",
        "_off_loop",
        "_receiver",
        "_request",
        "_rules",
        "_size",
        "_waiting",
        "is_dropped",
    )

    def __init__(self, receiver: Receiver, rules: AnswerRules, request: RequestHead, off_loop: OffLoop) -> None:
        self._receiver = receiver
        self._rules = rules
        self._request = request
        self._off_loop = off_loop
        self._size = 0
        """Bytes that came from the endpoint."""
        self._head: ResponseHead | None = None
        """While the body is held."""
        self._held: list[bytes] | None = None
        self._coder: Coder | None = None
        self._is_busy = False
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self.is_dropped = False
        """Nobody waits for it any more."""

    # -- the head

    def take_head(self, head: ResponseHead, service: str, signer: Signer | None, *, is_secure: bool) -> bool:
        """Whether the body has to come this way, too. Not to be called again."""
        rules = self._rules
        if rules.max_size is not None and head.body_length > rules.max_size:
            self._too_large()
            return False
        head = self._with_fields(head, service, signer, is_secure=is_secure)
        if rules.body is None and rules.coding is None:
            self._receiver.begin_answer(head)
            return rules.max_size is not None
        facts = facts_of(head.forwarded_fields)
        if rules.body is not None and rules.body.wants(head, facts):
            if head.body_length == 0:
                self._receiver.begin_answer(altered_bodiless(head, self._request.method, facts))
                return False
            self._head, self._held = head, []
            return True
        self._begin(head, facts)
        return self._coder is not None or rules.max_size is not None

    def _with_fields(self, head: ResponseHead, service: str, signer: Signer | None, *, is_secure: bool) -> ResponseHead:
        rules = self._rules
        fields = head.forwarded_fields
        if rules.fields is not None:
            fields = rules.fields.apply(fields)
        if rules.cors is not None:
            lines = rules.cors.lines(origin_of(self._request))
            fields += b"".join(line + b"\r\n" for line in lines)
        if rules.cookie is not None and signer is not None:
            kept = rules.cookie.kept(self._request, signer)
            if kept is None or rules.cookie.services[kept] != service:
                fields += rules.cookie.cookie_line(service, signer, is_secure=is_secure)
        if fields is head.forwarded_fields:
            return head
        changed = copied(head)
        changed.forwarded_fields = fields
        return changed

    def _begin(self, head: ResponseHead, facts: dict[bytes, bytes]) -> None:
        """The head goes out; from now on pieces do."""
        coding = self._rules.coding
        if coding is not None and is_worth_it(head, facts, method=self._request.method, min_size=coding.min_size):
            vary = vary_line(facts)
            accepted = b",".join(self._request.values(b"accept-encoding"))
            chosen = negotiated(accepted, coding.offered)
            if chosen is not None:
                self._coder = coder(chosen)
                head = encoded_head(head, facts, chosen)
            else:
                head = copied(head)
            head.forwarded_fields += vary
        self._receiver.begin_answer(head)

    # -- the body

    def take_body(self, data: bytes, *, ended: bool) -> None:
        """From the endpoint, without its framing."""
        if self.is_dropped:
            return
        self._size += len(data)
        if self._rules.max_size is not None and self._size > self._rules.max_size:
            self._too_large()
        elif self._held is not None:
            self._hold(self._held, data, ended=ended)
        elif self._is_busy:
            self._waiting.append((data, ended))
        else:
            self._piece(data, ended=ended)

    def _hold(self, held: list[bytes], data: bytes, *, ended: bool) -> None:
        rules = self._rules.body
        if data:
            held.append(data)
        if rules is None or self._head is None or not (ended or self._size > rules.max_size):
            return
        whole = b"".join(held)
        self._held = None
        if self._size > rules.max_size:
            self._begin(self._head, facts_of(self._head.forwarded_fields))
            self._piece(whole, ended=ended)
        elif self._size > OFF_LOOP_BYTES:
            self._is_busy = True
            self._off_loop.run(lambda: rules.apply(whole), self._on_replaced)
        else:
            self._take_replaced(rules.apply(whole))

    def _on_replaced(self, body: bytes | None) -> None:
        self._is_busy = False
        if self.is_dropped:
            return
        if body is None:
            self._receiver.refuse(BROKEN)
        else:
            self._take_replaced(body)

    def _take_replaced(self, body: bytes) -> None:
        if self._head is not None:
            facts = facts_of(self._head.forwarded_fields)
            head = altered(self._head, facts)
            head.body_length = len(body)
            head.forwarded_fields += b"Content-Length: %d\r\n" % len(body)
            self._begin(head, facts_of(head.forwarded_fields))
            self._piece(body, ended=True)

    def _piece(self, data: bytes, *, ended: bool) -> None:
        coder_used = self._coder
        if coder_used is None:
            self._receiver.write_shaped(data, ended=ended)
        elif len(data) <= OFF_LOOP_BYTES:
            self._receiver.write_shaped(coder_used.piece(data, ended=ended), ended=ended)
        else:
            self._is_busy = True
            self._receiver.hold_upstream()
            self._off_loop.run(lambda: coder_used.piece(data, ended=ended), lambda done: self._on_piece(done, ended))

    def _on_piece(self, done: bytes | None, ended: bool) -> None:
        self._is_busy = False
        if self.is_dropped:
            return
        if done is None:
            self._receiver.refuse(BROKEN)
            return
        self._receiver.write_shaped(done, ended=ended)
        while self._waiting and not self._is_busy and not self.is_dropped:
            data, last = self._waiting.popleft()
            self._piece(data, ended=last)
        if not self._is_busy and not self.is_dropped:
            self._receiver.go_on_upstream()

    @property
    def is_busy(self) -> bool:
        """The endpoint has to wait."""
        return self._is_busy

    def _too_large(self) -> None:
        self.is_dropped = True
        limit = self._rules.max_size
        self._receiver.refuse(
            Answer(
                502,
                reasons.ANSWER_TOO_LARGE,
                f"an answer above the {limit} bytes that the route allows",
                "http_response_body_size",
            )
        )


def altered_bodiless(head: ResponseHead, method: str, facts: dict[bytes, bytes]) -> ResponseHead:
    """The answer to HEAD: the length that a GET would have is not known before it is replaced in."""
    if method != "HEAD":
        return head
    changed = altered(head, facts)
    changed.body_length = 0
    return changed
