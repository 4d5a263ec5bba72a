"""What a route does to requests and answers on their way: limits, rewriting, headers, bodies, compression, CORS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.models.model import Model, matching
from config.models.values import HeaderName, HeaderValue, Host, Label, Origin, Slug
from config.units import Duration, Rate, Refused, Share, Size, between, shown

LONGEST_PATTERN = 1000
"""A pattern is read by people."""


def _checked_pattern(value: str) -> str:
    if len(value) > LONGEST_PATTERN:
        raise Refused(f"a pattern of {len(value)} characters", f"at most {LONGEST_PATTERN}")
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        raise Refused(f"{shown(value)} ({error})", "a regular expression") from None
    return value


Pattern = Annotated[str, AfterValidator(_checked_pattern), Field(json_schema_extra={"format": "regex"})]

ClientKey = Annotated[
    str,
    *matching(
        r"ip|method|route|(?:header|cookie|jwt):[!-~]{1,100}",
        "ip, method, route, header:X, cookie:X or jwt:claim",
    ),
]
"""What tells one client from another."""


class RateLimit(Model):
    """A token bucket a key."""

    key: Annotated[tuple[ClientKey, ...], Field(min_length=1, max_length=8)]
    """What is counted together: ip, method, route, header:X, cookie:X, jwt:claim."""
    rate: Rate
    """How many over time."""
    burst: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """How many at once; by default what the rate gives in a second, at least one."""
    scope: Literal["node", "region", "global"] = "node"
    """Who counts together."""
    on_exceed: Literal["reject", "delay", "queue"] = "reject"
    """What becomes of a request too many."""
    max_delay: Annotated[Duration, between("1ms", "1m")] = 0.5
    """Longest delay before it is refused after all."""
    max_queue: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Most requests that wait."""


class Cors(Model):
    """Which pages of other origins may call this route from a browser."""

    allowed_origins: Annotated[tuple[Origin | Literal["*"], ...], Field(min_length=1)]
    """Origins such as https://app.example.com, or *."""
    allowed_methods: tuple[Annotated[str, *matching(r"[A-Z]{1,20}", "a method, such as GET")], ...] = ("GET", "HEAD")
    """Methods that they may use."""
    allowed_headers: tuple[HeaderName, ...] = ()
    """Request headers that they may send."""
    expose_headers: tuple[HeaderName, ...] = ()
    """Response headers that they may read."""
    credentials: bool = False
    """Whether cookies and authorization may come along; not with every origin."""
    max_age: Annotated[Duration, between("0s", "1d")] = 600.0
    """How long a browser may remember the answer."""


class Mirror(Model):
    """A copy of some requests, whose answers are thrown away."""

    service: Slug
    """Service that gets the copies."""
    percent: Share
    """Share of requests that are copied."""


class PathRewrite(Model):
    """A replacement in the path."""

    pattern: Pattern
    """Regular expression for what is replaced."""
    replacement: Annotated[str, Field(max_length=LONGEST_PATTERN)]
    """What stands there instead; \\1 is the first group."""


class Rewrite(Model):
    """Changes to where a request seems to go."""

    path: PathRewrite | None = None
    host: Host | None = None
    """Host header for the upstream."""


class HeaderChanges(Model):
    """What is done to header fields."""

    set: Mapping[HeaderName, HeaderValue] = {}
    """Header to value, in place of what was there."""
    append: Mapping[HeaderName, HeaderValue] = {}
    """Header to value, beside what was there."""
    remove: tuple[HeaderName, ...] = ()
    """Headers that go."""


class BodyReplacement(Model):
    """One replacement in a body."""

    pattern: Pattern
    """Regular expression for what is replaced."""
    replacement: Annotated[str, Field(max_length=LONGEST_PATTERN)]
    """What stands there instead."""


class ResponseBody(Model):
    """Changes to answers' bodies, which are held whole for it."""

    content_types: Annotated[tuple[Label, ...], Field(min_length=1)]
    """Types of bodies that are changed."""
    replace: Annotated[tuple[BodyReplacement, ...], Field(min_length=1)]
    max_size: Annotated[Size, between("1B", "1GiB")] = 1 << 20
    """Larger answers pass unchanged."""


class RouteLimits(Model):
    """Sizes beyond which a message is refused."""

    max_request: Size | None = None
    """Largest request body; the listener's by default."""
    max_response: Size | None = None
    """Largest answer's body; unlimited by default."""


class Compression(Model):
    """Compressing answers."""

    encodings: Annotated[tuple[Literal["zstd", "br", "gzip"], ...], Field(min_length=1)] = ("zstd", "br", "gzip")
    """In order of preference."""
    min_size: Annotated[Size, between("0B", "1GiB")] = 1 << 10
