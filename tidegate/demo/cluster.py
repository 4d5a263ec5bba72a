"""Six backends and three Tidegate nodes as real processes: started, awaited, killed as an act demands, stopped.

DIRECTORY/tidegate.yaml            the configuration all nodes read
DIRECTORY/logs/<backend>.jsonl     what a backend was asked, one line a request
DIRECTORY/logs/<backend>.witness.jsonl   what was still sent to its port after it died
DIRECTORY/logs/<name>.log          what a process wrote to its output
DIRECTORY/<node>.data/             a node's own data
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tidegate.demo import setting
from tidegate.demo.ports import free_ports
from tidegate.demo.processes import Program
from tidegate.demo.waiting import NotInTimeError, until

READY_WITHIN_S = 90.0
STOP_GRACE_S = 8.0
ASK_TIMEOUT = aiohttp.ClientTimeout(total=1.0)


class ClusterFailedError(Exception):
    """A process of the demo did not start or did not become ready; says which, its last words and where its log is."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One line of a backend's log: a request that reached it."""

    at: float
    backend: str
    method: str
    path: str
    request_id: str | None
    node: str | None
    is_probe: bool
    line: str
    """The whole line as it stands in the file, to search it for what must not be there."""


class Cluster:
    """All processes of one run of the demo."""

    def __init__(self, directory: Path, *, rng: random.Random, environ: Mapping[str, str], workers: int = 2) -> None:
        self.directory = directory
        self.logs = directory / "logs"
        self.file = directory / "tidegate.yaml"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.plan = setting.plan(free_ports(setting.PORTS_NEEDED, rng=rng), directory=directory)
        self.file.write_text(setting.configuration(self.plan, workers=workers))
        plain = {name: value for name, value in environ.items() if not name.startswith("TIDEGATE_")}
        self.token = f"{rng.getrandbits(64):016x}"
        """Who brings it may give orders."""
        secret = {setting.TOKEN_NAME: self.token, setting.SECRET_NAME: f"{rng.getrandbits(256):064x}"}
        self.backends = {one.name: self._backend(one, plain) for one in self.plan.backends}
        self.witnesses = {one.name: self._backend(one, plain, unwell=True) for one in self.plan.backends}
        self.nodes = {
            one.region: Program(
                one.id,
                (sys.executable, "-m", "tidegate", "serve", "--config", str(self.file)),
                log=self.logs / f"{one.id}.log",
                environment={**plain, **one.environment(), **secret},
            )
            for one in self.plan.nodes
        }

    def _backend(self, one: setting.BackendPlan, environ: Mapping[str, str], *, unwell: bool = False) -> Program:
        name = f"{one.name}.witness" if unwell else one.name
        command = (
            *(sys.executable, "-m", "tidegate.demo.backend"),
            *("--region", one.region, "--name", one.name, "--bind", one.address),
            *("--log", str(self.logs / f"{name}.jsonl")),
            *(("--unwell",) if unwell else ()),
        )
        return Program(name, command, log=self.logs / f"{name}.log", environment=environ)

    @property
    def programs(self) -> Sequence[Program]:
        """All of them, the nodes first: they are stopped first, while what they talk to still answers."""
        return (*self.nodes.values(), *self.witnesses.values(), *self.backends.values())

    async def start(self, tell: Callable[[str], None]) -> None:
        """Start everything and return when every backend and every node says that it is ready."""
        for backend in self.backends.values():
            backend.start()
        for node in self.nodes.values():
            node.start()
        asked = {
            **{one.name: (self.backends[one.name], f"http://{one.address}/healthz") for one in self.plan.backends},
            **{one.id: (self.nodes[one.region], f"http://{one.admin}/readyz") for one in self.plan.nodes},
        }
        async with aiohttp.ClientSession(timeout=ASK_TIMEOUT) as session:
            for name, (program, url) in asked.items():
                await self._ready(session, program, url)
                tell(f"{name} is ready")

    async def _ready(self, session: aiohttp.ClientSession, program: Program, url: str) -> None:
        async def ready() -> bool:
            if not program.is_running:
                raise self._failed(program, f"ended with exit code {program.exit_code}")
            return await answers(session, url)

        try:
            await until(ready, within_s=READY_WITHIN_S, what=f"{url} to answer 200")
        except NotInTimeError as late:
            raise self._failed(program, str(late)) from None

    def _failed(self, program: Program, what: str) -> ClusterFailedError:
        words = program.last_words() or "(it wrote nothing)"
        return ClusterFailedError(f"{program.name} {what}. Its log, {program.log}, ends:\n{words}")

    async def stop(self) -> tuple[str, ...]:
        """Stop everything; return the names of those that had to be killed because they did not stop by themselves."""
        stubborn = []
        for group in (self.nodes.values(), (*self.witnesses.values(), *self.backends.values())):
            stopped = await asyncio.gather(*(one.stop(grace_s=STOP_GRACE_S) for one in group))
            stubborn += [one.name for one, by_itself in zip(group, stopped, strict=True) if not by_itself]
        return tuple(stubborn)

    def kill_all(self) -> None:
        """End everything at once, for a way out on which nothing can be awaited any more."""
        for program in self.programs:
            program.kill_all()

    def remains(self) -> tuple[int, ...]:
        """Processes of the demo that still run."""
        return tuple(pid for program in self.programs for pid in program.remains())

    def arrivals(self, backend: str, *, since: float = 0.0) -> tuple[Arrival, ...]:
        """What a backend logged from that monotonic time on."""
        return read_log(self.logs / f"{backend}.jsonl", since=since)

    def seen_by_witness(self, backend: str) -> tuple[Arrival, ...]:
        """What was sent to a dead backend's port."""
        return read_log(self.logs / f"{backend}.witness.jsonl")


async def answers(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def read_log(path: Path, *, since: float = 0.0) -> tuple[Arrival, ...]:
    """A backend's log; a file that is not there yet is an empty one."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return ()
    arrivals = []
    for line in lines:
        got = json.loads(line)
        if got["at"] >= since:
            arrivals.append(
                Arrival(
                    at=got["at"],
                    backend=got["backend"],
                    method=got["method"],
                    path=got["path"],
                    request_id=got["request_id"],
                    node=got["from"],
                    is_probe=got["probe"],
                    line=line,
                )
            )
    return tuple(arrivals)
