"""Asking a majority: changes of registers, fences, the set of acceptors, and what is agreed on.

    change, fence   rounds until chosen, refused for good, or the patience is over (Unavailable: nobody knows)
    look_around     who is there, which set is in force; forms, repairs and changes it (membership.py)
    poll            what is new on the acceptors; a value that a majority accepted is learnt, one that hangs is settled

An acceptor whose tick went back was restored from a copy: it is told to forget, and is re-admitted by the others.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from health.core.acceptor import Answer, Ballot, Forget, Inspect, Meta, Refusal, Register, Request, Scan, Shown
from health.core.membership import Reform, View, plan_of, view_of, waits_for
from health.core.rounds import Change, Fencing, Round, unchanged
from health.core.rows import StateError, Unavailable
from health.quorum.acceptors import Acceptor, Silent

ASK_TIMEOUT_S = 2.0
"""One message there and back, to the other side of the world and a disk."""
PATIENCE_S = 4.0
"""A change, with its retries against others."""
SETTLE_AFTER_POLLS = 3
"""A value that fewer than a majority show for so long is not on its way any more: it is agreed on or replaced."""


class Step(Protocol):
    """What Round, Fencing and Reform have in common."""

    @property
    def is_over(self) -> bool: ...
    def start(self) -> Mapping[str, Request]: ...
    def hear(self, name: str, answer: Answer) -> Mapping[str, Request]: ...


class _Mirror:
    """What one acceptor was last seen to hold."""

    __slots__ = ("incarnation", "registers", "tick")

    def __init__(self) -> None:
        self.incarnation = ""
        self.tick = -1
        self.registers: dict[str, Register] = {}


class Quorum:
    """One set of acceptors, as this run of this node reaches it."""

    def __init__(
        self,
        acceptors: Mapping[str, Acceptor],
        *,
        run: str,
        rng: random.Random,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._acceptors = acceptors
        self._run = run
        self._rng = rng
        self._say = say
        self._abouts: dict[str, Meta] = {}
        self._ticks: dict[str, tuple[str, int]] = {}
        self._mirrors = {name: _Mirror() for name in acceptors}
        self._hanging: dict[str, tuple[Ballot, int]] = {}
        self._ballot = 0
        self._stragglers: set[asyncio.Task[Any]] = set()
        self._planned: str | None = None
        self.learned: dict[str, Any] = {}
        """Register -> the newest value that a majority accepted."""
        self.silent: dict[str, str] = {}
        """Acceptors that do not answer, and why."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._acceptors)

    @property
    def view(self) -> View | None:
        return view_of(self._abouts)

    def trouble(self) -> str | None:
        """Why nothing can be agreed on; None when it can, as far as was last heard."""
        return waits_for(self.names, self._abouts)

    def newest(self, register: str) -> Any:
        """The value of the highest ballot that any member was seen with, agreed on or not."""
        held = [one for mirror in self._members() if (one := mirror.registers.get(register)) and one.accepted]
        return max(held, key=lambda one: one.accepted or (0, "")).value if held else None

    async def change(self, register: str, how: Change, *, epoch: int | None = None) -> Any:
        """The value that is agreed on now. Raises what `how` raises, `StaleEpoch`, or `Unavailable`."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    work = await self._round(register, how, epoch)
                    if work.is_over and work.failure is not None:
                        raise work.failure
                    if work.is_chosen:
                        return work.value
                    await asyncio.sleep(self._rng.uniform(0.01, 0.15))
        except TimeoutError as error:
            raise Unavailable(self.trouble() or "no majority of the acceptors answered in time") from error

    async def listen(self, hint: Callable[[], None]) -> None:
        """Calls `hint` when something may be new on an acceptor, until cancelled; polling finds it without."""
        async with asyncio.TaskGroup() as group:
            for name, acceptor in self._acceptors.items():
                group.create_task(acceptor.listen(hint), name=f"hints from {name}")
        await asyncio.Event().wait()

    async def fence(self, epoch: int) -> None:
        """Raises `StaleEpoch` or `Unavailable`."""
        work = Fencing(await self._known_view(), epoch)
        await self._carry(work)
        if work.failure is not None:
            raise work.failure
        if not work.is_chosen:
            raise Unavailable(self.trouble() or "no majority of the acceptors took the fence")

    async def look_around(self, *, may_change: bool) -> None:
        """Once: who is there; and one step towards the set that is configured, if one is due."""
        await asyncio.gather(*(self._ask(name, Inspect()) for name in self._acceptors))
        abouts = {name: about for name, about in self._abouts.items() if name not in self.silent}
        plan = plan_of(self.names, abouts, may_change=may_change)
        why = plan.why if plan is not None else None
        # What was only just begun by another node is not begun again: it must stand for two looks, and then by chance.
        is_due = why is not None and why == self._planned and self._rng.random() < 0.5
        self._planned = why
        if plan is None or not is_due:
            return
        reform = Reform(plan, abouts)
        await self._carry(reform)
        if reform.is_done:
            self._say(f"acceptors: {plan.why}; {len(plan.members)} in generation {reform.view.generation}")

    async def poll(self) -> bool:
        """Once: what is new. Whether a majority answered."""
        answers = await asyncio.gather(*(self._scan(name) for name in self._acceptors))
        view = self.view
        if view is None or sum(answers) < view.majority:
            return False
        await self._learn(view)
        return True

    async def _scan(self, name: str) -> bool:
        mirror = self._mirrors[name]
        answer = await self._ask(name, Scan(mirror.incarnation, mirror.tick))
        if not isinstance(answer, Shown):
            return False
        if answer.is_whole:
            mirror.registers = dict(answer.registers)
        else:
            mirror.registers.update(answer.registers)
        mirror.incarnation, mirror.tick = answer.about.incarnation, answer.about.tick
        return True

    def _members(self) -> list[_Mirror]:
        view = self.view
        members = view.members if view is not None else {}
        return [one for name, one in self._mirrors.items() if members.get(name) == one.incarnation]

    async def _learn(self, view: View) -> None:
        mirrors = self._members()
        hanging: dict[str, tuple[Ballot, int]] = {}
        for name in {name for mirror in mirrors for name in mirror.registers}:
            held = [one for mirror in mirrors if (one := mirror.registers.get(name)) and one.accepted]
            if not held:
                continue
            newest = max(held, key=lambda one: one.accepted or (0, ""))
            if sum(one.accepted == newest.accepted for one in held) >= view.majority:
                self.learned[name] = newest.value
            elif newest.accepted is not None:
                ballot, polls = self._hanging.get(name, (newest.accepted, 0))
                hanging[name] = (newest.accepted, polls + 1 if ballot == newest.accepted else 1)
        self._hanging = hanging
        for name in [name for name, (_, polls) in hanging.items() if polls >= SETTLE_AFTER_POLLS]:
            try:
                self.learned[name] = await self.change(name, unchanged)
            except StateError:
                return  # no majority now: at the next poll again

    # Messages

    async def _round(self, register: str, how: Change, epoch: int | None) -> Round:
        self._ballot += 1
        work = Round(await self._known_view(), register, (self._ballot, self._run), how, epoch=epoch)
        await self._carry(work)
        if work.beaten_by is not None:
            self._ballot = max(self._ballot, work.beaten_by[0])
        return work

    async def _known_view(self) -> View:
        """Raises `Unavailable`."""
        if self.view is None or self.trouble() is not None:
            await asyncio.gather(*(self._ask(name, Inspect()) for name in self._acceptors))
        view = self.view
        if view is None:
            raise Unavailable(self.trouble() or "there is no set of acceptors yet")
        return view

    async def _carry(self, work: Step) -> None:
        """Until it is over, or no answer comes any more. What was sent goes on being delivered afterwards."""
        waiting = self._send(work.start())
        while waiting and not work.is_over:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                name, answer = task.result()
                if answer is not None:
                    waiting |= self._send(work.hear(name, answer))

    def _send(self, requests: Mapping[str, Request]) -> set[asyncio.Task[tuple[str, Answer | None]]]:
        loop = asyncio.get_running_loop()
        sent = {
            loop.create_task(self._named(name, request), name=f"acceptor {name}")
            for name, request in requests.items()
            if name in self._acceptors
        }
        for task in sent:
            self._stragglers.add(task)
            task.add_done_callback(self._stragglers.discard)
        return sent

    async def _named(self, name: str, request: Request) -> tuple[str, Answer | None]:
        return name, await self._ask(name, request)

    async def _ask(self, name: str, request: Request) -> Answer | None:
        known = self._ticks.get(name)
        try:
            answer = await self._acceptors[name].ask(request, timeout_s=ASK_TIMEOUT_S)
        except Silent as silent:
            self.silent[name] = str(silent)
            return None
        self.silent.pop(name, None)
        about = answer.about
        if known is not None and known[0] == about.incarnation and about.tick < known[1]:
            self._say(f"acceptor {name} was restored from a copy: it has to forget, and is re-admitted")
            self._ticks.pop(name, None)
            self._abouts.pop(name, None)
            if not isinstance(request, Forget):
                await self._ask(name, Forget(about.incarnation))
            return None
        latest = self._ticks.get(name)
        if latest is None or latest[0] != about.incarnation or latest[1] <= about.tick:
            self._ticks[name] = (about.incarnation, about.tick)
            self._abouts[name] = about
        if isinstance(answer, Refusal) and answer.reason == "set" and answer.about.generation:
            self._abouts[name] = about
        return answer

    async def close(self) -> None:
        for task in tuple(self._stragglers):
            task.cancel()
        await asyncio.gather(*self._stragglers, return_exceptions=True)
        for acceptor in self._acceptors.values():
            await acceptor.close()
