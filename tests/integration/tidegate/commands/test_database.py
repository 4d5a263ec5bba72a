"""What `tidegate doctor` finds out about a real database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.models import Config
from tests.harness.configuration import load
from tests.harness.node import ports
from tests.harness.postgres import PostgresServer
from tidegate.commands.database import Database, look


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.close()


def config(kind: str = "postgres") -> Config:
    def edit(made: dict[str, Any]) -> None:
        made["sync"] = {"collections": [{"name": "notes", "data_type": "note", "conflict": "last_write_wins"}]}
        made["residency"] = {"rules": [{"data_type": "note", "allowed_regions": "*"}]}
        made["stores"] = {"data": {"kind": kind, "dsn": "env:DATABASE"} if kind == "postgres" else {"kind": kind}}

    return load(edit=edit, environ={"DATABASE": "somewhere"}).config


def found(server: PostgresServer, name: str = "postgres") -> Database:
    database = look(config(), environ={"DATABASE": f"{server.dsn.rpartition('/')[0]}/{name}"})
    assert database is not None
    return database


def test_a_database_that_can_be_used(server: PostgresServer) -> None:
    assert found(server).problem is None
    assert found(server).detail.startswith("PostgreSQL ")


def test_a_node_that_keeps_its_data_itself_has_none() -> None:
    assert look(config("embedded"), environ={}) is None


def test_a_server_that_is_away() -> None:
    (port,) = ports(1)
    gone = look(config(), environ={"DATABASE": f"postgresql://nobody@127.0.0.1:{port}/none"})
    assert gone is not None
    assert "the database failed" in str(gone.problem)


def test_a_server_whose_commits_are_not_safe_and_one_of_another_region(server: PostgresServer) -> None:
    server.database("foreign")
    statements = (
        "CREATE SCHEMA tidegate_data",
        "CREATE TABLE tidegate_data.store (region text)",
        "INSERT INTO tidegate_data.store VALUES ('mars')",
    )
    server.execute("foreign", *statements)
    assert "region mars" in str(found(server, "foreign").problem)
    server.close()
    reckless = PostgresServer("fsync=off")
    try:
        assert "fsync is off" in str(found(reckless).problem)
    finally:
        reckless.close()
