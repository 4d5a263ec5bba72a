"""What does a route do to its requests and their answers on the way? Compiled once a configuration.

    redirect                         answered here                                       redirects.py
    cors                             preflights answered here, answers decorated         cors.py
    split                            one of several services                             splitting.py
    request   path, Host, fields     a copy of the head is forwarded                     outgoing.py
    answer    fields, body, coding   between the endpoint and the client                 body_rules.py, compression.py
    mirror                           a copy to another service, whose answer is dropped  gateway/proxy/mirror.py
    limits, buffer_request           413, 502; the whole body before an endpoint is chosen

A route that asks for none of it has no `Shaping`: what it costs then is to see that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from config.models import Route
from gateway.core import reasons
from gateway.core.body_rules import BodyRules, body_rules
from gateway.core.cors import DROPPED, CorsRules, cors_rules, origin_of
from gateway.core.header_rules import HeaderRules, dash, header_rules
from gateway.core.outgoing import RequestRules, request_rules
from gateway.core.problems import Answer
from gateway.core.redirects import RedirectRules, redirect_rules
from gateway.core.routes import Facts
from gateway.core.splitting import SplitRules, split_rules

BUFFER_BYTES: Final = 8 << 20
"""Of a request that is held whole, where the route sets no limit."""

_WRITTEN_IN_PROBLEMS: Final = frozenset(
    dash(name)
    for name in (
        "allow",
        "cache-control",
        "content-type",
        "location",
        "proxy-status",
        "retry-after",
        "www-authenticate",
    )
)


@dataclass(frozen=True, slots=True)
class Coding:
    """When answers are compressed."""

    offered: tuple[str, ...]
    min_size: int


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """What is done to answers of endpoints."""

    fields: HeaderRules | None
    cors: CorsRules | None
    body: BodyRules | None
    coding: Coding | None
    max_size: int | None
    cookie: SplitRules | None
    """Keeps a client with the service that it was given."""


@dataclass(frozen=True, slots=True)
class MirrorRules:
    """Which requests are copied, and to whom."""

    service: str
    share: float


@dataclass(frozen=True, slots=True)
class Shaping:
    """One route's."""

    redirect: RedirectRules | None
    cors: CorsRules | None
    split: SplitRules | None
    request: RequestRules | None
    answer: AnswerRules | None
    mirror: MirrorRules | None
    max_request: int | None
    """Bytes; a route that holds bodies whole always has a limit."""
    buffers_request: bool
    own_lines: tuple[bytes, ...]
    """Of `response_headers`, on answers of the gateway's own too, without line ends."""

    def refuses_size(self, route: str, size: int) -> Answer | None:
        """For a body whose size is known from the head."""
        if self.max_request is None or size <= self.max_request:
            return None
        return Answer(
            413,
            reasons.BODY_TOO_LARGE,
            f"a body of {size} bytes, at most {self.max_request} are allowed on route {route}",
            "http_request_error",
        )

    def body_limit(self, listener_limit: int | None) -> int | None:
        """The smaller of the route's and the listener's."""
        return min((limit for limit in (self.max_request, listener_limit) if limit is not None), default=None)

    def decorate(self, answer: Answer, facts: Facts) -> Answer:
        """An answer of the gateway's own, as pages of other origins and the operator's headers need it."""
        lines = self.cors.lines(origin_of(facts)) if self.cors is not None else ()
        if not lines and not self.own_lines:
            return answer
        return replace(answer, fields=(*answer.fields, *lines, *self.own_lines))


def shaping_of(route: Route) -> Shaping | None:
    """None where the route asks for nothing."""
    cors = cors_rules(route.cors) if route.cors is not None else None
    split = split_rules(route)
    shaping = Shaping(
        redirect=redirect_rules(route.redirect) if route.redirect is not None else None,
        cors=cors,
        split=split,
        request=request_rules(route),
        answer=_answer_rules(route, cors, split),
        mirror=_mirror_rules(route),
        max_request=_max_request(route),
        buffers_request=route.buffer_request,
        own_lines=_own_lines(route),
    )
    return None if shaping == NOTHING else shaping


def _max_request(route: Route) -> int | None:
    limit = route.limits.max_request
    return BUFFER_BYTES if limit is None and route.buffer_request else limit


def _mirror_rules(route: Route) -> MirrorRules | None:
    mirror = route.mirror
    return MirrorRules(mirror.service, mirror.percent) if mirror is not None and mirror.percent else None


def _answer_rules(route: Route, cors: CorsRules | None, split: SplitRules | None) -> AnswerRules | None:
    fields = header_rules(route.response_headers)
    if cors is not None:
        fields = HeaderRules(DROPPED, b"") if fields is None else HeaderRules((*DROPPED, *fields.dropped), fields.added)
    rules = AnswerRules(
        fields=fields,
        cors=cors,
        body=body_rules(route.response_body),
        coding=Coding(route.compression.encodings, route.compression.min_size) if route.compression else None,
        max_size=route.limits.max_response,
        cookie=split if split is not None and split.is_sticky else None,
    )
    return None if rules == _NO_ANSWER_RULES else rules


def _own_lines(route: Route) -> tuple[bytes, ...]:
    rules = header_rules(route.response_headers)
    if rules is None:
        return ()
    lines = rules.added.split(b"\r\n")[:-1]
    return tuple(line for line in lines if line.partition(b":")[0].lower() not in _WRITTEN_IN_PROBLEMS)


_NO_ANSWER_RULES: Final = AnswerRules(None, None, None, None, None, None)
NOTHING: Final = Shaping(None, None, None, None, None, None, None, buffers_request=False, own_lines=())
