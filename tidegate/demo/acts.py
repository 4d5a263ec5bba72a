"""The acts about traffic: what breaks, where requests go instead, and how that is checked."""

from __future__ import annotations

from tidegate.demo import promises
from tidegate.demo.promises import Promise
from tidegate.demo.setting import HEALTH_BOUND_S, MARGIN_S, PROFILE_HOME, PROFILE_TYPE
from tidegate.demo.stage import SHOWN_WITHIN_S, Act, Outcome, Stage, away_from, on
from tidegate.demo.traffic import RATE_PER_REGION

NOTICE_BOUND_S = HEALTH_BOUND_S - MARGIN_S
"""A verdict must come this much earlier than the bound, for it has to be carried to the workers too."""
NOTICE_WITHIN_S = HEALTH_BOUND_S + 8.0
"""How long a verdict is waited for before giving up; whether it came within the bound is judged apart."""
ENOUGH = 20
"""Requests of each region's clients to show an effect by."""
ENOUGH_BOUND = 6
"""The same for the bound route, which is asked less often."""
CROWD_RATE = 5 * RATE_PER_REGION
"""Requests a second of the clients whose node loses processes: so many that a dying process holds some."""
HOME = {region: region for region in ("eu-west", "us-east", "ap-south")}


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
    worker_gone, worker_back = await stage.replaced(region, "worker 0")
    await stage.watch_traffic(ENOUGH, since=worker_gone)
    with_worker = [answer for answer in await stage.answers(since=first) if answer.region == region]
    second = stage.clock()
    control_gone, control_back = await stage.replaced(region, "control")
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


TRAFFIC_ACTS = (
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
