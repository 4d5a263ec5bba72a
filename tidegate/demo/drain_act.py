"""The act in which an operator takes a region out of traffic, and nobody notices."""

from __future__ import annotations

from tidegate.demo import promises
from tidegate.demo.acts import ENOUGH, HOME
from tidegate.demo.asking import Asking
from tidegate.demo.promises import Promise
from tidegate.demo.setting import MARGIN_S
from tidegate.demo.stage import SHOWN_WITHIN_S, Act, Outcome, Stage, on

REGION = "ap-south"
NEXT = "eu-west"
"""The nearest other region for its clients."""
OVER_S = 2
ASKED_OF = "us-east"
"""Any node takes the order, for all of them."""


async def region_is_drained(stage: Stage) -> Outcome:
    async with Asking(stage.cluster.plan, token=stage.cluster.token) as asking:
        began = stage.clock()
        order = {"over": f"{OVER_S}s", "reason": "new kernel"}
        path = f"/v1/regions/{REGION}/drain"
        told = await asking.order(ASKED_OF, "POST", path, order)
        taken = Promise(f"{ASKED_OF} takes the order for all", told.status == 202, f"status {told.status}")

        async def is_drained() -> bool:
            shown = [await asking.order(region, "GET", path) for region in HOME]
            return all(one.status == 200 and one.json()["state"] == "drained" for one in shown)

        drained_s = await stage.wait_until(
            is_drained, within_s=SHOWN_WITHIN_S, what=f"every node says {REGION} is drained"
        )
        empty = stage.clock() + MARGIN_S
        await stage.watch_traffic(ENOUGH, since=empty, counts=lambda answer: answer.route == "feed")
        while_empty = await stage.answers(since=empty)
        undone = await asking.order(ASKED_OF, "DELETE", f"{path}?over=1s&reason=done")
        returned = Promise("the region comes back slowly", undone.status == 202, f"status {undone.status}")
        back = stage.clock()
        await stage.wait_for(
            lambda: any(one.region == one.served_from == REGION for one in stage.traffic.answers(since=back)),
            within_s=SHOWN_WITHIN_S,
            what=f"{REGION} serves again",
        )
        answers = await stage.answers(since=began)
    return Outcome(
        f"drained everywhere after {drained_s:.1f} s; {promises.sentence(answers)}",
        (
            taken,
            promises.served_by(
                on("feed", while_empty),
                text=f"once drained, its clients are served by {NEXT}",
                expected={**HOME, REGION: NEXT},
            ),
            promises.all_of("nothing fails", answers, lambda answer: not answer.is_failed),
            returned,
            promises.logs_agree(answers, stage.arrivals()),
        ),
    )


DRAIN_ACT = Act(
    "A region is drained",
    f"An operator drains {REGION} over {OVER_S} s, through the node of another region, and takes it back.",
    region_is_drained,
)
