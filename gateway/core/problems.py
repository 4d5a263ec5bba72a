"""What does a client get that we answer ourselves? A problem document (RFC 9457) with `Proxy-Status` (RFC 9209)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.core import reasons
from gateway.core.response import status_line
from gateway.errors import GatewayError

TYPE_PREFIX: Final = "urn:tidegate:problem:"
"""Stable; the slug after it is the reason."""

COMMON_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""`Allow` where no resource is known: RFC 9110 wants the field on every 405."""

_encode: Final = msgspec.json.Encoder().encode


def problem_document(
    *,
    status: int,
    reason: str,
    detail: str,
    instance: str,
    rule: str | None = None,
    retry_after_s: int | None = None,
) -> bytes:
    """The document of API.md. `instance` is the request id, `detail` one sentence."""
    document: dict[str, object] = {
        "type": TYPE_PREFIX + reason.replace("_", "-"),
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "reason": reason,
    }
    if rule is not None:
        document["rule"] = rule
    if retry_after_s is not None:
        document["retry_after_s"] = retry_after_s
    return _encode(document)


@dataclass(frozen=True, slots=True)
class Answer:
    """A request is answered here, with this."""

    status: int
    reason: str
    """Slug."""
    detail: str
    """One lower-case sentence."""
    proxy_status: str
    """Error token of RFC 9209; empty for an answer that is no error of ours."""
    rule: str | None = None
    """Id of the residency rule that decided."""
    allow: tuple[str, ...] = ()
    location: bytes | None = None
    retry_after_s: int | None = None
    fields: tuple[bytes, ...] = ()
    """More field lines, without their ends: `WWW-Authenticate`, `RateLimit`."""
    body: bytes | None = None
    """In place of a problem document, where nothing is wrong; `fields` say what it is."""


NOT_YET: Final = Answer(503, reasons.STARTING, "no configuration yet", "destination_unavailable", retry_after_s=1)
TOO_MANY: Final = Answer(
    503,
    reasons.CONNECTION_LIMIT,
    "all allowed connections are open",
    "connection_limit_reached",
    retry_after_s=1,
)
HEAD_LATE: Final = Answer(408, reasons.HEADER_TIMEOUT, "the request head took too long", "http_request_error")
BODY_LATE: Final = Answer(408, reasons.BODY_TIMEOUT, "the body stopped coming", "http_request_error")


def answer_to(error: GatewayError) -> Answer:
    """What an error's sender is told."""
    return Answer(
        error.status,
        error.reason,
        error.detail,
        error.proxy_status,
        allow=COMMON_METHODS if error.status == 405 else (),
    )


def problem_response(
    answer: Answer, *, node_id: str, request_id: bytes, close: bool = False, head_only: bool = False
) -> bytes:
    """A whole HTTP/1.1 answer."""
    if answer.status in {204, 304}:
        return _no_content(answer, request_id=request_id, close=close)
    if answer.body is not None:
        return _plain(answer, answer.body, request_id=request_id, close=close, head_only=head_only)
    body = problem_document(
        status=answer.status,
        reason=answer.reason,
        detail=answer.detail,
        instance=request_id.decode(),
        rule=answer.rule,
        retry_after_s=answer.retry_after_s,
    )
    lines = [
        status_line(answer.status)[:-2],
        b"Content-Type: application/problem+json",
        b"Content-Length: %d" % len(body),
        b"X-Request-Id: " + request_id,
        b"Cache-Control: no-store",
    ]
    if answer.proxy_status:
        lines.append(f"Proxy-Status: {_token(node_id)}; error={answer.proxy_status}".encode())
    if answer.retry_after_s is not None:
        lines.append(b"Retry-After: %d" % answer.retry_after_s)
    if answer.allow:
        lines.append(b"Allow: " + ", ".join(answer.allow).encode())
    if answer.location is not None:
        lines.append(b"Location: " + answer.location)
    lines += answer.fields
    if close:
        lines.append(b"Connection: close")
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    return head if head_only else head + body


def _no_content(answer: Answer, *, request_id: bytes, close: bool) -> bytes:
    """Nothing is wrong, and there is nothing to say but fields: no type, no length (RFC 9110 sections 8.6, 15.4.5)."""
    lines = [status_line(answer.status)[:-2], b"X-Request-Id: " + request_id, *answer.fields]
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _plain(answer: Answer, body: bytes, *, request_id: bytes, close: bool, head_only: bool) -> bytes:
    """What we have to say ourselves that is no problem."""
    lines = [
        status_line(answer.status)[:-2],
        b"Content-Length: %d" % len(body),
        b"X-Request-Id: " + request_id,
        *answer.fields,
    ]
    if close:
        lines.append(b"Connection: close")
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    return head if head_only else head + body


_TOKEN_CHARACTERS: Final = frozenset("!#$%&'*+-.^_`|~:/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _token(name: str) -> str:
    """A node id as a structured field item: a token where it is one, else a string (RFC 8941 section 3.3)."""
    if name and (name[0].isalpha() or name[0] == "*") and all(character in _TOKEN_CHARACTERS for character in name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
