"""Work that fails is started again, told each time; work that ends, or is cancelled, is not."""

from __future__ import annotations

import asyncio

import pytest

from gateway.restarting import lasting, restarted


async def test_what_fails_is_told_and_started_again_until_it_ends() -> None:
    outcomes: list[Exception | None] = [ValueError("first"), KeyError("second"), None]
    told: list[Exception] = []

    async def work() -> None:
        if (failure := outcomes.pop(0)) is not None:
            raise failure

    await restarted(work, tell=told.append, delay_s=0)
    assert [type(failure) for failure in told] == [ValueError, KeyError]
    assert outcomes == []


async def test_what_is_cancelled_ends() -> None:
    told: list[Exception] = []

    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await restarted(work, tell=told.append, delay_s=0)
    assert told == []


async def test_a_data_plane_says_so_in_its_log(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise RuntimeError("of ours")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await lasting(work, "limits of scope region")
    (record,) = caplog.records
    assert record.getMessage() == "limits of scope region failed, starting it again"
    assert record.exc_info is not None
