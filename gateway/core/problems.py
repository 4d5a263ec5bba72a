"""What does a client get that we answer ourselves? A problem document (RFC 9457) with `Proxy-Status` (RFC 9209)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec

from gateway.core.response import status_line

TYPE_PREFIX: Final = "urn:tidegate:problem:"
"""Stable; the slug after it is the reason."""

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


def problem_response(
    *,
    status: int,
    reason: str,
    detail: str,
    proxy_status: str,
    node_id: str,
    request_id: str,
    rule: str | None = None,
    retry_after_s: int | None = None,
    allow: tuple[str, ...] = (),
    location: bytes | None = None,
    close: bool = False,
    head_only: bool = False,
) -> bytes:
    """A whole HTTP/1.1 answer. `proxy_status` is an error token of RFC 9209, empty where there is no error."""
    body = problem_document(
        status=status, reason=reason, detail=detail, instance=request_id, rule=rule, retry_after_s=retry_after_s
    )
    lines = [
        status_line(status)[:-2],
        b"Content-Type: application/problem+json",
        b"Content-Length: %d" % len(body),
        b"X-Request-Id: " + request_id.encode(),
        b"Cache-Control: no-store",
    ]
    if proxy_status:
        lines.append(f"Proxy-Status: {_token(node_id)}; error={proxy_status}".encode())
    if retry_after_s is not None:
        lines.append(b"Retry-After: %d" % retry_after_s)
    if allow:
        lines.append(b"Allow: " + ", ".join(allow).encode())
    if location is not None:
        lines.append(b"Location: " + location)
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
