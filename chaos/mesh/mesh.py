"""The whole mesh: nodes, backends, databases and links, started together, and what can be done to them.

A process is frozen with SIGSTOP and thawed with SIGCONT; killed with SIGKILL; a whole node is its supervisor and all
that it started. What died by our hand and is not restarted by its own supervisor is started again by `start_again`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from chaos.mesh import certificates, servers
from chaos.mesh.admin import Admin, AdminSilent
from chaos.mesh.clock import FalseClock
from chaos.mesh.configuration import configuration
from chaos.mesh.links import Links, opened
from chaos.mesh.network import outside, within
from chaos.mesh.plan import (
    BACKENDS,
    REGIONS,
    SMALL_DISK_MIB,
    NodePlan,
    Setting,
    address,
)
from chaos.mesh.processes import Held, half_closed, held, memory_by_role, on_disk, roles
from chaos.mesh.status import unsettled
from chaos.toxiproxy import find_server
from chaos.traffic.history import Churn, Gone, Survival
from tidegate.demo.processes import Program
from tidegate.demo.waiting import NotInTimeError, until

READY_WITHIN_S = 120.0
STOP_GRACE_S = 8.0


@dataclass(frozen=True)
class Mesh:
    """A running one."""

    setting: Setting
    directory: Path
    nodes: Mapping[str, NodePlan]
    programs: Mapping[str, Program]
    """By name: `node eu-west`, `backend eu-west`, `redis eu-west`, `postgres eu-west`, `postgres`."""
    links: Links
    admin: Admin
    clock: FalseClock | None
    drained: list[tuple[str, float, float]] = field(default_factory=list)
    """Backends, each with the span in which its drain was finished, of the run that is under way."""
    gone: list[Gone] = field(default_factory=list)
    survivals: list[Survival] = field(default_factory=list)
    churns: list[Churn] = field(default_factory=list)
    """What else a fault puts on record, of the run that is under way."""

    def forget(self) -> None:
        """What faults have put on record."""
        for record in (self.drained, self.gone, self.survivals, self.churns):
            record.clear()

    def node(self, region: str) -> Program:
        return self.programs[f"node {region}"]

    async def status(self, region: str) -> Mapping[str, Any]:
        """Raises AdminSilent."""
        return await self.admin.status(self.nodes[region])

    async def pid(self, region: str, role: str) -> int:
        """Of a child that is ready. Raises AdminSilent, KeyError."""
        return roles(await self.status(region))[role]

    async def kill_child(self, region: str, role: str) -> None:
        """`kill -9`; its supervisor will start another."""
        os.kill(await self.pid(region, role), signal.SIGKILL)

    def signal_all(self, program: str, number: signal.Signals) -> None:
        """To every process that a program is made of."""
        for pid in self.programs[program].remains():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, program: str) -> None:
        self.programs[program].kill_all()

    def start_again(self, program: str) -> None:
        self.programs[program].start()

    async def held(self, region: str) -> Held:
        """By its node."""
        status = await self.status(region)
        children = status["processes"]["children"]
        node = self.node(region)
        disk, wal = on_disk(self.nodes[region].data_dir, self.directory / f"node-{region}.log")
        return replace(
            held(node.remains()),
            connections=sum(child.get("connections", 0) for child in children),
            in_flight=sum(child.get("in_flight", 0) for child in children),
            half_closed=half_closed(node.remains()),
            disk_bytes=disk,
            wal_bytes=wal,
            database_bytes=sum(on_disk(self.nodes[region].data_dir / "sync")),
            memory_by_role=memory_by_role(status),
        )

    async def unsettled(self) -> list[str]:
        """What is missing for: every node serves, sees every endpoint up and every peer, and all follow one leader."""
        try:
            told = [await self.status(region) for region in REGIONS]
            heard = [await self.admin.nodes(self.nodes[region]) for region in REGIONS]
        except AdminSilent as silent:
            return [str(silent)]
        return unsettled(told, heard)

    async def settle(self, *, within_s: float) -> float:
        """Seconds until nothing was missing. Raises NotInTimeError with what was, to the end."""
        missing: list[str] = []

        async def is_settled() -> bool:
            missing[:] = await self.unsettled()
            return not missing

        try:
            return await until(is_settled, within_s=within_s, every_s=0.3, what="a settled mesh")
        except NotInTimeError as late:
            raise NotInTimeError(f"a settled mesh ({'; '.join(missing)})", late.within_s) from None


@asynccontextmanager
async def running(
    setting: Setting, *, directory: Path, root: Path, environ: Mapping[str, str], build: Path | None = None
) -> AsyncIterator[Mesh]:
    """A mesh that is settled; ended with the block. Raises what any of its parts raises.

    `build`: where the product's packages are, if not where ours are.
    """
    plain = outside(environ)
    authority, nodes = certificates.issue(directory / "certificates")
    file = directory / "tidegate.yaml"
    file.write_text(configuration(setting, nodes[0], authority=authority))
    clock = None if setting.false_clock is None else FalseClock(directory / "clock")
    programs = _databases(setting, directory, plain)
    for node in nodes:
        programs[f"backend {node.region}"] = _backends(node.region, directory, plain)
        own_clock = clock if setting.false_clock == node.region else None
        programs[f"node {node.region}"] = _node(node, file, plain, own_clock, build)
    with ExitStack() as stack:
        if setting.small_disk is not None:
            stack.enter_context(_small_disk(next(one for one in nodes if one.region == setting.small_disk).data_dir))
        async with (
            opened(setting, binary=find_server(root), directory=directory) as links,
            aiohttp.ClientSession() as session,
        ):
            for program in programs.values():
                stack.callback(program.kill_all)
                program.start()
            mesh = Mesh(
                setting, directory, {node.region: node for node in nodes}, programs, links, Admin(session), clock
            )
            await mesh.settle(within_s=READY_WITHIN_S)
            yield mesh
            await links.clear()
            await asyncio.gather(*(mesh.node(region).stop(grace_s=STOP_GRACE_S) for region in REGIONS))


def _databases(setting: Setting, directory: Path, environ: Mapping[str, str]) -> dict[str, Program]:
    programs = {}
    if setting.state == "redis":
        for region in REGIONS:
            programs[f"redis {region}"] = servers.redis(region, directory=directory, environ=environ)
    if setting.state == "postgres":
        programs["postgres"] = servers.postgres(None, directory=directory, environ=environ)
    if setting.data == "postgres":
        for region in REGIONS:
            programs[f"postgres {region}"] = servers.postgres(region, directory=directory, environ=environ)
    return programs


def _backends(region: str, directory: Path, environ: Mapping[str, str]) -> Program:
    command = (
        *(sys.executable, "-m", "chaos.mesh.backend", "--region", region, "--log", str(directory / f"{region}.jsonl")),
        *(f"{address(region)}:{port}" for port in BACKENDS),
    )
    log = directory / f"backend-{region}.log"
    return Program(f"backend {region}", within(region, command), log=log, environment=environ)


def _node(
    node: NodePlan, file: Path, environ: Mapping[str, str], clock: FalseClock | None, build: Path | None
) -> Program:
    # -P: the packages of the build, not those of the working directory.
    serve = (sys.executable, *(("-P",) if build is not None else ()), "-m", "tidegate", "serve", "--config", str(file))
    log = file.parent / f"node-{node.region}.log"
    own = {
        **environ,
        **node.environment(),
        **(clock.environment() if clock is not None else {}),
        **({"PYTHONPATH": str(build)} if build is not None else {}),
    }
    return Program(f"node {node.region}", within(node.region, serve), log=log, environment=own)


@contextlib.contextmanager
def _small_disk(data_dir: Path) -> Any:
    """A file system of its own for a data directory; with this process's mounts, which nobody else sees."""
    data_dir.mkdir(parents=True)
    options = f"size={SMALL_DISK_MIB}m,mode=0700"
    subprocess.run(("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(data_dir)), check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(("umount", "--lazy", str(data_dir)), check=False, capture_output=True)
        shutil.rmtree(data_dir, ignore_errors=True)
