"""A store that got the lease takes writes only with what the others had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from sync.core.primacy import Here, NotNow, Primacy, Primary
from sync.replication.barrier import Passed
from tests.harness import virtual_time
from tests.harness.replicas import plan
from tidegate.node.taking_over import take_over

PLAN = plan(name="ledger", primary="eu")


@dataclass
class Others:
    """What the barrier finds, one time after the other; the last one again and again."""

    found: list[Passed]
    asked: list[bool] = field(default_factory=list)

    async def __call__(self, stream: str, *, timeout_s: float, needs_all: bool) -> Passed:
        self.asked.append(needs_all)
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]


def led_by_eu() -> Primacy:
    primacy = Primacy("eu", rpo_s=5.0)
    primacy.tell({"eu": Primary("eu", 3, 100.0)})
    return primacy


def standing(primacy: Primacy) -> object:
    return primacy.standing("ledger", "eu", PLAN.regions, boot=0.0)


async def watched(primacy: Primacy, others: Others | None, for_s: float = 1.0) -> None:
    work = take_over(
        primacy, {"ledger": PLAN}, region="eu", barrier=others, boot=lambda: 0.0, say=lambda event, **facts: None
    )
    task = asyncio.get_running_loop().create_task(work)
    await asyncio.sleep(for_s)
    task.cancel()


WHOLE = Passed(is_caught_up=True, silent=(), regions=frozenset({"us", "ap"}))


@pytest.mark.parametrize(
    ("found", "is_taken"),
    [
        (lambda: [WHOLE], True),
        (lambda: [Passed(is_caught_up=True, silent=("ap",), regions=frozenset({"us"}))], True),
        (lambda: [Passed(is_caught_up=True, silent=("us", "ap"), regions=frozenset())], False),
        (lambda: [Passed(is_caught_up=False, silent=(), regions=frozenset({"us", "ap"}))], False),
        (lambda: [Passed(is_caught_up=False, silent=(), regions=frozenset({"us", "ap"})), WHOLE], True),
    ],
)
def test_it_begins_once_it_has_what_so_many_had_that_they_meet_every_majority(
    found: Callable[[], list[Passed]], is_taken: bool
) -> None:
    primacy, others = led_by_eu(), Others(found())
    assert isinstance(standing(primacy), NotNow)
    virtual_time.run(watched(primacy, others))
    assert isinstance(standing(primacy), Here) == is_taken
    assert not any(others.asked), "a silent peer alone holds nobody up"


def test_it_looks_around_once_a_lease() -> None:
    primacy, others = led_by_eu(), Others([WHOLE])
    virtual_time.run(watched(primacy, others))
    assert len(others.asked) == 1
    primacy.tell({"eu": Primary("eu", 4, 100.0)})
    virtual_time.run(watched(primacy, others))
    assert len(others.asked) == 2


def test_where_there_is_nobody_to_ask_it_begins_at_once() -> None:
    primacy = led_by_eu()
    virtual_time.run(watched(primacy, None))
    assert standing(primacy) == Here(3)
