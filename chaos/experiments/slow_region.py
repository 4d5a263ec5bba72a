"""The nearest region becomes slow without failing: does a route by latency move away, and come back?

Nothing is down, no probe fails; only the round trip grows. The smoothed figure absorbs three quarters of a lasting
change in five probes, so the move is awaited for some probes.
"""

from __future__ import annotations

from collections.abc import Sequence

from chaos.hypothesis import Hypothesis
from chaos.rig import Placed, Rig, Setting
from tidegate.demo.promises import Promise, counted, none_failed

NEAR, FAR = "eu-west", "us-east"
NEAR_MS, FAR_MS, SLOW_MS = 20, 80, 300
PROBES_TO_MOVE = 6
"""20 ms -> 300 ms passes 80 ms with the first probe; back, from 300 ms, the mean passes 80 ms with the sixth."""
READY_WITHIN_S = 15.0


async def script(rig: Rig) -> Sequence[Promise]:
    near, far = rig.links[NEAR], rig.links[FAR]
    began = rig.clock()
    near_toxic = await near.add("latency", latency=NEAR_MS)
    await far.add("latency", latency=FAR_MS)
    await rig.shown("the near region answers", lambda one: one.served_from == NEAR, since=began)
    slowed = rig.clock()
    await near.change(near_toxic, latency=SLOW_MS)
    away = await _moved(rig, FAR, since=slowed)
    healed = rig.clock()
    await near.change(near_toxic, latency=NEAR_MS)
    back = await _moved(rig, NEAR, since=healed)
    answers = await rig.answers(since=began)
    return (away, back, none_failed(answers, text="nothing fails because a region is slow"))


async def _moved(rig: Rig, region: str, *, since: float) -> Promise:
    """Traffic moves to a region, and stays there."""
    setting = rig.setting
    bound_s = PROBES_TO_MOVE * (setting.probe_interval_s * (1 + setting.probe_jitter) + SLOW_MS / 1000) + 0.1
    text = f"traffic moves to {region} within {bound_s:.1f} s and stays there"
    after = since + bound_s
    what = f"answers {bound_s:.1f} s after {region} became the nearest"
    await rig.shown(what, lambda one: one.began >= after, since=since)
    later = [answer for answer in await rig.answers(since=since) if answer.began >= after]
    astray = sum(answer.served_from != region for answer in later)
    return Promise(text, is_kept=not astray, found=f"{astray} of {counted(len(later), 'request')} elsewhere")


HYPOTHESIS = Hypothesis(
    name="slow_region",
    given=f"a route by latency, one region {NEAR_MS} ms away and one {FAR_MS} ms",
    when=f"the nearer becomes {SLOW_MS} ms slow, and fast again",
    then="traffic moves to the other and comes back, and nothing fails",
    setting=Setting(
        (Placed(NEAR, NEAR, is_behind_link=True), Placed(FAR, FAR, is_behind_link=True)),
        strategy="latency",
        rate=30.0,
    ),
    script=script,
)
