"""An acceptor's memory in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from health.quorum.cells import CellsUnavailable
from health.quorum.postgres import PostgresCells
from tests.harness.cells import check_acceptor, check_contract, check_hints, listening, shown
from tests.harness.postgres import PostgresServer
from tidegate.demo.waiting import until


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


async def test_postgresql_keeps_the_contract(server: PostgresServer, request: pytest.FixtureRequest) -> None:
    cells = PostgresCells(server.dsn, cluster=request.node.name)
    await check_contract(cells)
    await cells.close()


async def test_who_listens_is_told_of_rows_and_not_of_leases(
    server: PostgresServer, request: pytest.FixtureRequest
) -> None:
    writer, reader = (PostgresCells(server.dsn, cluster=request.node.name) for _ in range(2))
    await check_hints(writer, reader)
    await writer.close()
    await reader.close()


async def test_hints_come_again_after_a_crash(server: PostgresServer, request: pytest.FixtureRequest) -> None:
    cells = PostgresCells(server.dsn, cluster=request.node.name, hints_again_s=0.1)
    async with listening(cells) as heard:
        server.crash()
        server.start()
        await until(lambda: len(heard) == 2, within_s=20, what="it listens again, and looks at what was missed")
    await cells.close()


async def test_two_meshes_in_one_database_do_not_meet(server: PostgresServer, request: pytest.FixtureRequest) -> None:
    one, other = (PostgresCells(server.dsn, cluster=f"{request.node.name} {number}") for number in range(2))
    await check_acceptor(one)
    assert (await shown(other)).registers == {}
    await one.close()
    await other.close()


async def test_what_was_accepted_survives_a_crash_and_the_pool_comes_back(
    server: PostgresServer, request: pytest.FixtureRequest
) -> None:
    cells = PostgresCells(server.dsn, cluster=request.node.name)
    incarnation = await check_acceptor(cells)
    server.crash()
    with pytest.raises(CellsUnavailable):
        await cells.load(None, everything=True)
    server.start()
    known = await shown(cells)
    assert (known.about.incarnation, known.registers["r"].value) == (incarnation, {"v": 1})
    await cells.close()
