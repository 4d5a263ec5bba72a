"""An endpoint whose link is cut, and later swallows everything: who notices, and when?

    cut           connections drop, new ones are refused: the loud fault
    black hole    connections are accepted and nothing ever comes back: the quiet one, found only by waiting

In both no idempotent request may fail (it is tried again on the other endpoint), the endpoint is left within the health
bound, from then on nobody waits for it, and when the link is whole again it serves again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from chaos.hypothesis import Hypothesis
from chaos.rig import Placed, Rig, Setting
from tidegate.demo.promises import Promise, all_of, left_in_time, none_failed

NEIGHBOUR, FAULTY = "direct", "behind-link"
NOTICE_WITHIN_S = 15.0
"""How long a verdict is waited for before giving up; whether it came within the bound is judged apart."""


async def script(rig: Rig) -> Sequence[Promise]:
    link = rig.links[FAULTY]
    await rig.says("up", FAULTY, within_s=NOTICE_WITHIN_S)
    return (
        *await _fault(rig, "cut", link.cut),
        *await _healing(rig, "cut", link.restore),
        *await _fault(rig, "black hole", link.black_hole),
        *await _healing(rig, "black hole", link.clear),
    )


async def _fault(rig: Rig, name: str, break_it: Callable[[], Awaitable[object]]) -> Sequence[Promise]:
    began, wall = rig.clock(), rig.wall()
    await rig.shown(f"both serve before the {name}", lambda one: one.backend == FAULTY, since=began, enough=5)
    began, wall = rig.clock(), rig.wall()
    await break_it()
    await rig.says("down", FAULTY, within_s=NOTICE_WITHIN_S)
    noticed = rig.watch.noticed_after(rig.endpoint(FAULTY), wall)
    bound_s = rig.setting.health_bound_s
    after = began + bound_s
    await rig.shown(f"answers after the {name}", lambda one: one.began >= after, since=began)
    answers = await rig.answers(since=began)
    left = [answer for answer in answers if answer.began >= after]
    return (
        none_failed(answers, text=f"{name}: no idempotent request fails"),
        _named(left_in_time(noticed, what=FAULTY, bound_s=bound_s), name),
        all_of(
            f"{name}: after the health bound the neighbour answers everything, and nobody waits for {FAULTY}",
            left,
            lambda one: one.backend == NEIGHBOUR and one.took_s < rig.setting.response_head_s / 2,
        ),
    )


async def _healing(rig: Rig, name: str, heal: Callable[[], Awaitable[object]]) -> Sequence[Promise]:
    began = rig.clock()
    await heal()
    text = f"{name} healed: {FAULTY} serves again"
    took_s = await rig.shown(text, lambda one: one.backend == FAULTY, since=began, enough=5)
    bound_s = rig.setting.health_bound_s
    answers = await rig.answers(since=began)
    return (
        Promise(f"{text} within {bound_s:.1f} s", is_kept=took_s <= bound_s, found=f"{took_s:.2f} s"),
        none_failed(answers, text=f"{name} healed: no idempotent request fails"),
    )


def _named(promise: Promise, name: str) -> Promise:
    return Promise(f"{name}: {promise.text}", promise.is_kept, promise.found)


HYPOTHESIS = Hypothesis(
    name="endpoint_cut",
    given="a node with two endpoints, one of them behind a link",
    when="the link is cut, healed, turned into a black hole, and healed again",
    then="no idempotent request fails, and the endpoint is left and taken back within the health bound",
    setting=Setting((Placed(NEIGHBOUR), Placed(FAULTY, is_behind_link=True))),
    script=script,
)
