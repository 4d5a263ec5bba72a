"""What an act of the play has to work with: the processes, the clients and what they got, and how to wait.

Each act does something to real processes, waits until the effect that it expects is there (never for a fixed time),
lets enough requests pass to show it by, waits until those have ended, and checks its promises on them. An effect that
does not come in time is a broken promise too.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tidegate.demo import promises
from tidegate.demo.cluster import Arrival, Cluster
from tidegate.demo.processes import is_gone
from tidegate.demo.promises import Promise
from tidegate.demo.setting import HEALTH_BOUND_S
from tidegate.demo.traffic import ANSWER_TIMEOUT_S, Answer, Traffic
from tidegate.demo.waiting import LOOK_EVERY_S, NotInTimeError, until
from tidegate.demo.watch import Watch

RETURN_WITHIN_S = 30.0
SHOWN_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What an act has to work with."""

    cluster: Cluster
    traffic: Traffic
    watch: Watch
    wall: Callable[[], float]
    """The clock that the nodes' `since` is read by, in seconds."""
    clock: Callable[[], float] = time.monotonic
    step: Callable[[str], None] = lambda _: None
    """Is told what is waited for, in words."""

    async def wait_for(
        self, condition: Callable[[], bool], *, within_s: float, what: str, every_s: float = LOOK_EVERY_S
    ) -> None:
        """Wait until it holds; raise `NotInTimeError` when that takes too long."""
        self.step(what)
        await until(condition, within_s=within_s, what=what, every_s=every_s, clock=self.clock)

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], *, within_s: float, what: str) -> float:
        """The same for what has to be asked for; return how long it took, in seconds."""
        self.step(what)
        return await until(condition, within_s=within_s, what=what, clock=self.clock)

    def kill(self, *backends: str) -> tuple[float, float]:
        """`kill -9`; return the monotonic and the wall time just before."""
        moment = self.clock(), self.wall()
        for backend in backends:
            self.cluster.backends[backend].kill()
        return moment

    async def everyone_says(self, health: str, *backends: str, within_s: float) -> None:
        """Wait until each node has this verdict on each backend."""
        for name in backends:
            await self.wait_for(
                partial(self.watch.all_say, self.cluster.plan.backend(name).endpoint, health),
                within_s=within_s,
                what=f"every node says that {name} is {health}",
            )

    async def revive(self, *backends: str) -> None:
        """Start backends again and wait until every node trusts them."""
        for backend in backends:
            self.cluster.backends[backend].start()
        await self.everyone_says("up", *backends, within_s=RETURN_WITHIN_S)

    async def station_witness(self, backend: str, *, died_at: float) -> None:
        """From the health bound on, have a witness at a dead backend's port, and wait until it sees the first probe."""
        seen = len(self.cluster.seen_by_witness(backend))
        await self.wait_for(
            lambda: self.clock() >= died_at + HEALTH_BOUND_S, within_s=HEALTH_BOUND_S, what="the health bound to pass"
        )
        self.cluster.witnesses[backend].start()
        await self.wait_for(
            lambda: len(self.cluster.seen_by_witness(backend)) > seen,
            within_s=SHOWN_WITHIN_S,
            what=f"the witness at the port of {backend} to see a probe",
        )

    async def watch_traffic(
        self,
        enough: int,
        *,
        since: float,
        counts: Callable[[Answer], bool] = lambda _: True,
        within_s: float = SHOWN_WITHIN_S,
    ) -> None:
        """Wait until the clients of each region have got so many answers, of those that count."""

        def is_enough() -> bool:
            got = Counter(answer.region for answer in self.traffic.answers(since=since) if counts(answer))
            return all(got[region] >= enough for region in self.watch.views)

        await self.wait_for(is_enough, within_s=within_s, what=f"{enough} answers for the clients of each region")

    async def answers(self, *, since: float) -> tuple[Answer, ...]:
        """All requests that began since then, up to now, once they have ended."""
        end = self.clock()
        await self.wait_for(
            lambda: self.traffic.is_settled(until=end), within_s=ANSWER_TIMEOUT_S + 2, what="the last answers to arrive"
        )
        return self.traffic.answers(since=since, until=end)

    def arrivals(self, *regions: str) -> tuple[Arrival, ...]:
        """What all backends (of these regions, if any are named) have logged."""
        return tuple(
            arrival
            for backend in self.cluster.plan.backends
            if not regions or backend.region in regions
            for arrival in self.cluster.arrivals(backend.name)
        )

    async def replaced(self, region: str, process: str) -> tuple[float, float]:
        """`kill -9` a process of a node; return when it was gone, and when the node told of its replacement."""
        pid = self.watch.views[region].processes[process]
        os.kill(pid, signal.SIGKILL)
        await self.wait_for(lambda: is_gone(pid), within_s=5.0, what=f"the end of {process}", every_s=0.001)
        gone = self.clock()

        def is_replaced() -> bool:
            view = self.watch.views[region]
            return view.is_reachable and view.processes.get(process, pid) != pid

        await self.wait_for(is_replaced, within_s=RETURN_WITHIN_S, what=f"a new {process} in place of process {pid}")
        return gone, self.clock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act."""

    sentence: str
    promises: tuple[Promise, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """One scene: its title, what is done in it, and its script."""

    title: str
    what: str
    script: Callable[[Stage], Awaitable[Outcome]]


async def perform(act: Act, stage: Stage) -> Outcome:
    """Play an act. If what it waits for does not come, that promise is broken and the play goes on."""
    began = stage.clock()
    try:
        return await act.script(stage)
    except (NotInTimeError, ExceptionGroup) as failure:
        late = _what_was_late(failure)
        sentence = promises.sentence(stage.traffic.answers(since=began))
        return Outcome(sentence, (Promise(late.what, is_kept=False, found=f"not within {late.within_s:.1f} s"),))


def _what_was_late(failure: NotInTimeError | ExceptionGroup[Exception]) -> NotInTimeError:
    """The first of several that waited at once; raise `failure` where there is more to it than lateness."""
    if isinstance(failure, NotInTimeError):
        return failure
    late, rest = failure.split(NotInTimeError)
    if late is None or rest is not None:
        raise failure
    return _what_was_late(late.exceptions[0])


def on(route: str, answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.route == route]


def away_from(route: str, answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.route != route]
