"""A whole election in one thread and virtual time: acceptors, nodes, a network that loses, clocks that are wrong.

Everything that is simulated is the product's own pure code (acceptor, rounds, membership, lease); what is here only
carries messages and time, as badly as a seed says. The world keeps the books that no participant can keep: who led
when, in real time, and which effects were acknowledged.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from health.core.acceptor import (
    Answer,
    Forget,
    Inspect,
    Meta,
    Reaction,
    Register,
    Request,
    Scan,
    Shown,
    react,
)
from health.core.lease import REGISTER, Fence, Lease, LeaseSettings, Look, Put
from health.core.membership import Reform, View, plan_of, view_of
from health.core.rounds import Fencing, Round

React = Callable[..., Reaction]
Protocol = Round | Fencing | Reform


class Violation(AssertionError):
    """Something that must never happen, happened."""


@dataclass
class Weather:
    """How bad it is; a seed draws it."""

    loss: float = 0.0
    delay_s: float = 0.05
    slow: float = 0.0
    """Share of messages that take up to 5 s."""
    twice: float = 0.0
    pauses: float = 0.0
    """Per node and second."""
    restarts: float = 0.0
    """Per acceptor and second."""
    amnesia: float = 0.0
    """Share of restarts that lose the memory."""
    down_s: float = 3.0
    """The longest restart."""
    cuts: float = 0.0
    """Per node and second: cut off from some acceptors for a while."""
    drift: float = 0.01


@dataclass
class Acceptor:
    name: str
    meta: Meta
    registers: dict[str, Register] = field(default_factory=dict)
    copy: tuple[Meta, dict[str, Register]] | None = None
    down_until: float = 0.0
    loose: dict[str, Register] = field(default_factory=dict)
    """For a planted defect: what was answered before it was durable."""


class Node:
    """One contender: carries the commands of its lease to the acceptors, and acts while it leads."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.name = f"n{number}"
        self.runs = 0
        self.rate = 1 + world.rng.uniform(-world.weather.drift, world.weather.drift)
        self.offset = world.rng.uniform(0, 1000)
        self.paused_until = 0.0
        self.cut_from: dict[str, float] = {}
        self.start()

    def start(self) -> None:
        self.runs += 1
        self.run = f"{self.name}/{self.runs}"
        self.lease = self.world.make_lease(
            run=self.run,
            node=self.name,
            settings=LeaseSettings(ttl_s=3.0, renew_s=1.0, poll_s=0.5),
            rng=self.world.rng,
            now=self.now(),
        )
        self.abouts: dict[str, Meta] = {}
        self.ticks: dict[str, tuple[str, int]] = {}
        self.ballot = 0
        self.under_way: dict[int, Callable[[str, Answer], None]] = {}
        self.numbers = 0
        self.appended = 0
        self.world.after(self.world.rng.uniform(0, 0.5), self, self.look_around)
        self.world.after(0.01, self, self.wake)
        self.world.after(self.world.rng.uniform(0, 1), self, self.act)
        self.world.after(self.world.rng.uniform(0, 3), self, self.operate)

    def now(self) -> float:
        return self.offset + self.rate * self.world.t

    @property
    def view(self) -> View | None:
        return view_of(self.abouts)

    # The set

    def look_around(self) -> None:
        self.world.after(0.5, self, self.look_around)
        self.ask(Inspect())
        plan = plan_of(self.world.acceptors, self.abouts, may_change=self.lease.epoch(self.now()) is not None)
        if plan is not None and self.world.rng.random() < 0.3:
            reform = self.world.make_reform(plan, self.abouts)
            self.carry(reform, lambda: None)

    def ask(self, request: Request, heard: Callable[[str, Answer], None] | None = None) -> None:
        for name in self.world.acceptors:
            self.send(name, request, heard or (lambda name, answer: None))

    def remember(self, name: str, answer: Answer, known: tuple[str, int]) -> None:
        about = answer.about
        if about.incarnation == known[0] and about.tick < known[1]:
            self.send(name, Forget(about.incarnation), lambda name, answer: None)
            self.abouts.pop(name, None)
            return
        self.abouts[name] = about
        before = self.ticks.get(name)
        if before is None or before[0] != about.incarnation or before[1] < about.tick:
            self.ticks[name] = (about.incarnation, about.tick)

    def send(self, name: str, request: Request, heard: Callable[[str, Answer], None]) -> None:
        run, known = self.run, self.ticks.get(name, ("", 0))

        def back(answer: Answer) -> None:
            if self.run == run:
                self.remember(name, answer, known)
                heard(name, answer)

        self.world.message(self, name, request, back)

    # Rounds

    def carry(self, work: Protocol, over: Callable[[], None], *, patience_s: float = 1.5) -> None:
        state = {"is_over": False}

        def finish() -> None:
            if not state["is_over"]:
                state["is_over"] = True
                over()

        def heard(name: str, answer: Answer) -> None:
            if state["is_over"]:
                return
            for other, request in work.hear(name, answer).items():
                self.send(other, request, heard)
            if work.is_over:
                finish()

        for name, request in work.start().items():
            if name in self.world.acceptors:
                self.send(name, request, heard)
        self.world.after(patience_s, self, finish)

    def change(
        self, register: str, how: Callable[[Any], Any], over: Callable[[Round | None], None], epoch: int | None = None
    ) -> None:
        if self.view is None:
            over(None)
            return
        self.ballot += 1
        round_ = Round(self.view, register, (self.ballot, self.run), how, epoch=epoch)

        def done() -> None:
            if round_.beaten_by is not None:
                self.ballot = max(self.ballot, round_.beaten_by[0])
            over(round_)

        self.carry(round_, done)

    # The lease

    def wake(self) -> None:
        asked_at = self.now()
        command = self.lease.wake(asked_at)
        self.world.after(min(0.1, max(0.01, self.lease.next_deadline() - asked_at)), self, self.wake)
        if isinstance(command, Look):
            self.look()
        elif isinstance(command, Put):
            what = command.what

            def over(round_: Round | None) -> None:
                if round_ is not None and round_.is_chosen and round_.failure is None:
                    self.lease.answered(what, round_.value, asked_at=asked_at, now=self.now())
                else:
                    self.lease.failed(what, round_.failure if round_ else None, now=self.now())

            self.change(REGISTER, command.change, over)
        elif isinstance(command, Fence):
            self.fence(command.epoch)

    def look(self) -> None:
        found: dict[str, Register | None] = {}
        state = {"is_over": False}

        def heard(name: str, answer: Answer) -> None:
            view = self.view
            if state["is_over"] or not isinstance(answer, Shown) or view is None:
                return
            if answer.about.generation == view.generation and answer.about.sealed <= view.generation:
                found[name] = answer.registers.get(REGISTER)
            if len(found) >= view.majority:
                state["is_over"] = True
                held = [register for register in found.values() if register is not None and register.accepted]
                newest = max(held, key=lambda register: register.accepted or (0, ""), default=None)
                self.lease.observed(newest.value if newest else None, now=self.now())

        def finish() -> None:
            if not state["is_over"]:
                state["is_over"] = True
                self.lease.failed("look", None, now=self.now())

        self.ask(Scan("", -1), heard)
        self.world.after(1.5, self, finish)

    def fence(self, epoch: int) -> None:
        if self.view is None:
            self.lease.failed("fence", None, now=self.now())
            return
        fencing = Fencing(self.view, epoch)

        def over() -> None:
            if fencing.is_chosen:
                self.lease.fenced(epoch, now=self.now())
                self.world.elected(self.run, epoch)
            else:
                self.lease.failed("fence", fencing.failure, now=self.now())

        self.carry(fencing, over)

    # What a leader does

    def act(self) -> None:
        """Append to the journal, as the leader of this very moment; it may arrive at any later one."""
        self.world.after(self.world.rng.uniform(0.2, 0.8), self, self.act)
        epoch = self.lease.epoch(self.now())
        if epoch is None or self.world.is_over:
            return
        # From the decision to the act anything may happen: a pause, a retry against others.
        late_s = self.world.rng.uniform(0, 4.0) if self.world.rng.random() < 0.2 else 0.0
        entry = self.entry(epoch)
        self.world.after(late_s, self, lambda: self.append("journal", entry, epoch))

    def operate(self) -> None:
        """An act of no leader, through any node: a compare-and-set like any other."""
        self.world.after(self.world.rng.uniform(1.0, 4.0), self, self.operate)
        if not self.world.is_over:
            self.append("drains", self.entry(0), None)

    def entry(self, epoch: int) -> list[Any]:
        self.appended += 1
        return [epoch, self.run, self.appended]

    def append(self, register: str, entry: list[Any], epoch: int | None, tries: int = 4) -> None:
        def how(current: Any) -> Any:
            journal = list(current or [])
            return journal if entry in journal else [*journal, entry]

        def over(round_: Round | None) -> None:
            if round_ is not None and round_.is_chosen and round_.failure is None:
                self.world.acknowledged[register].append(entry)
            elif round_ is not None and round_.is_over and round_.failure is None and tries > 1:
                pause_s = self.world.rng.uniform(0.05, 0.3)
                self.world.after(pause_s, self, lambda: self.append(register, entry, epoch, tries - 1))

        self.change(register, how, over, epoch=epoch)


class World:
    """Time, chance, the network, and the books."""

    def __init__(
        self,
        seed: int,
        weather: Weather,
        *,
        acceptors: int = 3,
        nodes: int = 3,
        react: React = react,
        make_lease: Callable[..., Lease] = Lease,
        make_reform: Callable[..., Reform] = Reform,
        keeps_incarnation: bool = False,
        forgets_promises: bool = False,
    ) -> None:
        self.rng = random.Random(seed)
        self.weather = weather
        self.t = 0.0
        self.react = react
        self.make_lease = make_lease
        self.make_reform = make_reform
        self.keeps_incarnation = keeps_incarnation
        self.forgets_promises = forgets_promises
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._seq = 0
        self.epochs: dict[int, str] = {}
        self.acknowledged: dict[str, list[list[Any]]] = {"journal": [], "drains": []}
        self.elections = 0
        self.is_over = False
        self.acceptors = {f"a{n}": Acceptor(f"a{n}", Meta(self.fresh())) for n in range(acceptors)}
        self.nodes = [Node(self, number) for number in range(nodes)]

    def fresh(self) -> str:
        return f"{self.rng.getrandbits(48):012x}"

    # Time

    def at(self, t: float, work: Callable[[], None]) -> None:
        self._seq += 1
        heapq.heappush(self._heap, (t, self._seq, work))

    def after(self, seconds: float, node: Node, work: Callable[[], None]) -> None:
        """On the node's clock, and only when it is not paused, and only in the same run."""
        run = node.run

        def due() -> None:
            if node.run != run:
                return
            if self.t < node.paused_until:
                self.at(node.paused_until + self.rng.uniform(0, 0.001), due)
            else:
                work()

        self.at(self.t + seconds / node.rate, due)

    def run_for(self, seconds: float, *, storms: bool = True) -> None:
        until = self.t + seconds
        if storms:
            second = self.t
            while second < until:
                self.at(second, self.storm)
                second += 1.0
        while self._heap and self._heap[0][0] <= until:
            self.t, _, work = heapq.heappop(self._heap)
            work()
            self.check_leaders()
        self.t = until

    # The network

    def message(self, node: Node, name: str, request: Request, back: Callable[[Answer], None]) -> None:
        for _ in range(2 if self.rng.random() < self.weather.twice else 1):
            if self.rng.random() >= self.weather.loss:
                self.at(self.t + self.delay(), lambda: self.deliver(node, name, request, back))

    def delay(self) -> float:
        if self.rng.random() < self.weather.slow:
            return self.rng.uniform(0, 5.0)
        return self.rng.uniform(0.001, self.weather.delay_s)

    def deliver(self, node: Node, name: str, request: Request, back: Callable[[Answer], None]) -> None:
        acceptor = self.acceptors[name]
        if self.t < acceptor.down_until or node.cut_from.get(name, 0.0) > self.t:
            return
        reaction = self.react(acceptor.meta, acceptor.registers, request, fresh=self.fresh())
        acceptor.meta = reaction.meta or acceptor.meta
        for register, value in reaction.changes.items():
            if value is None:
                acceptor.registers.pop(register, None)
            else:
                acceptor.registers[register] = value
        if self.rng.random() < self.weather.loss or node.cut_from.get(name, 0.0) > self.t:
            return
        self.at(self.t + self.delay(), lambda: self.return_to(node, reaction.answer, back))

    def return_to(self, node: Node, answer: Answer, back: Callable[[Answer], None]) -> None:
        if self.t < node.paused_until:
            self.at(node.paused_until + self.rng.uniform(0, 0.001), lambda: self.return_to(node, answer, back))
        else:
            back(answer)

    # Storms

    def storm(self) -> None:
        weather, rng = self.weather, self.rng
        for node in self.nodes:
            if rng.random() < weather.pauses:
                node.paused_until = self.t + rng.uniform(0.5, 8.0)
            if rng.random() < weather.pauses / 2:
                node.start()  # kill -9: a new run that remembers nothing
            if rng.random() < weather.cuts:
                node.cut_from = {name: self.t + rng.uniform(1, 8) for name in self.acceptors if rng.random() < 0.6}
        for acceptor in self.acceptors.values():
            if rng.random() < 0.05:
                acceptor.copy = (acceptor.meta, dict(acceptor.registers))
            if rng.random() < weather.restarts:
                acceptor.down_until = self.t + rng.uniform(0.01, weather.down_s)
                # One at a time: whoever loses a majority's memory has lost what only they knew.
                set_ = view_of({other.name: other.meta for other in self.acceptors.values()})
                others_well = set_ is not None and all(
                    other.meta.generation == set_.generation >= other.meta.sealed
                    and set_.members[other.name] == other.meta.incarnation
                    for other in self.acceptors.values()
                )
                if rng.random() < weather.amnesia and others_well:
                    self.forget(acceptor)
                elif self.forgets_promises:
                    acceptor.registers = {
                        name: msgspec.structs.replace(register, promised=register.accepted or (0, ""))
                        for name, register in acceptor.registers.items()
                    }

    def forget(self, acceptor: Acceptor) -> None:
        if self.keeps_incarnation:
            acceptor.meta = msgspec.structs.replace(acceptor.meta, count=0, fence=0)
        else:
            acceptor.meta = Meta(self.fresh())
        acceptor.registers = {}

    # The books

    def elected(self, run: str, epoch: int) -> None:
        self.elections += 1
        if self.epochs.setdefault(epoch, run) != run:
            raise Violation(f"epoch {epoch} was given to {self.epochs[epoch]} and to {run}")

    def check_leaders(self) -> None:
        leading = [
            node for node in self.nodes if self.t >= node.paused_until and node.lease.epoch(node.now()) is not None
        ]
        if len(leading) > 1:
            raise Violation(f"{' and '.join(node.run for node in leading)} lead at {self.t:.3f}")

    def calm_down(self) -> None:
        self.weather = Weather()
        for node in self.nodes:
            node.paused_until, node.cut_from = 0.0, {}
        self.run_for(25.0, storms=False)
        if not any(node.lease.epoch(node.now()) is not None for node in self.nodes):
            raise Violation(f"nobody leads after the storm: {[node.lease.reason for node in self.nodes]}")
        self.is_over = True
        self.run_for(10.0, storms=False)

    def read(self, register: str) -> list[Any]:
        """As a majority agrees on it."""
        found: dict[str, Any] = {}
        node = self.nodes[0]

        def over(round_: Round | None) -> None:
            if round_ is not None and round_.is_chosen:
                found[register] = round_.value

        for _ in range(20):
            node.change(register, lambda current: current or [], over)
            self.run_for(2.0, storms=False)
            if register in found:
                return list(found[register])
        raise Violation(f"no majority came back after the storm: {node.abouts}")

    def check_books(self) -> None:
        self.calm_down()
        for register, acknowledged in self.acknowledged.items():
            held = self.read(register)
            lost = [entry for entry in acknowledged if entry not in held]
            if lost:
                raise Violation(f"acknowledged and lost from {register}: {lost[:3]}")
        journal = self.read("journal")
        epochs = [entry[0] for entry in journal]
        if epochs != sorted(epochs):
            raise Violation(f"an effect of an older leader after that of a newer one: {journal}")
        for entry in journal:
            if self.epochs.get(entry[0], entry[1]) != entry[1]:
                raise Violation(f"{entry} acted in an epoch of {self.epochs[entry[0]]}")
