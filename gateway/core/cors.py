"""May a page of another origin call this? The Fetch standard's CORS protocol, section 3.2, answered by the gateway.

    OPTIONS with Origin and Access-Control-Request-Method  ──> 204 with what is allowed, or 403 that says what is not
    anything else with Origin                              ──> the answer says whether the page may read it

A preflight carries no credentials, so it is answered before anybody is asked who they are; the method that it asks
about, not OPTIONS, decides which route it is about. `Vary` is there whether or not there is an Origin: a cache must not
give one origin's answer to another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from config.models.shaping import Cors
from gateway.core import reasons
from gateway.core.problems import Answer
from gateway.core.routes import Facts

PREFIX: Final = b"access-control-"
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARY_PREFLIGHT: Final = b"Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
MAX_ASKED: Final = 64
"""Header names that one preflight may ask for."""

DROPPED: Final = (
    b"access-control-allow-origin",
    b"access-control-allow-credentials",
    b"access-control-expose-headers",
    b"access-control-allow-methods",
    b"access-control-allow-headers",
    b"access-control-max-age",
)
"""What an endpoint says of it itself: two answers to one question would make browsers refuse both."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a browser asks before it sends the real request. It is matched as if it were that one."""

    facts: Facts
    origin: bytes
    method: str
    asked: frozenset[bytes]
    """Names of headers, lower case."""

    @property
    def host(self) -> str:
        return self.facts.host

    @property
    def path(self) -> bytes:
        return self.facts.path

    @property
    def query(self) -> bytes:
        return self.facts.query

    @property
    def body_length(self) -> int:
        return 0

    def values(self, name: bytes) -> list[bytes]:
        """A header that the real request will have is there, with a value that nobody knows yet."""
        return self.facts.values(name) or ([b""] if name in self.asked else [])


def preflight_of(facts: Facts) -> Preflight | None:
    """For OPTIONS; None where it is no preflight, malformed ones among them."""
    origins, methods = facts.values(b"origin"), facts.values(b"access-control-request-method")
    if len(origins) != 1 or len(methods) != 1 or _TOKEN.fullmatch(methods[0]) is None:
        return None
    written = b",".join(facts.values(b"access-control-request-headers"))
    names = [name for name in (part.strip(b" \t").lower() for part in written.split(b",", MAX_ASKED)) if name]
    return Preflight(facts, origins[0], methods[0].decode("ascii"), frozenset(names))


@dataclass(frozen=True, slots=True)
class CorsRules:
    """One route's."""

    origins: frozenset[bytes]
    any_origin: bool
    methods: tuple[str, ...]
    headers: frozenset[bytes]
    """Lower case; `*` for any."""
    allowed_headers: bytes
    """As configured."""
    exposed: bytes
    credentials: bool
    max_age: bytes

    def allows(self, origin: bytes) -> bool:
        return self.any_origin or origin in self.origins

    def preflight(self, asked: Preflight) -> Answer:
        """204 or 403."""
        refusal = self._refuses(asked)
        if refusal is not None:
            return Answer(403, refusal[0], refusal[1], "http_request_denied", fields=(_VARY_PREFLIGHT,))
        lines = [
            *self._origin_lines(asked.origin),
            b"Access-Control-Allow-Methods: " + ", ".join(self.methods).encode(),
            b"Access-Control-Max-Age: " + self.max_age,
            _VARY_PREFLIGHT,
        ]
        allowed = b", ".join(sorted(asked.asked)) if b"*" in self.headers else self.allowed_headers
        if allowed:
            lines.append(b"Access-Control-Allow-Headers: " + allowed)
        return Answer(204, reasons.PREFLIGHT, f"pages of {asked.origin.decode('ascii')} may", "", fields=tuple(lines))

    def _refuses(self, asked: Preflight) -> tuple[str, str] | None:
        """Slug and sentence."""
        if not self.allows(asked.origin) or not asked.origin.isascii():
            return reasons.CORS_ORIGIN_DENIED, "pages of this origin may not call it"
        if asked.method not in self.methods:
            return reasons.CORS_METHOD_DENIED, f"pages of other origins may not use {asked.method}"
        for name in sorted(asked.asked):
            if _TOKEN.fullmatch(name) is None or not (name in self.headers or b"*" in self.headers):
                shown = name[:100].decode("ascii", "backslashreplace")
                return reasons.CORS_HEADER_DENIED, f"pages of other origins may not send {shown}"
        return None

    def lines(self, origin: bytes | None) -> tuple[bytes, ...]:
        """For an answer to a page of `origin`, None without one; without line ends."""
        vary = () if self.any_origin else (b"Vary: Origin",)
        if origin is None or not self.allows(origin):
            return vary
        exposed = (b"Access-Control-Expose-Headers: " + self.exposed,) if self.exposed else ()
        return (*self._origin_lines(origin), *exposed, *vary)

    def _origin_lines(self, origin: bytes) -> tuple[bytes, ...]:
        allowed = b"Access-Control-Allow-Origin: " + (b"*" if self.any_origin else origin)
        return (allowed, b"Access-Control-Allow-Credentials: true") if self.credentials else (allowed,)


def origin_of(facts: Facts) -> bytes | None:
    """The page's origin; None without one, or with more than one."""
    values = facts.values(b"origin")
    return values[0] if len(values) == 1 else None


def cors_rules(cors: Cors) -> CorsRules:
    return CorsRules(
        origins=frozenset(serialised(origin) for origin in cors.allowed_origins if origin != "*"),
        any_origin="*" in cors.allowed_origins,
        methods=tuple(cors.allowed_methods),
        headers=frozenset(name.lower().encode() for name in cors.allowed_headers),
        allowed_headers=", ".join(cors.allowed_headers).encode(),
        exposed=", ".join(cors.expose_headers).encode(),
        credentials=cors.credentials,
        max_age=b"%d" % cors.max_age,
    )


def serialised(origin: str) -> bytes:
    """As browsers write it: lower case, no slash at the end, no port where it is the scheme's own."""
    parts = urlsplit(origin.lower().rstrip("/"))
    own = {"http": 80, "https": 443}.get(parts.scheme)
    netloc = parts.netloc.rpartition(":")[0] if parts.port is not None and parts.port == own else parts.netloc
    return f"{parts.scheme}://{netloc}".encode()
