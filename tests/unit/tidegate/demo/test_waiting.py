"""Waiting ends when the condition holds, or with an error that says what was waited for."""

from __future__ import annotations

import itertools

import pytest

from tidegate.demo.waiting import NotInTimeError, until


async def test_what_is_true_already_is_not_waited_for() -> None:
    assert await until(lambda: True, within_s=0.0, what="nothing", clock=lambda: 7.0) == 0.0


async def test_it_looks_again_until_the_condition_holds() -> None:
    looks = iter([False, False, True])
    ticks = itertools.count()
    assert await until(lambda: next(looks), within_s=99, what="three", every_s=0.0, clock=lambda: next(ticks)) > 0


async def test_a_condition_may_be_a_coroutine() -> None:
    async def holds() -> bool:
        return True

    assert await until(holds, within_s=0.0, what="nothing", clock=lambda: 7.0) == 0.0


async def test_after_the_deadline_the_error_says_what_did_not_happen() -> None:
    ticks = itertools.count()
    with pytest.raises(NotInTimeError, match=r"^waited 2\.0 s in vain: rain$"):
        await until(lambda: False, within_s=2.0, what="rain", every_s=0.0, clock=lambda: next(ticks))
