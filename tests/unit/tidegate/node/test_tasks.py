"""Where tasks start."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tidegate.node.logs import Log
from tidegate.node.tasks import Ending, Tasks


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    return []


async def fail() -> None:
    raise ValueError("broken")


async def test_a_failure_is_logged_with_the_tasks_name_and_told(lines: list[dict[str, Any]]) -> None:
    told: list[BaseException] = []
    tasks = Tasks(Log(lines.append), on_fatal=told.append)
    await tasks.start("the work", fail)
    assert [(line["level"], line["task"], line["error"]) for line in lines] == [
        ("error", "the work", "ValueError: broken")
    ]
    assert "in fail" in lines[0]["traceback"]
    assert [str(error) for error in told] == ["broken"]
    assert len(tasks) == 0


async def test_a_failure_without_anybody_to_tell_is_logged(lines: list[dict[str, Any]]) -> None:
    await Tasks(Log(lines.append)).start("the work", fail)
    assert len(lines) == 1


async def test_a_kept_task_is_started_again_after_a_failure(lines: list[dict[str, Any]]) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            await fail()

    await Tasks(Log(lines.append), retry_s=0.0).keep("the work", work)
    assert runs == 3
    assert len(lines) == 2


async def test_closing_leaves_no_task(lines: list[dict[str, Any]]) -> None:
    tasks = Tasks(Log(lines.append))

    async def sleep() -> None:
        await asyncio.Event().wait()

    for number in range(3):
        tasks.start(f"sleeper {number}", sleep)
    await asyncio.sleep(0)
    assert len(tasks) == 3
    await tasks.close()
    assert len(tasks) == 0
    assert lines == []


async def test_the_first_word_on_an_ending_counts() -> None:
    ending = Ending()
    ending.end(1)
    ending.end(0)
    assert await ending.wait() == 1
