"""What experiments share: a real node, real backends, a faulty link before some of them, and clients that count.

    clients (open loop) --> node --> backend
                                 --> Link --> backend

The node is `tidegate serve` with a configuration file, the backends are the demo's, the link is Toxiproxy's. What came
of each request is on record; what the node thinks is read from its admin API. The node's id is none of the demo's, so
the backends add no distance of their own: only links do.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from chaos import toxiproxy
from chaos.toxiproxy import Link
from tidegate.demo.cluster import answers as answers_200
from tidegate.demo.ports import free_ports
from tidegate.demo.processes import Program
from tidegate.demo.promises import Promise
from tidegate.demo.setting import BackendPlan, NodePlan, Plan
from tidegate.demo.traffic import ANSWER_TIMEOUT_S, Answer, Traffic
from tidegate.demo.waiting import until
from tidegate.demo.watch import Watch
from tidegate.node.wall import wall

HOST = "127.0.0.1"
NODE = "node-under-test"
READY_WITHIN_S = 90.0
SETTLE_WITHIN_S = ANSWER_TIMEOUT_S + 2.0
SHOWN_WITHIN_S = 20.0
STOP_GRACE_S = 8.0
CARRYING_S = 0.1
"""What the product allows itself for bringing a verdict from the prober to the workers."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One backend of a setting."""

    name: str
    region: str = "eu-west"
    is_behind_link: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What an experiment is given. Times are short, so that nobody has to wait; the bounds scale with them."""

    backends: tuple[Placed, ...]
    strategy: str = "failover"
    probe_interval_s: float = 0.5
    probe_timeout_s: float = 0.4
    probe_jitter: float = 0.2
    threshold: int = 2
    response_head_s: float = 1.0
    rate: float = 50.0
    """Requests a second."""

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(backend.region for backend in self.backends))

    @property
    def health_bound_s(self) -> float:
        """The longest that an endpoint's death, or its return, may go unnoticed."""
        probing_s = self.threshold * self.probe_interval_s * (1 + self.probe_jitter)
        return probing_s + self.probe_timeout_s + CARRYING_S


@dataclass(frozen=True)
class Rig:
    """A running setting."""

    setting: Setting
    plan: Plan
    links: Mapping[str, Link]
    """By the name of the backend behind it."""
    node: Program
    traffic: Traffic
    watch: Watch
    enough: int
    """Requests to show an effect by."""
    wall: Callable[[], float] = wall
    """The clock that the node's `since` is read by."""
    clock: Callable[[], float] = time.monotonic

    def endpoint(self, backend: str) -> str:
        return self.plan.backend(backend).endpoint

    async def says(self, health: str, backend: str, *, within_s: float) -> None:
        """Wait until the node has this verdict on a backend."""
        endpoint = self.endpoint(backend)
        what = f"the node says that {backend} is {health}"
        await until(lambda: self.watch.all_say(endpoint, health), within_s=within_s, what=what)

    async def shown(self, what: str, counts: Callable[[Answer], bool], *, since: float, enough: int = 0) -> float:
        """Wait until enough answers of that kind have come; how long the first took from `since`."""
        wanted = enough or self.enough

        def found() -> list[Answer]:
            return [answer for answer in self.traffic.answers(since=since) if counts(answer)]

        within_s = SHOWN_WITHIN_S + wanted / self.setting.rate
        await until(lambda: len(found()) >= wanted, within_s=within_s, what=what)
        return min(answer.ended for answer in found()) - since

    async def answers(self, *, since: float) -> tuple[Answer, ...]:
        """All requests that began since then, up to now, once they have ended."""
        end = self.clock()
        settled = "the last answers to arrive"
        await until(lambda: self.traffic.is_settled(until=end), within_s=SETTLE_WITHIN_S, what=settled)
        return self.traffic.answers(since=since, until=end)

    def is_whole(self) -> Promise:
        """The node runs, and the clients could keep their pace: otherwise nothing was shown."""
        text = "the node runs on and no request had to be held back"
        if not self.node.is_running:
            return Promise(text, is_kept=False, found=f"the node ended with exit code {self.node.exit_code}")
        held = self.traffic.held_back
        return Promise(text, is_kept=not held, found=f"{self.traffic.ended:,} requests, {held:,} held back")


@asynccontextmanager
async def running(
    setting: Setting, *, directory: Path, root: Path, rng: random.Random, environ: Mapping[str, str], enough: int
) -> AsyncIterator[Rig]:
    """Everything of a setting started and ready, with clients asking; ended with the block."""
    log = directory / "toxiproxy.log"
    async with toxiproxy.running(toxiproxy.find_server(root), log=log, rng=rng) as server:
        ports = free_ports(len(setting.backends) + 2, rng=rng)
        binds = {placed.name: f"{HOST}:{port}" for placed, port in zip(setting.backends, ports[2:], strict=True)}
        links = {
            placed.name: await server.link(placed.name, upstream=binds[placed.name])
            for placed in setting.backends
            if placed.is_behind_link
        }
        seen = {placed.name: links[placed.name].listen if placed.is_behind_link else "" for placed in setting.backends}
        plan = Plan(
            tuple(BackendPlan(one.name, one.region, seen[one.name] or binds[one.name]) for one in setting.backends),
            (NodePlan(NODE, setting.regions[0], f"{HOST}:{ports[0]}", f"{HOST}:{ports[1]}", directory / "data"),),
        )
        file = directory / "tidegate.yaml"
        file.write_text(configuration(setting, plan), encoding="utf-8")
        plain = {name: value for name, value in environ.items() if not name.startswith("TIDEGATE_")}
        with _started(_programs(setting, plan, binds, file=file, directory=directory, environ=plain)) as programs:
            await _ready(programs, plan, binds)
            traffic = Traffic({plan.nodes[0].region: f"http://{plan.nodes[0].public}"}, rng=rng, rate=setting.rate)
            watch = Watch(plan)
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(traffic.run(), name="clients")
                watching = group.create_task(watch.run(), name="watch")
                try:
                    yield Rig(setting, plan, links, programs[0], traffic, watch, enough)
                finally:
                    asking.cancel()
                    watching.cancel()
            await programs[0].stop(grace_s=STOP_GRACE_S)


def configuration(setting: Setting, plan: Plan) -> str:
    """The node's file."""
    node = plan.nodes[0]
    regions = "\n".join(f"  - {{id: {name}, priority: {order}}}" for order, name in enumerate(setting.regions, start=1))
    endpoints = "\n".join(f'      - {{region: {one.region}, address: "{one.address}"}}' for one in plan.backends)
    return f"""\
version: 1
node: {{id: {node.id}, region: {node.region}, data_dir: {node.data_dir}, workers: 1, shutdown_grace: 2s}}
listeners:
  - {{name: public, bind: "{node.public}"}}
admin: {{bind: "{node.admin}"}}
regions:
{regions}
services:
  - id: api
    endpoints:
{endpoints}
    load_balancing: {{algorithm: round_robin}}
    health_check:
      protocol: http    # a tcp probe would call a black hole well: it accepts
      path: /healthz
      interval: {_milliseconds(setting.probe_interval_s)}
      timeout: {_milliseconds(setting.probe_timeout_s)}
      jitter: {setting.probe_jitter:.0%}
      healthy_threshold: {setting.threshold}
      unhealthy_threshold: {setting.threshold}
    timeouts: {{connect: 500ms, response_head: {_milliseconds(setting.response_head_s)}}}
    # As large as the traffic: until the fault is found out, each request that meets it is tried again.
    retries: {{max_retries: 2, budget: 100%, min_retries: 100/s}}
routes:
  - id: everything
    match: {{path: /*}}
    service: api
    region_routing: {{strategy: {setting.strategy}, prefer_local: false}}
"""


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _programs(
    setting: Setting,
    plan: Plan,
    binds: Mapping[str, str],
    *,
    file: Path,
    directory: Path,
    environ: Mapping[str, str],
) -> Sequence[Program]:
    """The node, then the backends."""
    serve = (sys.executable, "-m", "tidegate", "serve", "--config", str(file))
    backend = (sys.executable, "-m", "tidegate.demo.backend")
    return (
        Program(NODE, serve, log=directory / f"{NODE}.log", environment=environ),
        *(
            Program(
                one.name,
                (*backend, "--region", one.region, "--name", one.name, "--bind", binds[one.name]),
                log=directory / f"{one.name}.log",
                environment=environ,
            )
            for one in setting.backends
        ),
    )


@contextmanager
def _started(programs: Sequence[Program]) -> Iterator[Sequence[Program]]:
    with ExitStack() as stack:
        for program in programs:
            stack.callback(program.kill_all)
            program.start()
        yield programs


async def _ready(programs: Sequence[Program], plan: Plan, binds: Mapping[str, str]) -> None:
    urls = [f"http://{plan.nodes[0].admin}/readyz", *(f"http://{bind}/healthz" for bind in binds.values())]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0)) as session:
        for program, url in zip(programs, urls, strict=True):

            async def is_ready(program: Program = program, url: str = url) -> bool:
                if not program.is_running:
                    raise RuntimeError(f"{program.name} ended with {program.exit_code}: {program.last_words()}")
                return await answers_200(session, url)

            await until(is_ready, within_s=READY_WITHIN_S, what=f"{program.name} to be ready")
