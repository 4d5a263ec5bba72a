"""What does the answer to an http probe say?

    feed(bytes) ... ended()  ->  None (go on) | Outcome, at the first byte that settles it

    http 200                          the whole answer is here, its status and body are as expected
    http 503                          another status; the body is not waited for. Redirects are answers, not followed
    body mismatch                     the expected text is not in the body, or not in its first 64 KiB
    malformed answer                  not HTTP/1.0 or 1.1
    answer head longer than 16KiB     status line, fields or interim answers without end
    closed without an answer          not one byte came
    answer cut short                  the end came before the end

A body is read for its end, as an endpoint that stops half-way is not well, but only for 64 KiB: what comes after that
is neither kept nor waited for, and the answer is judged by what there is. So a health page that grows does not take the
endpoint down, and an endless one costs 64 KiB a probe.

Framing is llhttp's (RFC 9112): a content length, chunks, or the end of the connection.
"""

from __future__ import annotations

import httptools

from health.core.probe import Outcome, ProbeSettings

MAX_HEAD_BYTES = 16 * 1024
"""Twice what common servers send at most; health answers have heads of some hundred bytes."""

MAX_BODY_BYTES = 64 * 1024

_MALFORMED = Outcome(passed=False, reason="malformed answer")


class Answer:
    """Reads one answer. After it has given an outcome it must not be fed."""

    def __init__(self, settings: ProbeSettings) -> None:
        self._settings = settings
        self._expected_body = None if settings.expected_body is None else settings.expected_body.encode()
        self._parser = httptools.HttpResponseParser(self)
        self._outcome: Outcome | None = None
        self._head_bytes = 0
        self._status: int | None = None
        """Of the final answer, once its head is complete."""
        self._ends_with_connection = True
        self._body_bytes = 0
        self._body = bytearray()

    def feed(self, data: bytes) -> Outcome | None:
        if self._status is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # raised behind the head of a 101, whose status has settled the matter or is expected
        except httptools.HttpParserCallbackError:
            raise  # our own defect, not the endpoint's
        except httptools.HttpParserError:
            # What follows the end of an answer, or a status nobody asked for, does not take the outcome back.
            return self._outcome or _MALFORMED
        if self._outcome is None and self._status is None and self._head_bytes > MAX_HEAD_BYTES:
            return Outcome(passed=False, reason="answer head longer than 16KiB")
        return self._outcome

    def ended(self) -> Outcome:
        """The connection was closed by the endpoint before the answer was settled."""
        if self._head_bytes == 0:
            return Outcome(passed=False, reason="closed without an answer")
        if self._status is not None and self._ends_with_connection:
            return self._judge_body()
        return Outcome(passed=False, reason="answer cut short")

    @property
    def has_begun(self) -> bool:
        return self._head_bytes > 0

    # What the parser calls, as it recognises each part.

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._ends_with_connection = False

    def on_headers_complete(self) -> None:
        if self._parser.get_http_version() not in ("1.0", "1.1"):
            self._settle(_MALFORMED)
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._ends_with_connection = True  # an interim answer, whose fields say nothing about the final one
            return
        self._status = status
        if not any(low <= status <= high for low, high in self._settings.expected_status):
            self._settle(Outcome(passed=False, reason=f"http {status}"))

    def on_body(self, data: bytes) -> None:
        if self._outcome is not None:
            return
        room = MAX_BODY_BYTES - self._body_bytes
        self._body_bytes += len(data)
        if self._expected_body is not None:
            self._body += data[:room]
        if self._body_bytes >= MAX_BODY_BYTES:
            self._settle(self._judge_body())

    def on_message_complete(self) -> None:
        if self._status is not None:
            self._settle(self._judge_body())

    def _judge_body(self) -> Outcome:
        if self._expected_body is not None and self._expected_body not in self._body:
            within = " in the first 64KiB" if self._body_bytes > MAX_BODY_BYTES else ""
            return Outcome(passed=False, reason=f"body mismatch{within}")
        return Outcome(passed=True, reason=f"http {self._status}")

    def _settle(self, outcome: Outcome) -> None:
        if self._outcome is None:
            self._outcome = outcome
