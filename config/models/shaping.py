"""What a route does to requests and answers on their way: limits, rewriting, headers, bodies, compression, CORS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from config.core.patterns import PatternRefused, check_replacement, compiled, longest, steps
from config.models.model import Model, Refusal, matching
from config.models.values import HeaderName, HeaderValue, Host, Label, Origin, Slug
from config.units import Duration, Rate, Refused, Share, Size, between, shown

LONGEST_PATTERN = 1000
"""A pattern is read by people."""

PATH_STEPS: Final = 1 << 20
"""The matcher's, for one path: some milliseconds at worst, during which no other request is served."""
LONGEST_PATH: Final = 1 << 16
SHORTEST_PATH: Final = 256
"""A pattern that cannot take even such a path within its steps is refused; longer ones than it can are answered 414."""
LARGEST_BODY: Final = 1 << 30
BODY_STEPS: Final = 1 << 28
"""For one body, off the event loop."""

PATH_TEXT: Final = re.compile(rb"[!$%&'()*+,./0-9:;=?@A-Z_a-z~-]+")
"""What may stand in a path and query (RFC 3986): no space, no end of line, nothing that would split a request."""
BODY_TEXT: Final = re.compile(rb"[^\\\x00]+")


def _checked_pattern(value: str) -> str:
    if len(value) > LONGEST_PATTERN:
        raise Refused(f"a pattern of {len(value)} characters", f"at most {LONGEST_PATTERN}")
    try:
        steps(compiled(value), LARGEST_BODY)  # what is refused for less is refused for this, too
    except PatternRefused as error:
        raise Refused(f"{shown(value)} ({error.found})", error.expected) from None
    return value


Pattern = Annotated[str, AfterValidator(_checked_pattern), Field(json_schema_extra={"format": "regex"})]

ClientKey = Annotated[
    str,
    *matching(
        r"ip|method|route|service|(?:header|cookie|jwt):[!-~]{1,100}",
        "ip, method, route, service, header:X, cookie:X or jwt:claim",
    ),
]
"""What tells one client from another."""


class RateLimit(Model):
    """A token bucket a key."""

    key: Annotated[tuple[ClientKey, ...], Field(min_length=1, max_length=8)]
    """What is counted together: ip, method, route, service (over all routes that say the same), header:X, cookie:X,
    jwt:claim."""
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
    """What stands there instead; \\1 is the first group. What follows a `?` becomes the query's beginning."""

    @model_validator(mode="after")
    def _takes_bounded_time(self) -> Self:
        _check_replacement(self.pattern, self.replacement, PATH_TEXT)
        if longest(compiled(self.pattern), most=SHORTEST_PATH, steps_allowed=PATH_STEPS) < SHORTEST_PATH:
            found = f"{shown(self.pattern)}, which may take too long over a path of {SHORTEST_PATH} bytes"
            raise Refusal(found, "one that starts with ^ and repeats [^/]+ rather than .*", "pattern")
        return self


class Rewrite(Model):
    """Changes to where a request seems to go."""

    path: PathRewrite | None = None
    host: Host | None = None
    """Host header for the upstream."""


FRAMING_HEADERS: Final = frozenset(
    "connection content-length keep-alive proxy-connection te trailer transfer-encoding upgrade".split()  # noqa: SIM905
)
"""Those that say where a message ends, and those of one connection: they are the gateway's own."""


class HeaderChanges(Model):
    """What is done to header fields."""

    own: ClassVar[frozenset[str]] = FRAMING_HEADERS
    """Headers that the gateway writes itself; lower case."""

    set: Mapping[HeaderName, HeaderValue | None] = {}
    """Header to value, in place of what was there; null removes it."""
    append: Mapping[HeaderName, HeaderValue] = {}
    """Header to value, beside what was there."""
    remove: tuple[HeaderName, ...] = ()
    """Headers that go."""

    @model_validator(mode="after")
    def _leaves_the_gateways_own(self) -> Self:
        named: Iterable[tuple[str, str | int, str]] = (
            *(("set", name, name) for name in self.set),
            *(("append", name, name) for name in self.append),
            *(("remove", index, name) for index, name in enumerate(self.remove)),
        )
        for key, position, name in named:
            if name.lower().replace("_", "-") in self.own:
                raise Refusal(f"{name}, which the gateway writes itself", "another header", key, position)
        return self


class RequestHeaderChanges(HeaderChanges):
    """What is done to a request's header fields."""

    own: ClassVar[frozenset[str]] = FRAMING_HEADERS | frozenset(
        "client-cert client-cert-chain expect forwarded host proxy-authenticate proxy-authorization "  # noqa: SIM905
        "sec-websocket-accept sec-websocket-key sec-websocket-version via x-client-cert-subject "
        "x-forwarded-client-cert x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix "
        "x-forwarded-proto x-forwarded-server x-forwarded-ssl x-real-ip x-request-id".split()
    )


class ResponseHeaderChanges(HeaderChanges):
    """What is done to an answer's header fields."""

    own: ClassVar[frozenset[str]] = FRAMING_HEADERS | frozenset(
        "content-encoding proxy-authenticate proxy-status sec-websocket-accept via x-request-id".split()  # noqa: SIM905
    )


class BodyReplacement(Model):
    """One replacement in a body."""

    pattern: Pattern
    """Regular expression for what is replaced."""
    replacement: Annotated[str, Field(max_length=LONGEST_PATTERN)]
    """What stands there instead; \\1 is the first group."""

    @model_validator(mode="after")
    def _names_groups_that_are_there(self) -> Self:
        _check_replacement(self.pattern, self.replacement, BODY_TEXT)
        return self


class ResponseBody(Model):
    """Changes to answers' bodies, which are held whole for it."""

    content_types: Annotated[tuple[Label, ...], Field(min_length=1)]
    """Types of bodies that are changed."""
    replace: Annotated[tuple[BodyReplacement, ...], Field(min_length=1)]
    max_size: Annotated[Size, between("1B", "1GiB")] = 1 << 20
    """Larger answers pass unchanged."""

    @model_validator(mode="after")
    def _takes_bounded_time(self) -> Self:
        for index, one in enumerate(self.replace):
            if steps(compiled(one.pattern), self.max_size) > BODY_STEPS:
                found = f"{shown(one.pattern)}, which may take too long over a body of {self.max_size} bytes"
                expected = "repeats with an end, such as {1,30}, a shorter pattern, or a smaller max_size"
                raise Refusal(found, expected, "replace", index, "pattern")
        return self


def _check_replacement(pattern: str, replacement: str, allowed: re.Pattern[bytes]) -> None:
    try:
        check_replacement(compiled(pattern), replacement, allowed=allowed)
    except PatternRefused as error:
        raise Refusal(error.found, error.expected, "replacement") from None


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
