"""Which endpoints may be trusted, right now? Runs the probes, and says when a verdict changed.

    reconcile(targets) ──> book (health/core/book.py): verdicts, distances
                           one turn each, with one alarm: the next probe is due, or the attempt's time is up
    tick() ── alarm rang ──> attempt ──> outcome ──> book ──> on_change()

One heap of alarms and one timer for all endpoints; no task and no timer for each. At most `probes_at_once` attempts
are in flight; the others wait in the order in which they were due, and `load()` shows how many and how long. 256 slots
carry 256 x interval / timeout endpoints that all hang: 1280 with the defaults. Beyond that, verdicts come later than
`health/core/schedule.py` promises.

All durations are on the steady `clock`; `wall` is only written down for people. A defect in a probe, or in who listens
to changes, is logged, and ends neither the endpoint's probing nor anybody else's. Nothing here is safe to call from
another thread.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import count

from health.core.book import Book
from health.core.latency import has_moved
from health.core.probe import Outcome, ProbeResult, ProbeTarget
from health.core.region import RegionChange, RegionVerdict
from health.core.schedule import FORGIVEN_S, first_due, hurried, next_due, suspected
from health.core.service import ServiceVerdict
from health.core.verdict import EndpointVerdict
from health.probes.http import HttpAttempt
from health.probes.https import HttpsAttempt
from health.probes.names import Names
from health.probes.tcp import Attempt, Surroundings, TcpAttempt
from health.probes.udp import UdpAttempt

logger = logging.getLogger(__name__)

PROBES_AT_ONCE = 256
GRAIN_S = 0.005
"""The timer sleeps at least so long, so that thousands of endpoints are started in small batches."""
REVIEW_S = 1.0
"""How often it is asked whether a region's distance has moved enough to say so."""

Begin = Callable[[ProbeTarget, Callable[[Outcome], None]], Attempt]
"""Makes an attempt, not yet started, that will call the function once with its outcome."""


@dataclass(frozen=True, slots=True)
class ProberLoad:
    """How the prober itself is doing. The last three only grow."""

    endpoints: int
    in_flight: int
    limit: int
    waiting: int
    """Probes that are due and find no slot."""
    longest_wait_s: float
    """Of those, the longest overdue; 0 when none waits."""
    started: int
    late: int
    """Probes that started later than `FORGIVEN_S` after they were due: verdicts may have been late too."""
    inconclusive: int
    """Probes that failed for reasons of our own."""


class Turn:
    """Where the probing of one endpoint stands."""

    __slots__ = ("alarm", "attempt", "due", "has_been_extended", "is_waiting", "number", "started", "target")

    def __init__(self, target: ProbeTarget) -> None:
        self.target = target
        self.due = math.inf
        """When the next probe is due; while an attempt is in flight, the one after it."""
        self.alarm = -1
        """Number of the one alarm that counts; earlier ones ring unheard."""
        self.attempt: Attempt | None = None
        self.started = -math.inf
        self.number = 0
        """Of the attempt; outcomes of earlier ones are not heard."""
        self.has_been_extended = False
        self.is_waiting = False


class Prober:
    """See the module. `tick` is one turn of `run`, for whoever owns time."""

    def __init__(
        self,
        *,
        node_id: str,
        on_change: Callable[[], None],
        rng: random.Random,
        wall: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
        begin: Begin | None = None,
        probes_at_once: int = PROBES_AT_ONCE,
    ) -> None:
        if not (node_id.isascii() and node_id.isprintable()):
            raise ValueError(f"node id {node_id!r}, expected printable ASCII: it is sent in a header")
        self._agent = f"tidegate-probe/{metadata.version('tidegate')} ({node_id})"
        self._on_change = on_change
        self._rng = rng
        self._clock = clock
        self._wall = wall
        self._begin = begin
        self._limit = probes_at_once
        self._book = Book()
        self._turns: dict[str, Turn] = {}
        self._alarms: list[tuple[float, int, Turn]] = []
        self._alarm_numbers = count()
        self._waiting: deque[Turn] = deque()
        self._in_flight = 0
        self._started = self._late = self._inconclusive = 0
        self._told_rtts: Mapping[str, float] = {}
        self._review_due = -math.inf
        self._wake = asyncio.Event()
        self._sleeps_until = -math.inf

    # What to probe, and what is known

    def reconcile(self, targets: Sequence[ProbeTarget]) -> None:
        """Probes these from now on, and no others. What was learnt of those that stay, stays."""
        reconciled = self._book.reconcile(targets, now=self._wall(), steady=self._clock())
        for endpoint in reconciled.gone:
            self._forget(self._turns.pop(endpoint))
        self._waiting = deque(turn for turn in self._waiting if turn.is_waiting)
        for target in targets:
            self._turns.setdefault(target.endpoint, Turn(target)).target = target
        for endpoint in reconciled.asked_anew:
            self._abandon(self._turns[endpoint])
        # New pace, too: a shorter interval holds from now on, not after the gap that was drawn from the longer one.
        for endpoint in (*reconciled.new, *reconciled.asked_anew, *reconciled.paced_anew):
            self._probe_soon(self._turns[endpoint])
        self._tell(reconciled.sentences)

    def restore(self, saved: Mapping[str, EndpointVerdict]) -> None:
        """Takes up an earlier process's verdicts for what is untested, now and at the next `reconcile`."""
        if self._book.restore(saved, now=self._wall(), steady=self._clock()):
            self._tell(["verdicts of an earlier process taken up"])

    def suspect(self, endpoint: str) -> None:
        """Requests to it have failed: it is probed at once, and what that finds counts like any probe.

        Passive signs alone move no verdict: what failed may have been the request. One that is not probed is ignored.
        """
        turn = self._turns.get(endpoint)
        if turn is None or turn.attempt is not None or turn.is_waiting:
            return
        due = suspected(turn.target.settings, due=turn.due, started=turn.started, now=self._clock())
        if due < turn.due:
            turn.due = due
            self._set_alarm(turn, due)

    def endpoints(self) -> dict[str, EndpointVerdict]:
        return self._book.endpoints(steady=self._clock())

    def regions(self) -> dict[str, RegionVerdict]:
        return self._book.regions(steady=self._clock())

    def services(self) -> dict[str, ServiceVerdict]:
        """A service that has no endpoint is not named."""
        return self._book.services()

    def region_rtts(self) -> dict[str, float]:
        """Seconds by region; a region never measured is not named."""
        return self._book.region_rtts()

    def history(self, endpoint: str) -> tuple[ProbeResult, ...]:
        """The latest results, oldest first. Raises KeyError for an endpoint that is not probed."""
        return self._book.history(endpoint)

    def region_changes(self, region: str) -> tuple[RegionChange, ...]:
        """The latest changes of a region's health, oldest first. Raises KeyError for a region without endpoints."""
        return self._book.region_changes(region)

    def load(self) -> ProberLoad:
        now = self._clock()
        return ProberLoad(
            endpoints=len(self._turns),
            in_flight=self._in_flight,
            limit=self._limit,
            waiting=len(self._waiting),
            longest_wait_s=max((now - turn.due for turn in self._waiting), default=0.0),
            started=self._started,
            late=self._late,
            inconclusive=self._inconclusive,
        )

    # Probing

    async def run(self) -> None:
        """Probes until cancelled. Attempts in flight are then abandoned; what was learnt stays."""
        loop = asyncio.get_running_loop()
        names = Names(loop)
        given = self._begin
        if given is None:
            self._begin = _real_attempts(Surroundings(loop, self._clock, self._agent, names.lookup))
        try:
            while True:
                self._wake.clear()
                self._sleeps_until = -math.inf  # what the tick itself sets an alarm for needs no waking
                self._sleeps_until = self.tick()
                timer = None
                if self._sleeps_until < math.inf:
                    timer = loop.call_later(max(self._sleeps_until - self._clock(), GRAIN_S), self._wake.set)
                try:
                    await self._wake.wait()
                finally:
                    if timer is not None:
                        timer.cancel()
        finally:
            self._begin = given
            names.close()
            for turn in self._turns.values():
                self._abandon(turn)

    def tick(self) -> float:
        """Does all that is due, and returns when there is more to do (inf: never, as things stand)."""
        now = self._clock()
        while self._alarms and self._alarms[0][0] <= now:
            at, number, turn = heapq.heappop(self._alarms)
            if number == turn.alarm:
                self._ring(turn, late_s=now - at)
        while self._waiting and self._in_flight < self._limit:
            turn = self._waiting.popleft()
            turn.is_waiting = False
            self._start(turn)
        if now >= self._review_due:
            self._review_due = now + REVIEW_S
            self._review_distances()
        return self._alarms[0][0] if self._alarms else math.inf

    def _ring(self, turn: Turn, *, late_s: float) -> None:
        if turn.attempt is None:
            turn.is_waiting = True
            self._waiting.append(turn)
        elif late_s > FORGIVEN_S and not turn.has_been_extended:
            # This node stood still, and with it the attempt: what it missed may lie in the socket, unread.
            turn.has_been_extended = True
            self._set_alarm(turn, self._clock() + min(late_s, turn.target.settings.attempt_timeout_s))
        else:
            self._expire(turn, turn.attempt)

    def _start(self, turn: Turn) -> None:
        if self._begin is None:
            raise RuntimeError("tick without attempts, expected run() or begin=...")
        now = self._clock()
        settings = turn.target.settings
        self._started += 1
        self._late += now - turn.due > FORGIVEN_S
        self._in_flight += 1
        turn.started = now
        turn.due = next_due(settings, due=turn.due, started=now, rng=self._rng)
        turn.has_been_extended = False
        turn.number = number = turn.number + 1
        try:
            turn.attempt = self._begin(turn.target, partial(self._ended, turn, number))
            self._set_alarm(turn, now + settings.attempt_timeout_s)
            turn.attempt.start()
        except Exception as error:
            logger.exception("probe of %s could not be started", turn.target.endpoint)
            if turn.number == number:
                self._finish(turn, _defect(error))

    def _expire(self, turn: Turn, attempt: Attempt) -> None:
        try:
            outcome = attempt.expire()
        except Exception as error:
            logger.exception("probe of %s could not be ended", turn.target.endpoint)
            outcome = _defect(error)
        self._finish(turn, outcome)

    def _ended(self, turn: Turn, number: int, outcome: Outcome) -> None:
        if turn.number == number:
            self._finish(turn, outcome)

    def _finish(self, turn: Turn, outcome: Outcome) -> None:
        now, wall = self._clock(), self._wall()
        self._free(turn)
        self._inconclusive += outcome.passed is None
        result = ProbeResult(outcome.passed, outcome.reason, wall, now - turn.started, outcome.rtt_s)
        self._tell(self._book.observe(turn.target.endpoint, result, now=wall, steady=now))
        if self._book.is_in_doubt(turn.target.endpoint):
            turn.due = hurried(turn.target.settings, due=turn.due, ended=now, rng=self._rng)
            self._set_alarm(turn, turn.due)

    def _free(self, turn: Turn) -> None:
        """The attempt is over, and its slot free for another."""
        turn.attempt = None
        turn.number += 1
        self._in_flight -= 1
        self._set_alarm(turn, turn.due)
        if self._waiting:
            self._wake.set()

    def _abandon(self, turn: Turn) -> None:
        if turn.attempt is not None:
            turn.attempt.abandon()
            self._free(turn)

    def _forget(self, turn: Turn) -> None:
        self._abandon(turn)
        turn.alarm = -1
        turn.is_waiting = False

    def _probe_soon(self, turn: Turn) -> None:
        turn.due = min(turn.due, first_due(turn.target.settings, now=self._clock(), rng=self._rng))
        if turn.attempt is None and not turn.is_waiting:
            self._set_alarm(turn, turn.due)

    def _set_alarm(self, turn: Turn, at: float) -> None:
        turn.alarm = next(self._alarm_numbers)
        heapq.heappush(self._alarms, (at, turn.alarm, turn))
        if at < self._sleeps_until:
            self._wake.set()

    def _review_distances(self) -> None:
        rtts = self._book.region_rtts()
        if any(has_moved(self._told_rtts.get(name), rtts.get(name)) for name in rtts.keys() | self._told_rtts.keys()):
            self._told_rtts = rtts
            self._tell(["the distance of a region has changed"])

    def _tell(self, changes: Sequence[str]) -> None:
        for sentence in changes:
            logger.info("%s", sentence)
        if not changes:
            return
        try:
            self._on_change()
        except Exception:
            logger.exception("a change of verdicts could not be passed on")


def _real_attempts(surroundings: Surroundings) -> Begin:
    kinds: dict[str, type[TcpAttempt]] = {
        "http": HttpAttempt,
        "https": HttpsAttempt,
        "tcp": TcpAttempt,
        "udp": UdpAttempt,
    }

    def begin(target: ProbeTarget, on_end: Callable[[Outcome], None]) -> Attempt:
        if target.settings.protocol == "grpc" and "grpc" not in kinds:
            from health.probes.grpc import GrpcAttempt  # noqa: PLC0415 - needs the extra `grpc`

            kinds["grpc"] = GrpcAttempt
        return kinds[target.settings.protocol](target, surroundings, on_end)

    return begin


def _defect(error: Exception) -> Outcome:
    return Outcome(passed=None, reason=f"probe defect: {type(error).__name__}")
