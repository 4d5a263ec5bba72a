"""The data's long life from the command line, on two regions of real nodes: a disk is lost and nothing with it."""

from __future__ import annotations

import asyncio
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.harness.node import Node
from tests.integration.tidegate.node.test_replication import put_until_done, reads, serves_data, two_regions
from tidegate.cli import app

SECRETS = {"OPS": "operator-token", "BACKUP_KEY": "a key of the operator's"}


async def run(node: Node, *words: str) -> Result:
    """In this process: a start of Python a command would take longer than all the rest."""
    environ = {**node.environ, "TIDEGATE_ADMIN": node.admin, "TIDEGATE_TOKEN": SECRETS["OPS"]}
    return await asyncio.to_thread(CliRunner().invoke, app, ["sync", *words], env=environ)


def with_backups(node: Node, path: Path) -> None:
    node.config["admin"]["tokens"] = [{"name": "ops", "role": "operator", "token": "env:OPS"}]
    node.config["disaster_recovery"] = {
        "backup": {"schedule": "0 4 1 1 *", "encryption_key": "env:BACKUP_KEY", "path": str(path)}
    }


async def told(node: Node, *words: str) -> Any:
    done = await run(node, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.timeout(300)
async def test_a_region_that_lost_its_disk_is_restored_and_gets_the_rest_from_its_peer(tmp_path: Path) -> None:
    edit = partial(with_backups, path=tmp_path / "b")
    async with two_regions(tmp_path, workers=0, secrets=SECRETS, edit=edit) as (eu, us):
        for number in range(5):
            await put_until_done(eu, f"notes/k{number}", b"before")
        await put_until_done(eu, "profiles/p", b"only here")
        report = await told(eu, "backup")
        await put_until_done(eu, "notes/after", b"after")
        await us.until(partial(reads, us, "notes/after", b"after"), "the write in us", within_s=60)

        drilled = await told(eu, "restore", report["folder"], "--config", str(eu.file), "--drill")
        assert [(one["residency_class"], one["keys"]) for one in drilled["classes"]] == [("note", 5), ("profile", 1)]
        refused = await run(eu, "restore", report["folder"], "--config", str(eu.file))
        assert (refused.exit_code, "a node is running" in refused.stderr) == (4, True)

        await eu.stop()
        shutil.rmtree(eu.data_dir / "sync")
        restored = await run(eu, "restore", report["folder"], "--config", str(eu.file))
        assert restored.exit_code == 0, restored.stderr
        assert "note: is put back, 5 keys" in restored.stdout
        eu.launch()
        await eu.until(partial(serves_data, eu), "data is served", within_s=90)
        assert await reads(eu, "profiles/p", b"only here")
        await eu.until(partial(reads, eu, "notes/after", b"after"), "what came after the backup", within_s=60)
        await put_until_done(eu, "notes/new", b"new")
        await us.until(partial(reads, us, "notes/new", b"new"), "a write of the new incarnation", within_s=60)


async def test_members_are_shown_a_living_one_is_not_evicted_and_a_snapshot_can_be_ordered(tmp_path: Path) -> None:
    edit = partial(with_backups, path=tmp_path / "b")
    async with two_regions(tmp_path, workers=0, secrets=SECRETS, edit=edit) as (eu, us):
        await put_until_done(eu, "notes/k", b"v")
        await us.until(partial(reads, us, "notes/k", b"v"), "the note in us", within_s=60)
        members = (await told(us, "members"))["members"]
        assert [(one["collection"], one["member"].partition(":")[0]) for one in members] == [("notes", "eu")]
        alive = await run(us, "evict", members[0]["member"])
        assert (alive.exit_code, "expected 60 s of silence" in alive.stderr) == (4, True)
        unknown = await run(us, "evict", "asia")
        assert (unknown.exit_code, "found no member asia" in unknown.stderr) == (2, True)
        taken = await run(us, "snapshot", "notes", "--from", "eu")
        assert (taken.exit_code, "a snapshot was taken from http://" in taken.stdout) == (0, True), taken.stderr
        assert await reads(us, "notes/k", b"v")
        none = await run(us, "snapshot", "profiles")
        assert (none.exit_code, "no peer" in none.stderr) == (2, True)
