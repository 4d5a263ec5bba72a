"""The configuration in force, and attempts to change it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.core.signing import Signer
from config.loader import load_file
from tests.harness.configuration import document, load
from tidegate.node.configuration import Attempt, Configuration


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.yaml"
    path.write_text(json.dumps(document()))
    return path


def edit(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    changed = document()
    change(changed)
    file.write_text(json.dumps(changed))


def in_force(file: Path, degraded: str | None = None) -> Configuration:
    return Configuration(load(file=file), degraded=degraded, wall=lambda: 5.0)


async def test_a_good_file_is_adopted_and_compiled(file: Path) -> None:
    configuration = in_force(file)
    edit(file, lambda changed: changed["routes"][0].update(id="renamed"))
    attempt = await configuration.reload(file, environ={})
    assert attempt == configuration.last_reload == Attempt(ok=True, changed=True, problems=(), at=5.0)
    assert [route.id for route in configuration.routing.table.routes] == ["renamed"]
    assert '"renamed"' in configuration.as_json
    assert configuration.reloads == {"adopted": 1, "unchanged": 0, "refused": 0}


async def test_a_file_that_says_the_same_changes_nothing(file: Path) -> None:
    configuration = in_force(file)
    routing = configuration.routing
    edit(file, lambda changed: changed["routes"][0].update(match={"path": "/*"}))
    attempt = await configuration.reload(file, environ={})
    assert (attempt.ok, attempt.changed) == (True, False)
    assert configuration.routing is routing


async def test_a_bad_file_leaves_the_old_one_and_says_every_mistake(file: Path) -> None:
    configuration = in_force(file)
    before = configuration.loaded
    edit(file, lambda changed: changed.update(colour="blue", taste="sour"))
    attempt = await configuration.reload(file, environ={})
    assert not attempt.ok
    assert len(attempt.problems) == 2
    assert configuration.loaded is before
    assert configuration.reloads["refused"] == 1


async def test_what_needs_a_restart_is_refused_as_a_whole(file: Path) -> None:
    configuration = in_force(file)
    edit(file, lambda changed: (changed["node"].update(id="x"), changed["routes"][0].update(id="renamed")))
    attempt = await configuration.reload(file, environ={})
    assert not attempt.ok
    assert attempt.problems[0].startswith("node.id cannot change while the node runs")
    assert [route.id for route in configuration.routing.table.routes] == ["api"]


async def test_a_good_file_ends_the_time_on_the_last_good_one(file: Path) -> None:
    configuration = in_force(file, degraded="the file was bad")
    assert (await configuration.reload(file, environ={})).ok
    assert configuration.degraded is None


@pytest.mark.parametrize(("may_open", "problems"), [(2000, 1), (5000, 0), (None, 0)])
async def test_limits_with_which_the_node_could_not_start_again_are_refused(
    file: Path, may_open: int | None, problems: int
) -> None:
    configuration = Configuration(load(file=file), degraded=None, wall=lambda: 5.0, workers=2, may_open=may_open)
    edit(file, lambda changed: changed["listeners"][0].update(limits={"max_connections": 8000}))
    attempt = await configuration.reload(file, environ={})
    assert attempt.changed == (not problems)
    assert len(attempt.problems) == problems
    for problem in attempt.problems:
        assert problem.startswith("a process may open 2000 files, its connection limits need 4640")


async def test_a_default_that_does_not_fit_was_warned_of_at_the_start_and_refuses_nothing(file: Path) -> None:
    configuration = Configuration(load(file=file), degraded=None, wall=lambda: 5.0, may_open=100)
    edit(file, lambda changed: changed["routes"][0].update(id="renamed"))
    assert (await configuration.reload(file, environ={})).changed


async def test_a_changed_key_file_is_what_explanations_go_by(file: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("one")
    edit(
        file,
        lambda changed: changed.update(
            secrets={"signing_keys": [f"file:{key}"]},
            admin={"tokens": [{"name": "a", "role": "admin", "token": "env:T"}]},
        ),
    )
    configuration = Configuration(
        load_file(file, environ={"T": "t"}), degraded=None, wall=lambda: 5.0, environ={}, look_every_s=0.01
    )
    assert signs_like(configuration, b"one")
    changed = asyncio.Event()
    following = asyncio.get_running_loop().create_task(configuration.follow_keys(changed.set), name="keys")
    try:
        key.write_text("another")
        async with asyncio.timeout(10):
            await changed.wait()
    finally:
        following.cancel()
    assert signs_like(configuration, b"another")


def signs_like(configuration: Configuration, key: bytes) -> bool:
    signer = configuration.routing.signer
    return signer is not None and signer.seal("p", b"") == Signer([key]).seal("p", b"")
