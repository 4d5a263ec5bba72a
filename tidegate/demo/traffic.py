"""Clients of three regions, each asking its own region's node, open loop, every answer recorded.

    due 0.00   0.04   0.08 ...      each request starts when it is due, whether or not earlier ones were answered:
        |--------->|                a system that stalls is not asked less, so its stall is seen
               |----->|             (no coordinated omission)

What is in flight is bounded: beyond `MOST_IN_FLIGHT` a request is held back, and counted as that. Each request is sent
once, on a connection of its own: a client library that quietly tries again on a fresh connection would hide what the
demo wants to show.

Every path carries a number that occurs once, so an answer and the line in a backend's log can be laid side by side.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from tidegate.demo.setting import PROFILE_HOME

RATE_PER_REGION = 20.0
"""Requests a second of one region's clients: enough to see every effect, little enough for two cores."""
MOST_IN_FLIGHT = 100
ANSWER_TIMEOUT_S = 6.0
MOST_KEPT = 50_000
"""Answers kept in memory; a demo that runs for hours forgets the oldest."""
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True)
class Errand:
    """A kind of request that clients make."""

    route: str
    method: str
    share: int
    """How often, beside the others' shares."""


ERRANDS = (
    Errand("feed", "GET", 10),
    Errand("feed", "POST", 1),
    Errand("orders", "GET", 2),
    Errand("orders", "PUT", 1),
    Errand("maps", "GET", 2),
    Errand("profile", "GET", 3),
    Errand("profile", "PUT", 1),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request."""

    region: str
    """Where the client stands; its own region's node was asked."""
    route: str
    method: str
    path: str
    began: float
    """Monotonic seconds."""
    ended: float
    status: int | None
    """None: no answer arrived."""
    backend: str | None
    """Name of the backend that says it answered."""
    served_from: str | None
    proxy_status: str | None
    reason: str | None
    rule: str | None
    """From the problem document, where there was one."""
    error: str | None
    """What went wrong where no answer arrived."""

    @property
    def took_s(self) -> float:
        return self.ended - self.began

    @property
    def is_served(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_idempotent(self) -> bool:
        return self.method in IDEMPOTENT

    @property
    def is_refused_by_residency(self) -> bool:
        """Sent away for the data's sake, by a node whose region may not hold it: 308 or 421, as it should be."""
        return self.route == "profile" and self.region != PROFILE_HOME and self.status in (308, 421)

    @property
    def is_refused_closed(self) -> bool:
        """Refused because no region that may hold the data can serve; a failure for the client, and yet as promised."""
        return self.route == "profile" and self.status == 503 and self.rule is not None

    @property
    def is_failed(self) -> bool:
        """Neither served nor rightly sent away."""
        return not self.is_served and not self.is_refused_by_residency


class AnswerLostError(aiohttp.ClientError):
    """The connection ended before an answer came."""


async def sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from sending an idempotent request a second time by itself when its connection is lost.

    It does so for these two errors, even on a new connection, and would hide every request that a dying process takes
    with it.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as lost:
        raise AnswerLostError(str(lost)) from lost


class Traffic:
    """All clients, and the record of what they got."""

    def __init__(
        self,
        gateways: Mapping[str, str],
        *,
        rng: random.Random,
        rate: float = RATE_PER_REGION,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gateways`: the URL of its node for each region."""
        self._gateways = dict(gateways)
        self._rng = rng
        self._rates = dict.fromkeys(gateways, rate)
        self._clock = clock
        self._numbers = itertools.count(1)
        self._answers: list[Answer] = []
        self._in_flight: dict[str, float] = {}
        self.held_back = 0
        self.ended = 0
        """All requests that have ended, also those whose answers are no longer kept."""
        self.failed = 0
        """Of these, not served and not sent away or refused for the data's sake."""
        self.refused = 0
        """Of these, refused because no region that may hold the data could serve."""

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def answers(self, *, since: float = 0.0, until: float = float("inf")) -> tuple[Answer, ...]:
        """The requests that began in this span and have ended, in the order they ended."""
        return tuple(_reversed_since(self._answers, since, until))[::-1]

    def hasten(self, region: str, rate: float) -> None:
        """From its next request on, the clients of this region ask so many times a second."""
        self._rates[region] = rate

    def is_settled(self, *, until: float) -> bool:
        """Whether all requests that began before that time have ended."""
        return not any(began < until for began in self._in_flight.values())

    async def run(self) -> None:
        """Ask until cancelled."""
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        session = aiohttp.ClientSession(connector=connector, timeout=timeout, middlewares=(sent_once,))
        async with session, asyncio.TaskGroup() as group:
            for region in self._gateways:
                group.create_task(self._ask_on_time(session, region), name=f"clients in {region}")

    async def _ask_on_time(self, session: aiohttp.ClientSession, region: str) -> None:
        due = self._clock() + self._rng.random() / self._rates[region]  # regions do not ask in step
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(max(0.0, due - self._clock()))
                errand = self._rng.choices(ERRANDS, weights=[one.share for one in ERRANDS])[0]
                path = f"/{errand.route}/{region}/{next(self._numbers):06d}"
                if self.in_flight < MOST_IN_FLIGHT:
                    group.create_task(self._ask(session, region, errand, path), name=path)
                else:
                    self.held_back += 1
                due += 1 / self._rates[region]

    async def _ask(self, session: aiohttp.ClientSession, region: str, errand: Errand, path: str) -> None:
        began = self._clock()
        self._in_flight[path] = began
        facts: Mapping[str, object] = {}
        status = error = proxy_status = None
        try:
            body = marked_body(path) if errand.method in ("PUT", "POST") else None
            async with session.request(
                errand.method, self._gateways[region] + path, data=body, allow_redirects=False
            ) as response:
                proxy_status = response.headers.get("Proxy-Status")
                facts = parsed(await response.read())
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as failure:
            error = f"{type(failure).__name__}: {failure}".rstrip(": ")
        finally:
            del self._in_flight[path]
        self.remember(
            Answer(
                region=region,
                route=errand.route,
                method=errand.method,
                path=path,
                began=began,
                ended=self._clock(),
                status=status,
                backend=text(facts, "backend"),
                served_from=text(facts, "region"),
                proxy_status=proxy_status,
                reason=text(facts, "reason"),
                rule=text(facts, "rule"),
                error=error,
            )
        )

    def remember(self, answer: Answer) -> None:
        """Put an answer on record."""
        self._answers.append(answer)
        self.ended += 1
        self.refused += answer.is_refused_closed
        self.failed += answer.is_failed and not answer.is_refused_closed
        if len(self._answers) > MOST_KEPT:
            del self._answers[: MOST_KEPT // 10]


def marked_body(path: str) -> bytes:
    """A body that can be recognised wherever it turns up."""
    return json.dumps({"secret": f"what {path} holds"}).encode()


def parsed(body: bytes) -> Mapping[str, object]:
    """A JSON object, or nothing where the answer is not one."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def text(facts: Mapping[str, object], name: str) -> str | None:
    value = facts.get(name)
    return value if isinstance(value, str) else None


def _reversed_since(answers: Sequence[Answer], since: float, until: float) -> Iterator[Answer]:
    """From the newest back. Answers stand in the order they ended; none takes longer than the timeout to end."""
    for answer in reversed(answers):
        if answer.ended < since:
            return
        if since <= answer.began < until:
            yield answer
