"""Which boards a configuration means."""

from __future__ import annotations

from typing import Any

import pytest

from health.state.postgres import PostgresBoard
from health.state.redis import RedisBoard
from tests.harness.configuration import load
from tidegate.node.boards import state_boards

ENVIRON = {"REDIS": "redis://:hidden@10.0.0.2:6379/1", "DSN": "postgresql://10.0.0.1/state"}


@pytest.mark.parametrize(
    ("state", "boards"),
    [
        ({"kind": "embedded"}, {}),
        (
            {"kind": "redis", "urls": ["redis://10.0.0.1:6379/0", "env:REDIS"]},
            {"redis://10.0.0.1:6379/0": RedisBoard, "redis://10.0.0.2:6379/1": RedisBoard},
        ),
        ({"kind": "postgres", "dsn": "env:DSN"}, {"postgres": PostgresBoard}),
    ],
    ids=["embedded", "redis", "postgres"],
)
async def test_a_board_hangs_wherever_the_state_is_shared(state: dict[str, Any], boards: dict[str, type]) -> None:
    config = load(edit=lambda document: document.update(stores={"state": state}), environ=ENVIRON).config
    found = state_boards(config, environ=ENVIRON)
    assert {name: type(board) for name, board in found.items()} == boards
    for board in found.values():
        await board.close()
