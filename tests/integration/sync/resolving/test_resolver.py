"""Real processes with resolvers: what loops, sleeps, eats or dies costs one merge, and nobody else's."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sync.resolving.resolver import Resolver, ResolverFailed, ResolverRefused
from tests.harness.resolver_files import BROKEN, GOOD, LAWLESS, TROUBLESOME, write

Make = Callable[..., Resolver]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Resolver] = []

    def resolver(name: str, text: str, *, wall_s: float = 20.0, rest_s: float = 0.0) -> Resolver:
        now = asyncio.get_running_loop().time
        made.append(Resolver(write(tmp_path, name, text), folder=tmp_path, now=now, wall_s=wall_s, rest_s=rest_s))
        return made[-1]

    yield resolver
    for one in made:
        await one.close()


async def test_it_merges_and_says_its_version(make: Make) -> None:
    resolver = make("good", GOOD)
    merged = await asyncio.gather(resolver.merge([b"b", b"a"]), resolver.merge([b"c"]))
    assert list(merged) == [b"a\nb", b"c"]
    assert (resolver.version, resolver.problem, resolver.failures) == ("1", "", 0)


@pytest.mark.parametrize("text", [LAWLESS, BROKEN])
async def test_what_may_not_merge_is_refused_and_not_loaded_again(make: Make, text: str) -> None:
    resolver = make("bad", text)
    for _ in range(2):
        with pytest.raises(ResolverRefused):
            await resolver.merge([b"a", b"b"])
    assert resolver.problem


async def test_what_loops_eats_exits_or_raises_fails_that_merge_and_the_next_goes_on(make: Make) -> None:
    resolver = make("troublesome", TROUBLESOME)
    for trouble in (b"loop", b"exit", b"raise", b"eat"):
        with pytest.raises(ResolverFailed):
            await resolver.merge([trouble, b"a"])
        assert await resolver.merge([b"b", b"a"]) == b"b", trouble
    assert resolver.failures == 4
    assert resolver.problem == ""


async def test_what_sleeps_is_not_waited_for(make: Make) -> None:
    resolver = make("troublesome", TROUBLESOME, wall_s=0.3)
    await resolver.start()
    with pytest.raises(ResolverFailed, match="did not answer in time"):
        await resolver.merge([b"sleep"])


async def test_a_function_that_failed_rests_before_it_is_started_again(make: Make) -> None:
    resolver = make("troublesome", TROUBLESOME, rest_s=3600.0)
    with pytest.raises(ResolverFailed):
        await resolver.merge([b"exit"])
    with pytest.raises(ResolverFailed, match="time or memory"):
        await resolver.merge([b"a"])


async def test_a_reader_who_leaves_in_the_middle_takes_nobody_elses_answer_away(make: Make) -> None:
    resolver = make("troublesome", TROUBLESOME)
    await resolver.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await resolver.merge([b"sleep"])
    assert await resolver.merge([b"b", b"a"]) == b"b"


async def test_a_process_that_sleeps_when_its_parent_is_killed_is_ended_by_the_kernel() -> None:
    script = (
        "import time\nfrom sync.resolving import child\n"
        "child._limit(cpu_s=1.0, wall_s=0.05)\ntime.sleep(3600)\nprint('still there')\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-P", "-c", script, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert (out, process.returncode) == (b"", -signal.SIGALRM)
