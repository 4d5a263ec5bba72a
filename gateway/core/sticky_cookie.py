"""What does the cookie say that keeps a client with its endpoint? Nothing, to all but the nodes of this mesh.

    <signature, 16 bytes> <mark of the endpoint, 8> <session, 8> <written at, 4>        in URL-safe base64

The mark is a keyed hash of the endpoint's id, which names service, region and address: who has no key can neither read
which endpoint it is nor try out addresses until one fits. All keys verify; what an older key signed is written anew
with the first, and so is what has lived half of its time, so that whoever comes regularly is never sent away. The
application does not see the cookie: it is taken out of what is forwarded (docs/decisions/0030).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from config.core.signing import Signer
from config.models import Service
from config.models.services import CookieAttributes
from gateway.core import reasons
from gateway.core.gate import Endpoint
from gateway.core.hash_key import cookies_named
from gateway.core.routes import Facts

MARK_BYTES: Final = 8
MAX_COOKIES: Final = 4
"""Of the same name, that are looked at: each costs a signature."""
MAX_OPENED: Final = 4096
"""Cookies remembered as genuine, each some 300 bytes: a client sends the same one with every request."""
ENDPOINT_PURPOSE: Final = "sticky endpoint"

_PAYLOAD: Final = struct.Struct(f">{MARK_BYTES}sQI")
_LATEST: Final = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Session:
    """One client's, as its cookie tells."""

    id: int
    """Random; stays the same when the session moves."""
    mark: bytes
    """Of its endpoint."""
    written_at: int
    """Wall seconds."""
    is_by_old_key: bool
    sealed: bytes
    """The cookie's value."""


class StickyCookie:
    """One service's. What it remembers follows from what it was made of."""

    __slots__ = (
        "_attributes",
        "_marks",
        "_name",
        "_needle",
        "_opened",
        "_purpose",
        "_signer",
        "fallback",
        "max_age_s",
        "name",
    )

    def __init__(
        self, service: str, name: str, attributes: CookieAttributes, fallback: str, signer: Signer | None
    ) -> None:
        self.name = name
        self.fallback = fallback
        """any_available, least_loaded or error."""
        self.max_age_s = attributes.max_age
        """None: as long as the browser is open."""
        self._name = name.encode()
        self._needle = self._name + b"="
        self._purpose = f"sticky {service}"
        self._signer = signer
        self._attributes = _rendered(attributes)
        self._marks: dict[str, tuple[bytes, ...]] = {}
        """By endpoint id: by each key, the first key's first."""
        self._opened: dict[bytes, Session] = {}

    @property
    def is_readable(self) -> bool:
        """Whether the keys are at hand; they are not where a file is explained without its node."""
        return self._signer is not None

    # -- reading

    def read(self, facts: Facts, *, wall: float) -> tuple[Session | None, str]:
        """The client's session, or why there is none. `wall` is Unix time, in seconds."""
        why = reasons.COOKIE_MISSING
        for value in cookies_named(facts, self._name)[:MAX_COOKIES]:
            session = self._opened.get(value) or self._open(value)
            if session is None:
                why = reasons.COOKIE_REFUSED
            elif self.max_age_s is not None and wall - session.written_at > self.max_age_s:
                why = reasons.COOKIE_EXPIRED
            else:
                return session, ""
        return None, why

    def _open(self, value: bytes) -> Session | None:
        if self._signer is None:
            return None
        opened = self._signer.opened(self._purpose, value.decode("latin-1"))
        if opened is None or len(opened[0]) != _PAYLOAD.size:
            return None
        mark, number, written_at = _PAYLOAD.unpack(opened[0])
        session = Session(number, mark, written_at, is_by_old_key=opened[1] > 0, sealed=value)
        if len(self._opened) >= MAX_OPENED:
            self._opened.clear()
        self._opened[value] = session
        return session

    def stripped(self, fields: bytes) -> bytes:
        """Field lines without this cookie, for the endpoint; the very same where it is not there."""
        needle, name = self._needle, self._name
        at = fields.find(needle)
        while at >= 0:
            start, end = fields.rfind(b"\n", 0, at) + 1, fields.index(b"\n", at) + 1
            if fields[start : start + 7].lower() == b"cookie:":
                every = [pair.strip(b" \t") for pair in fields[start + 7 : end - 2].split(b";")]
                kept = [pair for pair in every if pair and pair.partition(b"=")[0].rstrip(b" \t") != name]
                if len(kept) < len(every):
                    line = fields[start : start + 7] + b" " + b"; ".join(kept) + b"\r\n" if kept else b""
                    fields = fields[:start] + line + fields[end:]
                    end = start + len(line)
            at = fields.find(needle, end)
        return fields

    # -- writing

    def line(self, session: int, endpoint: Endpoint, *, wall: float) -> bytes:
        """The field that binds a client to an endpoint."""
        if self._signer is None:
            return b""
        at = min(_LATEST, max(0, int(wall)))
        sealed = self._signer.seal(self._purpose, _PAYLOAD.pack(self._marks_of(endpoint.id)[0], session, at))
        return b"Set-Cookie: %b=%b%b\r\n" % (self._name, sealed.encode(), self._attributes)

    def asked_line(self, session: Session) -> bytes:
        """The cookie as the client sent it."""
        return b"Cookie: %b=%b\r\n" % (self._name, session.sealed)

    def is_due(self, session: Session, *, wall: float) -> bool:
        """Whether a cookie that is still good is written anew."""
        if session.is_by_old_key:
            return True
        return self.max_age_s is not None and wall - session.written_at > self.max_age_s / 2

    # -- endpoints

    def marked(self, endpoints: Iterable[Endpoint]) -> dict[bytes, Endpoint]:
        """Each endpoint by its marks, one a key."""
        every = list(endpoints)
        found = {mark: endpoint for endpoint in every for mark in self._marks_of(endpoint.id)}
        if len(self._marks) > 2 * len(every) + 16:
            kept = {endpoint.id for endpoint in every}
            self._marks = {name: marks for name, marks in self._marks.items() if name in kept}
        return found

    def _marks_of(self, endpoint_id: str) -> tuple[bytes, ...]:
        marks = self._marks.get(endpoint_id)
        if marks is None:
            signatures = self._signer.every(ENDPOINT_PURPOSE, endpoint_id.encode()) if self._signer is not None else ()
            marks = self._marks[endpoint_id] = tuple(each[:MARK_BYTES] for each in signatures)
        return marks


def sticky_cookie(service: Service, signer: Signer | None) -> StickyCookie | None:
    """None where the service asks for none."""
    written = service.sticky_session
    if written is None:
        return None
    return StickyCookie(service.id, written.cookie, written.attributes, written.fallback, signer)


def _rendered(attributes: CookieAttributes) -> bytes:
    parts = [f"Path={attributes.path}"]
    if attributes.domain is not None:
        parts.append(f"Domain={attributes.domain}")
    if attributes.max_age is not None:
        parts.append(f"Max-Age={math.ceil(attributes.max_age)}")
    if attributes.http_only:
        parts.append("HttpOnly")
    if attributes.secure:
        parts.append("Secure")
    parts.append(f"SameSite={attributes.same_site}")
    return "".join(f"; {part}" for part in parts).encode()
