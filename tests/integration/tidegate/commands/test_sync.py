"""`tidegate sync ...` against two regions of real nodes, as a person calls it; and who is said to have written what."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from functools import partial
from pathlib import Path

from sync.core.operation import decode_head
from tests.harness.data_mesh import ask, data_mesh, reads, run
from tests.harness.node import Node
from tests.harness.resolver_files import GOOD, write

COLLECTIONS = [{"name": "forms", "data_type": "form", "conflict": "manual"}]
KEY = "desktop-key-0123456789"


def with_keys(node: Node) -> None:
    (node.directory / "keys").write_text(f"desktop: {KEY}\n")
    keys = {"kind": "api_key", "keys": f"file:{node.directory / 'keys'}"}
    node.config["routes"][0]["access"] = {"authentication": keys}


def actors(node: Node) -> set[str]:
    """Of everything in the store's log."""
    with sqlite3.connect(f"file:{node.data_dir / 'sync' / 'form.db'}?mode=ro", uri=True) as connection:
        return {decode_head(head).actor for (head,) in connection.execute("SELECT head FROM log")}


async def test_a_person_sees_the_state_of_the_data_and_resolves_a_conflict(tmp_path: Path) -> None:
    async with data_mesh(tmp_path, collections=COLLECTIONS, workers=1) as mesh:
        eu, us = mesh["eu"], mesh["us"]
        await asyncio.gather(ask(eu, "PUT", "forms/k", b"one"), ask(us, "PUT", "forms/k", b"other"))

        async def is_conflicted(node: Node) -> bool:
            return (await ask(node, "GET", "forms/k"))[0] == 300

        for node in (eu, us):
            await node.until(partial(is_conflicted, node), "a conflict", within_s=60)
        told = await run(eu, "sync", "status")
        assert told.returncode == 0, told.stderr
        assert "forms" in told.stdout
        assert "reached" in told.stdout
        lag = await run(eu, "sync", "lag", "--json")
        assert lag.returncode == 0, lag.stderr
        (line,) = json.loads(lag.stdout)["lag"]
        assert (line["region"], line["collection"], line["operations"]) == ("us", "forms", 0)
        listed = await run(eu, "sync", "conflicts", "forms")
        assert (listed.returncode, "unresolved" in listed.stdout) == (0, True)
        shown = json.loads((await run(eu, "sync", "conflicts", "forms", "k", "--json")).stdout)
        theirs = next(one["version"] for one in shown["siblings"] if one["value_base64"] == "b3RoZXI=")
        assert "other" in (await run(eu, "sync", "conflicts", "forms", "k")).stdout
        done = await run(eu, "sync", "resolve", "forms", "k", "--choose", theirs, "--reason", "theirs is newer")
        assert (done.returncode, "resolved in place of" in done.stdout) == (0, True), done.stderr
        for node in (eu, us):
            await node.until(partial(reads, node, "forms/k", b"other"), "the resolution", within_s=60)
        again = await run(us, "sync", "resolve", "forms", "k", "--choose", theirs)
        assert (again.returncode, "one version" in again.stderr) == (4, True), again
        assert "nothing waits" in (await run(us, "sync", "quarantine")).stdout
        assert "theirs is newer" in (await run(eu, "decisions")).stdout
        assert actors(us) == {"", "operator:ops"}


async def test_a_writes_actor_is_whom_the_gateway_has_proven_and_nobody_can_claim_another(tmp_path: Path) -> None:
    async with data_mesh(tmp_path, collections=COLLECTIONS, regions=("eu",), change=with_keys, workers=1) as mesh:
        eu = mesh["eu"]
        for number, name in enumerate(("Tidegate_Actor", "tidegate_actor", "TIDEGATE_ACTOR")):
            status, _, _ = await ask(eu, "PUT", f"forms/{number}", b"v", X_Api_Key=KEY, **{name: "operator:ops"})
            assert status == 201
        assert actors(eu) == {"client:desktop"}


def with_a_resolver(node: Node) -> None:
    write(node.directory, "resolvers", GOOD)


async def test_a_function_beside_the_configuration_merges_for_readers_and_status_says_which(tmp_path: Path) -> None:
    drafts = [{"name": "drafts", "data_type": "draft", "conflict": {"custom": "resolvers:merge"}}]
    async with data_mesh(tmp_path, collections=drafts, regions=("eu",), change=with_a_resolver, workers=0) as mesh:
        eu = mesh["eu"]
        for value in (b"b", b"a"):
            await ask(eu, "PUT", "drafts/k", value)
        await eu.until(partial(reads, eu, "drafts/k", b"a\nb"), "what the function made", within_s=60)
        told = json.loads((await run(eu, "sync", "status", "--json")).stdout)
        assert told["collections"][0]["resolver"]["version"] == "1"
