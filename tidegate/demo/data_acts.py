"""The act about the clients' own data: written in one region, read in all that may hold it, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

from tidegate.demo.acts import HOME
from tidegate.demo.asking import Asking
from tidegate.demo.promises import Promise, counted
from tidegate.demo.setting import NOTES, PROFILE_HOME, PROFILES, Plan
from tidegate.demo.stage import SHOWN_WITHIN_S, Act, Outcome, Stage

WRITES = 25
"""Of each region's client before and after the death, so that some meet it."""
VICTIM = "us-east"


async def data_is_everywhere(stage: Stage) -> Outcome:
    run = secrets.token_hex(3)
    async with Asking(stage.cluster.plan, token=stage.cluster.token) as asking:
        canary = f"canary {run} of a person in {PROFILE_HOME}".encode()
        await asking.write(PROFILE_HOME, f"{PROFILES}/{run}", canary, op_id=f"{run}:1")
        written = await _written(asking, run, "before")
        async with asyncio.TaskGroup() as group:
            more = group.create_task(_written(asking, run, "after"))
            gone, back = await stage.replaced(VICTIM, "sync")
        written |= more.result()
        missing_s = await stage.wait_until(
            lambda: _all_read(asking, written), within_s=SHOWN_WITHIN_S, what="every region to have every write"
        )
        both = await _written_at_once(stage, asking, f"{NOTES}/{run}-shared")
        elsewhere = [
            await asking.record(region, "GET", f"{PROFILES}/{run}") for region in HOME if region != PROFILE_HOME
        ]
    found = searched(stage.cluster.plan, canary)
    return Outcome(
        f"{counted(len(written), 'write')} acknowledged by {len(HOME)} regions, all of them in all regions "
        f"{missing_s * 1000:.0f} ms after the last",
        (
            Promise(
                "every acknowledged write is read in every region", is_kept=True, found=counted(len(written), "write")
            ),
            Promise("the sync process is replaced", is_kept=True, found=f"{back - gone:.1f} s after kill -9"),
            both,
            Promise(
                "the other regions say where a profile may be asked for",
                all(one.status in {308, 421} for one in elsewhere),
                ", ".join(f"status {one.status}" for one in elsewhere),
            ),
            found,
        ),
    )


async def _written(asking: Asking, run: str, when: str) -> dict[str, bytes]:
    """What each region's client has written, acknowledged."""
    written: dict[str, bytes] = {}

    async def client(region: str) -> None:
        for number in range(WRITES):
            name, value = f"{NOTES}/{run}-{region}-{when}-{number}", f"{run} {region} {number}".encode()
            await asking.write(region, name, value, op_id=f"{run}-{region}-{when}:{number + 1}")
            written[name] = value

    async with asyncio.TaskGroup() as group:
        for region in HOME:
            group.create_task(client(region))
    return written


async def _all_read(asking: Asking, written: dict[str, bytes]) -> bool:
    for region in HOME:
        for name, value in written.items():
            told = await asking.record(region, "GET", name)
            if (told.status, told.body) != (200, value):
                return False
    return True


async def _written_at_once(stage: Stage, asking: Asking, name: str) -> Promise:
    """Two regions write the same key: both values stand in all regions, until one write has read both."""
    text = "two writes at once stand side by side everywhere, until one has read both"
    here, there = "eu-west", "ap-south"
    await asyncio.gather(
        asking.record(here, "PUT", name, b"from here"), asking.record(there, "PUT", name, b"from there")
    )

    async def shows(status: int) -> bool:
        return all([(await asking.record(region, "GET", name)).status == status for region in HOME])

    await stage.wait_until(lambda: shows(300), within_s=SHOWN_WITHIN_S, what="both values in every region")
    seen = await asking.record(there, "GET", name)
    settled = await asking.record(there, "PUT", name, b"settled", Tidegate_Context=seen.headers["Tidegate-Context"])
    await stage.wait_until(lambda: shows(200), within_s=SHOWN_WITHIN_S, what="one value in every region")
    values = [(await asking.record(region, "GET", name)).body for region in HOME]
    return Promise(text, settled.status == 200 and set(values) == {b"settled"}, "2 values, then 1, in 3 regions")


def searched(planned: Plan, canary: bytes) -> Promise:
    """Look for what only `PROFILE_HOME` may hold in every file of every node."""
    text = f"not one byte of a profile is on another region's disk than {PROFILE_HOME}'s"
    at_home, abroad = 0, 0
    holding: list[Path] = []
    for node in planned.nodes:
        files = _files(node.data_dir)
        found = [file for file in files if canary in file.read_bytes()]
        if node.region == PROFILE_HOME:
            at_home = len(found)
        else:
            abroad += len(files)
            holding += found
    if holding:
        return Promise(text, is_kept=False, found=", ".join(map(str, holding)))
    return Promise(text, is_kept=at_home > 0 and abroad > 0, found=f"searched {counted(abroad, 'file')} of the others")


def _files(directory: Path) -> Sequence[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


DATA_ACTS = (
    Act(
        "Data is everywhere",
        f"Clients of each region write notes; kill -9 of the sync process in {VICTIM} while they do.",
        data_is_everywhere,
    ),
)
