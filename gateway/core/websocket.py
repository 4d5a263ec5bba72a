"""Is this a WebSocket handshake, and did the endpoint agree to it? RFC 6455 section 4.

A tunnel opens only after a 101 that proves, by the accept key, that the endpoint read this very handshake: anything
less, and what follows could be read as HTTP by one side and as frames by the other (RFC 9931).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

from gateway.errors import AnswerRefused, RequestRefused

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FIELD: Final = re.compile(rb"\r\n(upgrade|connection|sec-websocket-accept):[ \t]*([^\r\n]*)", re.IGNORECASE)


def check_handshake(*, method: str, version: int, body_length: int, keys: list[bytes], versions: list[bytes]) -> bytes:
    """The accept key that the endpoint's 101 must carry. Raises `RequestRefused` for anything but a clean handshake."""
    if method != "GET" or version != 11 or body_length:
        raise RequestRefused("an upgrade to WebSocket that is not a GET on HTTP/1.1 without a body")
    if versions != [b"13"]:
        raise RequestRefused(
            "an upgrade to a WebSocket version other than 13", status=426, reason="upgrade_not_supported"
        )
    if len(keys) != 1 or not _is_key(keys[0]):
        raise RequestRefused("an upgrade to WebSocket without one Sec-WebSocket-Key of 16 bytes in base64")
    return base64.b64encode(hashlib.sha1(keys[0] + _GUID, usedforsecurity=False).digest())


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def check_switch(raw: bytes, accept: bytes | None) -> None:
    """Check the head of a 101. Raises `AnswerRefused`."""
    if accept is None:
        raise AnswerRefused("a switch of protocols that nobody asked for", proxy_status="http_upgrade_failed")
    fields = [(name.lower(), value.rstrip(b" \t")) for name, value in _FIELD.findall(raw)]
    accepts = [value for name, value in fields if name == b"sec-websocket-accept"]
    upgrades = [value.lower() for name, value in fields if name == b"upgrade"]
    options = b",".join(value.lower() for name, value in fields if name == b"connection").split(b",")
    if accepts != [accept] or upgrades != [b"websocket"] or b"upgrade" not in [option.strip() for option in options]:
        raise AnswerRefused("a 101 that does not accept this WebSocket handshake", proxy_status="http_upgrade_failed")
