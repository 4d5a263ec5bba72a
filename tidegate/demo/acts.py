"""The play: what breaks, what should come of it, and how it is checked.

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
from tidegate.demo.setting import HEALTH_BOUND_S, MARGIN_S, PROBE_INTERVAL_S, PROFILE_HOME, PROFILE_TYPE
from tidegate.demo.traffic import ANSWER_TIMEOUT_S, RATE_PER_REGION, Answer, Traffic
from tidegate.demo.waiting import LOOK_EVERY_S, NotInTimeError, until
from tidegate.demo.watch import Watch

NOTICE_BOUND_S = HEALTH_BOUND_S - MARGIN_S
"""A verdict must come this much earlier than the bound, for it has to be carried to the workers too."""
NOTICE_WITHIN_S = HEALTH_BOUND_S + 8.0
"""How long a verdict is waited for before giving up; whether it came within the bound is judged apart."""
RETURN_WITHIN_S = 15.0
SHOWN_WITHIN_S = 20.0
ENOUGH = 20
"""Requests of each region's clients to show an effect by."""
ENOUGH_BOUND = 6
"""The same for the bound route, which is asked less often."""
CROWD_RATE = 5 * RATE_PER_REGION
"""Requests a second of the clients whose node loses processes: so many that a dying process holds some."""
OLD_VERDICT_S = 11 * PROBE_INTERVAL_S
"""A verdict not confirmed for ten intervals has gone stale; one that was confirmed all the time has not."""
HOME = {region: region for region in ("eu-west", "us-east", "ap-south")}


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
    except NotInTimeError as late:
        sentence = promises.sentence(stage.traffic.answers(since=began))
        return Outcome(sentence, (Promise(late.what, is_kept=False, found=f"not within {late.within_s:.1f} s"),))


def on(route: str, answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.route == route]


def away_from(route: str, answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.route != route]


async def calm(stage: Stage) -> Outcome:
    began = stage.clock()
    await stage.watch_traffic(ENOUGH, since=began, counts=lambda answer: answer.route == "feed")
    answers = await stage.answers(since=began)
    primary = dict.fromkeys(HOME, "eu-west")
    return Outcome(
        promises.sentence(answers),
        (
            promises.served_by(on("feed", answers), text="by latency, each client is served at home", expected=HOME),
            promises.served_by(
                on("orders", answers), text="by failover order, all are served by the primary", expected=primary
            ),
            promises.served_by(on("maps", answers), text="by place, each client is served at home", expected=HOME),
            promises.all_of("nothing fails", answers, lambda answer: not answer.is_failed),
            promises.logs_agree(answers, stage.arrivals()),
        ),
    )


async def backend_dies(stage: Stage) -> Outcome:
    victim = "eu-west-1"
    endpoint = stage.cluster.plan.backend(victim).endpoint
    began, wall = stage.kill(victim)
    await stage.everyone_says("down", victim, within_s=NOTICE_WITHIN_S)
    noticed = stage.watch.noticed_after(endpoint, wall)
    await stage.wait_for(
        lambda: stage.clock() >= began + HEALTH_BOUND_S, within_s=NOTICE_WITHIN_S, what="the health bound"
    )
    stage.cluster.witnesses[victim].start()
    await stage.wait_for(
        lambda: bool(stage.cluster.seen_by_witness(victim)), within_s=SHOWN_WITHIN_S, what="a probe to arrive"
    )
    await stage.watch_traffic(ENOUGH, since=stage.clock())
    stage.cluster.witnesses[victim].kill()
    returned = stage.clock()
    await stage.revive(victim)
    await stage.wait_for(
        lambda: any(not arrival.is_probe for arrival in stage.cluster.arrivals(victim, since=returned)),
        within_s=SHOWN_WITHIN_S,
        what=f"{victim} is sent requests again",
    )
    answers = await stage.answers(since=began)
    return Outcome(
        promises.sentence(answers),
        (
            promises.left_in_time(noticed, what=victim, bound_s=NOTICE_BOUND_S),
            promises.none_failed(answers),
            promises.left_alone(victim, stage.cluster.seen_by_witness(victim)),
            promises.logs_agree(answers, stage.arrivals()),
            Promise("it comes back and serves again", is_kept=True, found=f"{stage.clock() - returned:.1f} s later"),
        ),
    )


async def region_dies(stage: Stage) -> Outcome:
    victims = ("us-east-1", "us-east-2")
    began, wall = stage.kill(*victims)
    await stage.everyone_says("down", *victims, within_s=NOTICE_WITHIN_S)
    noticed = [stage.watch.noticed_after(stage.cluster.plan.backend(victim).endpoint, wall) for victim in victims]
    moved = stage.clock() + MARGIN_S
    await stage.watch_traffic(ENOUGH, since=moved, counts=lambda answer: answer.route == "feed")
    answers = await stage.answers(since=began)
    after = [answer for answer in on("feed", answers) if answer.began >= moved]
    return Outcome(
        promises.sentence(answers),
        (
            *(
                promises.left_in_time(delays, what=victim, bound_s=NOTICE_BOUND_S)
                for victim, delays in zip(victims, noticed, strict=True)
            ),
            promises.none_failed(answers),
            promises.served_by(
                after,
                text="its clients are served by the next region, eu-west",
                expected={**HOME, "us-east": "eu-west"},
            ),
            promises.logs_agree(answers, stage.arrivals()),
        ),
    )


async def region_returns(stage: Stage) -> Outcome:
    began = stage.clock()
    await stage.revive("us-east-1", "us-east-2")
    trusted = stage.clock()
    back = trusted + MARGIN_S
    await stage.watch_traffic(ENOUGH, since=back, counts=lambda answer: answer.route == "feed")
    answers = await stage.answers(since=began)
    after = [answer for answer in on("feed", answers) if answer.began >= back]
    return Outcome(
        promises.sentence(answers),
        (
            promises.served_by(after, text="its clients are served at home again", expected=HOME),
            promises.all_of("nothing fails", answers, lambda answer: not answer.is_failed),
            promises.logs_agree(answers, stage.arrivals()),
            Promise("every node trusts it again", is_kept=True, found=f"{trusted - began:.1f} s after its start"),
        ),
    )


async def residency_holds(stage: Stage) -> Outcome:
    victims = ("eu-west-1", "eu-west-2")
    began, _ = stage.kill(*victims)
    await stage.everyone_says("down", *victims, within_s=NOTICE_WITHIN_S)
    closed = stage.clock() + MARGIN_S
    await stage.watch_traffic(ENOUGH_BOUND, since=closed, counts=lambda answer: answer.route == PROFILE_TYPE)
    bound = on(PROFILE_TYPE, await stage.answers(since=began))
    at_home = [answer for answer in bound if answer.region == PROFILE_HOME]
    abroad = [answer for answer in bound if answer.region != PROFILE_HOME]
    returned = stage.clock()
    await stage.revive(*victims)
    await stage.wait_for(
        lambda: sum(answer.is_served for answer in on(PROFILE_TYPE, stage.traffic.answers(since=returned))) > 1,
        within_s=SHOWN_WITHIN_S,
        what="the bound route serves again",
    )
    others = away_from(PROFILE_TYPE, await stage.answers(since=began))
    elsewhere = stage.arrivals(*(region for region in HOME if region != PROFILE_HOME))
    refused = promises.counted(sum(answer.is_failed for answer in at_home), "request")
    return Outcome(
        f"{refused} for personal data refused rather than sent abroad; on the other routes {promises.sentence(others)}",
        (
            promises.fails_closed([answer for answer in at_home if answer.began >= closed], rule=PROFILE_TYPE),
            promises.all_of(
                "none of it is answered from anywhere else",
                bound,
                lambda answer: not answer.is_served or answer.served_from == PROFILE_HOME,
            ),
            promises.all_of(
                "nodes elsewhere send it home instead of proxying it",
                abroad,
                lambda answer: answer.is_refused_by_residency,
            ),
            promises.stayed_home(bound, elsewhere, home=PROFILE_HOME),
            promises.none_failed(others, text="no idempotent request of other routes fails"),
            Promise("it serves again", is_kept=True, found=f"{stage.clock() - returned:.1f} s after its start"),
        ),
    )


async def processes_die(stage: Stage) -> Outcome:
    region = "us-east"
    stage.traffic.hasten(region, CROWD_RATE)
    try:
        return await _processes_die(stage, region, down="us-east-1")
    finally:
        stage.traffic.hasten(region, RATE_PER_REGION)


async def _processes_die(stage: Stage, region: str, down: str) -> Outcome:
    began, _ = stage.kill(down)
    await stage.everyone_says("down", down, within_s=NOTICE_WITHIN_S)
    await stage.station_witness(down, died_at=began)
    first = stage.clock()
    worker_gone, worker_back = await _replaced(stage, region, "worker 0")
    await stage.watch_traffic(ENOUGH, since=worker_gone)
    with_worker = [answer for answer in await stage.answers(since=first) if answer.region == region]
    await stage.wait_for(
        lambda: stage.clock() >= began + OLD_VERDICT_S,
        within_s=OLD_VERDICT_S,
        what=f"the verdict on {down} to be an old one",
    )
    second = stage.clock()
    control_gone, control_back = await _replaced(stage, region, "control")
    await stage.watch_traffic(ENOUGH, since=control_back)
    with_control = [answer for answer in await stage.answers(since=second) if answer.region == region]
    without = [answer for answer in with_control if control_gone <= answer.began < control_back]
    stage.cluster.witnesses[down].kill()
    await stage.revive(down)
    seen = stage.cluster.seen_by_witness(down)
    return Outcome(
        promises.sentence(await stage.answers(since=began)),
        (
            promises.only_held_lost(with_worker, died_at=worker_gone),
            Promise("the worker is replaced", is_kept=True, found=f"{worker_back - worker_gone:.1f} s later"),
            promises.all_of(
                "nothing fails when the control process dies", with_control, lambda answer: not answer.is_failed
            ),
            promises.served_by(
                on("feed", without), text="without it, requests go where they went before", expected=HOME
            ),
            Promise(
                "the control process is replaced", is_kept=True, found=f"{control_back - control_gone:.1f} s later"
            ),
            promises.left_alone(down, seen, text=f"its replacement knows that {down} is down and leaves it alone"),
        ),
    )


async def _replaced(stage: Stage, region: str, process: str) -> tuple[float, float]:
    """`kill -9` a process of a node; return when it was gone, and when the node told of its replacement."""
    pid = stage.watch.views[region].processes[process]
    os.kill(pid, signal.SIGKILL)
    await stage.wait_for(lambda: is_gone(pid), within_s=5.0, what=f"the end of {process}", every_s=0.001)
    gone = stage.clock()

    def is_replaced() -> bool:
        view = stage.watch.views[region]
        return view.is_reachable and view.processes.get(process, pid) != pid

    await stage.wait_for(is_replaced, within_s=RETURN_WITHIN_S, what=f"a new {process} in place of process {pid}")
    return gone, stage.clock()


ACTS = (
    Act("Calm", "Everything is well. Each client asks the node of its own region.", calm),
    Act(
        "A backend dies",
        "kill -9 of eu-west-1. A witness listens at its port for what is still sent there.",
        backend_dies,
    ),
    Act("A region dies", "kill -9 of both backends in us-east.", region_dies),
    Act("It comes back", "Both backends of us-east are started again.", region_returns),
    Act(
        "Residency holds",
        "kill -9 of both backends in eu-west, the only region that may hold profiles.",
        residency_holds,
    ),
    Act(
        "Processes die",
        "kill -9 of a worker and of the control process in us-east, where a backend is down too.",
        processes_die,
    ),
)
