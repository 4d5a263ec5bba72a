"""Elections over real acceptors in real time: three Redis servers, killed and stopped; one PostgreSQL, crashed."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from health.core.lease import Lease, LeaseSettings
from health.core.rows import StaleEpoch, Unavailable
from health.election import Election, boot_time, why_no_clock
from health.quorum.acceptors import Acceptor, StoredAcceptor
from health.quorum.postgres import PostgresCells
from health.quorum.quorum import Quorum
from health.quorum.redis import RedisCells
from tests.harness.postgres import PostgresServer
from tests.harness.redis import RedisServer
from tidegate.demo.waiting import until

LEASE_S = 2.0


class Contender:
    def __init__(self, name: str, acceptors: Mapping[str, Acceptor]) -> None:
        rng = random.Random(name)
        self.name = name
        self.quorum = Quorum(acceptors, run=f"{name}/1", rng=rng)
        lease = Lease(
            run=f"{name}/1",
            node=name,
            settings=LeaseSettings(LEASE_S, 0.6, poll_s=0.3),
            rng=rng,
            now=boot_time(),
        )
        self.election = Election(lease, self.quorum, fence=self.quorum.fence, clock=boot_time)


@asynccontextmanager
async def contending(count: int, make: Callable[[], Mapping[str, Acceptor]]) -> AsyncIterator[list[Contender]]:
    contenders = [Contender(f"n{number}", make()) for number in range(count)]
    async with asyncio.TaskGroup() as group:
        running = [
            group.create_task(work(), name=one.name)
            for one in contenders
            for work in (one.election.run, one.election.look_around)
        ]
        yield contenders
        for task in running:
            task.cancel()
    for one in contenders:
        await one.quorum.close()


def leaders(contenders: list[Contender]) -> list[Contender]:
    return [one for one in contenders if one.election.epoch is not None]


async def one_leads(contenders: list[Contender], *, above: int = 0, within_s: float = 15.0) -> Contender:
    def is_led() -> bool:
        leading = leaders(contenders)
        assert len(leading) <= 1, [one.name for one in leading]
        return any((one.election.epoch or 0) > above for one in leading)

    await until(is_led, within_s=within_s, what="somebody leads", every_s=0.02)
    return leaders(contenders)[0]


async def changed_in_the_end(contender: Contender, epoch: int) -> None:
    """As whoever has something to write would: on a busy machine a majority may need more than one attempt."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(Unavailable):
                await contender.quorum.change("effect", lambda current: "stale", epoch=epoch)
                return


async def test_three_redis_servers_bear_the_death_and_the_sleep_of_one_and_not_of_two(tmp_path: Path) -> None:
    servers = [RedisServer(tmp_path / str(number), durable=number > 0) for number in range(3)]

    def acceptors() -> dict[str, Acceptor]:
        return {server.url: StoredAcceptor(RedisCells(server.url, cluster="test")) for server in servers}

    try:
        async with contending(3, acceptors) as contenders:
            leader = await one_leads(contenders)
            epoch = leader.election.epoch or 0
            await until(
                lambda: all(one.election.leader == leader.name for one in contenders), within_s=5, what="all know"
            )
            servers[0].kill()
            servers[1].signal(signal.SIGSTOP)
            await until(lambda: not leaders(contenders), within_s=LEASE_S + 1, what="the leader stops by itself")
            with pytest.raises(Unavailable):
                await leader.quorum.fence(epoch)
            servers[1].signal(signal.SIGCONT)
            after = await one_leads(contenders, above=epoch, within_s=20)
            servers[0].start()  # it kept nothing: another incarnation, which the others re-admit

            def is_readmitted() -> bool:
                view = after.quorum.view
                return view is not None and view.generation > 1 and after.quorum.trouble() is None

            await until(is_readmitted, within_s=20, what="the server that forgot is re-admitted")
            servers[2].signal(signal.SIGSTOP)
            now = await one_leads(contenders, above=0, within_s=20)
            assert (now.election.epoch or 0) >= epoch + 1
            with pytest.raises(StaleEpoch):
                await changed_in_the_end(now, epoch)
            servers[2].signal(signal.SIGCONT)
    finally:
        for server in servers:
            server.kill()


async def test_after_a_leader_that_vanished_the_next_stands_within_the_lease_and_two_seconds(tmp_path: Path) -> None:
    servers = [RedisServer(tmp_path / str(number), durable=True) for number in range(3)]

    def acceptors() -> dict[str, Acceptor]:
        return {server.url: StoredAcceptor(RedisCells(server.url, cluster="test")) for server in servers}

    try:
        async with contending(1, acceptors) as first:
            await one_leads(first)
            epoch = first[0].election.epoch or 0
            async with contending(2, acceptors) as rest:
                await until(lambda: all(one.election.leader == "n0" for one in rest), within_s=5, what="all know")
                # As kill -9 has it: nothing is given back, nothing renewed.
                first[0].election._lease.wake = lambda now: None  # type: ignore[method-assign]
                died = time.monotonic()
                after = await one_leads(rest, above=epoch)
                assert time.monotonic() - died < LEASE_S + 2.0
                assert after.election.reason.startswith("elected in epoch")
    finally:
        for server in servers:
            server.kill()


async def test_a_lease_that_is_given_back_is_taken_at_once(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", durable=True)

    def acceptors() -> dict[str, Acceptor]:
        return {server.url: StoredAcceptor(RedisCells(server.url, cluster="test"))}

    try:
        async with contending(2, acceptors) as contenders:
            leader = await one_leads(contenders)
            epoch = leader.election.epoch or 0
            released = time.monotonic()
            await leader.election.release()
            assert leader.election.epoch is None
            await one_leads(contenders, above=epoch)
            assert time.monotonic() - released < LEASE_S
    finally:
        server.kill()


async def test_one_postgresql_is_the_majority_and_its_crash_ends_the_leadership(tmp_path: Path) -> None:
    server = PostgresServer()

    def acceptors() -> dict[str, Acceptor]:
        return {"postgres": StoredAcceptor(PostgresCells(server.dsn, cluster="election"))}

    try:
        async with contending(2, acceptors) as contenders:
            leader = await one_leads(contenders)
            epoch = leader.election.epoch or 0
            server.crash()
            await until(lambda: not leaders(contenders), within_s=LEASE_S + 1, what="the leader stops by itself")
            server.start()
            await one_leads(contenders, above=epoch, within_s=20)
    finally:
        server.close()


def test_this_machine_has_a_clock_that_goes_on_while_it_sleeps() -> None:
    assert why_no_clock() is None
    assert boot_time() > 0
