"""One proxy under one setting, running: started, asked for its costs, checked for having done what it claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.accounting import cpu_s, memory_bytes
from bench.fetching import answers
from bench.peers.contestant import Contestant
from bench.program import Program
from bench.setting import Place, Setting, route_paths


class NotMeasured(Exception):
    """The numbers would not be about what they claim to be about."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Since the beginning of a program."""

    cpu_s: float
    beside_s: float
    """Of its processes that carry no traffic: Tidegate's supervisor and control process."""
    counted: int | None


class Instance:
    """Made by `running`."""

    def __init__(self, contestant: Contestant, setting: Setting, place: Place, program: Program) -> None:
        self.contestant = contestant
        self.setting = setting
        self.place = place
        self.command = program.command
        self._program = program
        self._all: frozenset[int] = frozenset()
        self._measured: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        return self.contestant.name

    @property
    def url(self) -> str:
        return f"{'https' if self.setting.tls else 'http'}://127.0.0.1:{self.place.port}"

    def settle(self) -> None:
        """Ready: remember which processes it consists of."""
        self._all = frozenset(self._program.pids())
        self._measured = frozenset(self.contestant.measured(self.place, tuple(self._all)))

    def usage(self) -> Usage:
        """Raises `NotMeasured` when a process has come or gone: its time would be lost."""
        if frozenset(self._program.pids()) != self._all:
            raise NotMeasured(f"{self.name}: its processes changed under measurement: {self._program.last_words()}")
        beside = self._all - self._measured
        return Usage(cpu_s(self._measured), cpu_s(beside), self.contestant.counted(self.place))

    def memory_bytes(self) -> int:
        """Of the processes that carry traffic."""
        return memory_bytes(self._measured)


@contextmanager
def running(contestant: Contestant, setting: Setting, place: Place, *, core: int | None) -> Iterator[Instance]:
    """Start it, and end it after the block."""
    launch = contestant.prepare(setting, place)
    program = Program(
        contestant.name, launch.command, directory=place.directory, core=core, environment=launch.environment
    )
    with program:
        path = first_path(setting)
        program.wait_until(lambda: answers(place.port, path, tls=setting.tls is not None), "answering")
        instance = Instance(contestant, setting, place, program)
        instance.settle()
        yield instance


def first_path(setting: Setting) -> str:
    return f"{route_paths(setting)[-1]}v1/profile/1"


def spread_paths(routes: int, count: int = 16) -> Sequence[str]:
    """Paths under `count` routes, evenly from the first to the last."""
    numbers = [round(number * (routes - 1) / (count - 1)) for number in range(count)]
    return [f"/r{number}/v1/profile/1" for number in numbers]
