"""The bench itself: cores, ports, the backend, and one measured load with everything it must prove.

    core 0: the proxies, of which one at a time has work      core 1: load generator, backend, this harness

All proxies of a section run through it, idle ones at rest, and take turns (A B C A B C ...): what disturbs the machine
disturbs them alike.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bench import backend, wrk
from bench.fetching import answers
from bench.instance import Instance, NotMeasured, running
from bench.peers.contestant import Contestant
from bench.program import Program, ProgramFailed
from bench.results import Results
from bench.setting import Place, Setting
from tidegate.demo.ports import free_ports

COUNTED_WITHIN_S = 5.0
"""Workers may report their counts in batches."""
MAX_ENDPOINTS = 1000


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often."""

    rounds: int
    """Of the first section, which most goals are about."""
    other_rounds: int
    seconds: float
    idle_connections: int
    warm_up_s: float
    """0: the first round has to do."""
    everyone_flat: bool
    """Whether the cost of growth is measured of peers too."""


@dataclass(frozen=True, slots=True)
class Cost:
    cpu_us: float
    """A request."""
    beside_us: float
    rate: float
    opened: float
    """Connections that the backend was sent, a thousand requests."""


@dataclass
class Lab:
    directory: Path
    proxy_core: int | None
    load_core: int | None
    effort: Effort
    contestants: Sequence[Contestant]
    results: Results = field(default_factory=Results)
    is_first: bool = True
    """Whether the section under way is the first."""
    commands: dict[str, str] = field(default_factory=dict)
    """By what they measure: the command of one load."""

    def __post_init__(self) -> None:
        self._rng = random.Random()  # noqa: S311  ports
        self._stack = ExitStack()
        self._numbers = 0
        port = free_ports(1, rng=self._rng)[0]
        self.addresses = [f"127.0.{1 + number // 250}.{1 + number % 250}:{port}" for number in range(MAX_ENDPOINTS)]

    def __enter__(self) -> Self:
        self._backend = self.place("backend", ())
        launch = backend.prepare(self._backend, self.addresses)
        program = Program("backend", launch.command, directory=self._backend.directory, core=self.load_core)
        self._stack.enter_context(program)
        program.wait_until(lambda: answers(self._backend.admin_port, "/status"), "answering")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def place(self, name: str, backends: Sequence[str]) -> Place:
        """A fresh directory and fresh ports."""
        self._numbers += 1
        directory = self.directory / f"{self._numbers:03}-{name.lower().replace(' ', '-')}"
        directory.mkdir()
        port, admin_port = free_ports(2, rng=self._rng)
        return Place(directory, port, admin_port, backends)

    @contextmanager
    def instances(
        self,
        section: str,
        setting: Setting,
        contestants: Sequence[Contestant] | None = None,
        backends: Sequence[str] | None = None,
    ) -> Iterator[list[Instance]]:
        """Those that can do it, running; why the others cannot is noted."""
        backends = backends or self.addresses[: setting.endpoints]
        with ExitStack() as stack:
            started = []
            for contestant in self.contestants if contestants is None else contestants:
                place = self.place(f"{section}-{contestant.name}", backends)
                reason = contestant.missing() or contestant.refuses(setting, place)
                if reason is None:
                    try:
                        instance = stack.enter_context(running(contestant, setting, place, core=self.proxy_core))
                    except ProgramFailed as error:
                        reason = f"did not start: {error}"
                    else:
                        started.append(instance)
                        self.commands[f"start {contestant.name}"] = " ".join(instance.command)
                if reason is not None:
                    self.results.absent[section, contestant.name] = reason
            yield started

    def rounds(self, instances: Sequence[Instance]) -> Iterator[tuple[int, Instance]]:
        """Everyone's turn in every round."""
        rounds = self.effort.rounds if self.is_first else self.effort.other_rounds
        return ((number, instance) for number in range(rounds) for instance in instances)

    def measure(
        self,
        what: str,
        instance: Instance,
        paths: Sequence[str] = ("/v1/profile/1",),
        *,
        connections: int = 32,
        headers: Sequence[tuple[str, str]] = (),
        seconds: float | None = None,
        must_keep: bool = True,
        is_varied: bool = False,
    ) -> Cost:
        """One load by wrk. Raises `NotMeasured` or `LoadFailed` unless every request took the whole way.

        `must_keep`: over connections to the backend that were kept. `is_varied`: no two requests in a row are alike.
        """
        script = self.directory / "load.lua"
        script.write_text(wrk.script(paths, headers, is_varied=is_varied))
        arguments = wrk.command(
            instance.url + paths[0], script, connections=connections, seconds=seconds or self.effort.seconds
        )
        self.commands[what] = " ".join(arguments)
        seen = backend.seen(self._backend)
        before = instance.usage()
        ran = wrk.run(arguments, core=self.load_core, directory=self.directory)
        after = instance.usage()
        seen_after = backend.seen(self._backend)
        if (passed := seen_after.requests - seen.requests) < ran.requests:
            raise NotMeasured(f"{instance.name}: {ran.requests} answers, and the backend saw {passed} requests")
        opened = seen_after.connections - seen.connections
        if must_keep and opened > connections + ran.requests / 20:
            raise NotMeasured(f"{instance.name}: {opened} connections for {ran.requests} requests: they were not kept")
        if before.counted is not None:
            self.wait_for_count(instance, before.counted + ran.requests)
        cpu_us, beside_us = (
            (1e6 * used / ran.requests) for used in (after.cpu_s - before.cpu_s, after.beside_s - before.beside_s)
        )
        return Cost(cpu_us, beside_us, ran.requests / ran.seconds, 1000 * opened / ran.requests)

    def wait_for_count(self, instance: Instance, expected: int) -> None:
        """Until its own counters show so many requests. Raises `NotMeasured`."""
        deadline = time.monotonic() + COUNTED_WITHIN_S
        while (counted := instance.contestant.counted(instance.place) or 0) < expected:
            if time.monotonic() > deadline:
                raise NotMeasured(f"{instance.name}: its counters lack {expected - counted} of the requests")
            time.sleep(0.1)
