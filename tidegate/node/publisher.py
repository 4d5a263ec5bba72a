"""What every data plane should route by, and what each of them has.

    changed()  --first at once, others coalesced-->  version n+1  --to each session-->  what it lacks

A session is one data plane's channel. It is never queued for: a slow one gets the newest publication once it can take
it, not each that it missed. The configuration goes along until the data plane has reported that it routes by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.messages import (
    PROTOCOL,
    EndpointState,
    FromDataPlane,
    Heartbeat,
    Hello,
    OperatorState,
    Parts,
    Publication,
    Replicated,
    Report,
    ResolvedEndpoint,
    ToDataPlane,
)
from tidegate.node.channel import Channel, ChannelClosed
from tidegate.node.core.coalesce import Coalescer
from tidegate.node.logs import Log

HEARTBEAT_EVERY_S = 1.0
HELLO_WITHIN_S = 5.0

ToWorker = Channel[ToDataPlane, FromDataPlane]


@dataclass(frozen=True)
class View:
    """All that is published, as control sees it now."""

    config_digest: str
    config: str
    endpoints: Mapping[str, EndpointState]
    region_rtts: Mapping[str, float]
    operator: Mapping[str, OperatorState] = field(default_factory=dict)
    resolved: Mapping[str, tuple[ResolvedEndpoint, ...]] = field(default_factory=dict)
    ejected: Mapping[str, float] = field(default_factory=dict)
    """Until when, by this process's clock."""


@dataclass
class Session:
    """One connected data plane."""

    hello: Hello
    sent: int | None
    """Version sent last on this channel, or known to be there already."""
    holds_digest: str | None
    """Configuration that it has said it routes by."""
    sent_digest: str | None = None
    replicated: Replicated | None = None
    """What it was told of the data last."""
    parts: Parts | None = None
    """... and of its node's part of capacities."""
    report: Report | None = None
    """The last one."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, report: Report) -> None:
        self.report = report
        if self.sent is not None and report.version is not None and report.version >= self.sent:
            self.holds_digest = self.sent_digest or self.holds_digest


class Publisher:
    """One control process's publications. `view` is asked when something goes out; `on_published` is told."""

    def __init__(
        self,
        *,
        first_version: int,
        view: Callable[[], View],
        on_published: Callable[[int, View], None],
        on_report: Callable[[Report], None],
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self.version = first_version
        self.sessions: dict[int, Session] = {}
        """By slot."""
        self._view = view
        self._on_published = on_published
        self._on_report = on_report
        self._clock = clock
        self._log = log
        self._coalescer = Coalescer()
        self._changed = asyncio.Event()
        self._current: View | None = None
        self._replicated: Replicated | None = None
        self._parts: Parts | None = None
        self._told: dict[tuple[int, int], int] = {}
        """What this process has sent, by slot and pid: a version number from elsewhere may mean something else."""

    def replicated(self, message: Replicated | None) -> None:
        """How far the data is; each data plane gets the newest, once it can take it. None: no route asks for it."""
        if message is not self._replicated:
            self._replicated = message
            self._wake_all()

    def share(self, message: Parts) -> None:
        """What of each region's capacity is this node's."""
        if message != self._parts:
            self._parts = message
            self._wake_all()

    def changed(self) -> None:
        """There is something to publish."""
        self._coalescer.changed(now=self._clock())
        self._changed.set()

    async def run(self) -> None:
        """Publish what changes, for ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            due = self._coalescer.due
            if due is not None:
                if (wait_s := due - self._clock()) > 0:
                    await asyncio.sleep(wait_s)
                self.publish()

    def publish(self) -> None:
        """Now, to all."""
        self._coalescer.sent(now=self._clock())
        view = self._view()
        if view == self._current:
            return
        if self._current is not None:
            self.version += 1
        self._current = view
        self._on_published(self.version, view)
        self._wake_all()

    async def serve(self, channel: ToWorker) -> None:
        """Talk to one data plane until it goes."""
        try:
            async with asyncio.timeout(HELLO_WITHIN_S):
                hello = await channel.receive()
            if not isinstance(hello, Hello) or hello.protocol != PROTOCOL:
                self._log.problem("a data plane did not say hello as expected", said=repr(hello)[:200])
                return
            await self._converse(channel, self._admit(hello))
        except (ChannelClosed, TimeoutError):
            return
        except ValueError as error:
            self._log.problem("nonsense from a data plane, hanging up", error=str(error))
        finally:
            channel.close()

    def _admit(self, hello: Hello) -> Session:
        session = Session(hello, sent=None, holds_digest=hello.config_digest)
        known = self._told.get((hello.slot, hello.pid))
        if known is not None and known == hello.version:
            session.sent = known
        elif hello.version is not None and hello.version >= self.version:
            # It comes from an earlier control process, whose last versions this one has not seen on the disk.
            self.version = hello.version + 1
            if self._current is not None:
                self._on_published(self.version, self._current)
            self._wake_all()
        self.sessions[hello.slot] = session
        here = (hello.slot, hello.pid)
        self._told = {key: version for key, version in self._told.items() if key[0] != hello.slot or key == here}
        return session

    async def _converse(self, channel: ToWorker, session: Session) -> None:
        slot = session.hello.slot
        self._log.info("a data plane has connected", slot=slot, its_pid=session.hello.pid, has=session.hello.version)
        try:
            async with asyncio.TaskGroup() as both:
                sending = both.create_task(self._send(channel, session), name=f"publications to {slot}")
                await self._receive(channel, session)
                sending.cancel()
        except* ChannelClosed:
            pass
        finally:
            if self.sessions.get(slot) is session:
                del self.sessions[slot]

    async def _receive(self, channel: ToWorker, session: Session) -> None:
        while (message := await channel.receive()) is not None:
            if isinstance(message, Report):
                session.heard(message)
                self._on_report(message)

    async def _send(self, channel: ToWorker, session: Session) -> None:
        while True:
            if self._current is not None and session.sent != self.version:
                await self._send_current(channel, session, self._current)
            if self._replicated is not None and session.replicated is not self._replicated:
                session.replicated = self._replicated
                await channel.send(self._replicated)
            if self._parts is not None and session.parts is not self._parts:
                session.parts = self._parts
                await channel.send(self._parts)
            session.wake.clear()
            if self._has_all(session):
                try:
                    async with asyncio.timeout(HEARTBEAT_EVERY_S):
                        await session.wake.wait()
                except TimeoutError:
                    await channel.send(Heartbeat(self.version))

    def _has_all(self, session: Session) -> bool:
        is_told = session.parts is self._parts
        is_told = is_told and (self._replicated is None or session.replicated is self._replicated)
        return is_told and (session.sent == self.version or self._current is None)

    async def _send_current(self, channel: ToWorker, session: Session, view: View) -> None:
        version = self.version
        holds = session.holds_digest == view.config_digest
        await channel.send(
            Publication(
                version=version,
                config_digest=view.config_digest,
                config=None if holds else view.config,
                endpoints=dict(view.endpoints),
                region_rtts=dict(view.region_rtts),
                operator=dict(view.operator),
                resolved=dict(view.resolved),
                ejected={name: max(0.0, until - self._clock()) for name, until in view.ejected.items()},
            )
        )
        session.sent, session.sent_digest = version, view.config_digest
        self._told[session.hello.slot, session.hello.pid] = version

    def _wake_all(self) -> None:
        for session in self.sessions.values():
            session.wake.set()
