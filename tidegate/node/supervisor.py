"""The tiny parent of a node: spawns, reaps, holds the listening sockets, forwards signals. It decides nothing.

    tidegate serve  --exec-->  supervisor  ──┬── control
                                             ├── sync       where `sync` is configured
                                             ├── worker 0
                                             └── worker 1 ...

    child dies        its siblings serve on, one of them accepts from its sockets; it is started again (core/backoff.py)
    child hangs       it is killed (core/silence.py), and then it has died
    SIGTERM, SIGINT   readyz 503, workers drain, then control ends; a second one: at once
    SIGHUP            control reads the configuration again
    kill -9 of this   the children serve on; the next supervisor takes their sockets over, then lets them drain

It is one blocking loop over a selector, without asyncio and without the configuration: little to go wrong, since
nothing restarts it.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway import node_memory
from tidegate.node import activation, census, lifeline, sockets
from tidegate.node.child import MODULES, Child
from tidegate.node.core import slots
from tidegate.node.core.open_files import too_few
from tidegate.node.core.silence import SILENCE_S, Silence
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import Log, setup
from tidegate.node.notify import Notifier
from tidegate.node.plan import NodePlan, Orders, Role, decode_plan
from tidegate.node.takeover import Listening, Orphan, find_orphans, open_listening

SOCKET = "sync.sock"
"""Of the sync process, which replaces it itself (gateway/core/data_service.py; not imported: this stays small)."""
HARD_STOP_AFTER_GRACE_S = 5.0
"""A child that has not ended this long after its own deadline hangs."""

MAX_DESCRIPTORS = 1_048_576
"""Enough for anything; a container's hard limit may be a thousand times that, and tables are sized by the soft one."""


CANNOT_START = (
    census.AlreadyRunning,
    census.DataDirUnusable,
    sockets.AddressUnavailable,
    activation.ActivationRefused,
)
"""Their messages say what to do."""


class StartRefused(Exception):
    """The node cannot start; the message says why and what to do."""


class Supervisor:
    """One run of a node. `clock` is monotonic seconds."""

    def __init__(
        self,
        plan: NodePlan,
        *,
        environ: Mapping[str, str],
        log: Log,
        clock: Callable[[], float] = time.monotonic,
        modules: Mapping[Role, str] = MODULES,
        silence_s: float = SILENCE_S,
    ) -> None:
        self._plan = plan
        self._log = log
        self._clock = clock
        self._notifier = Notifier(environ)
        self._given = environ
        self._environ = activation.children_environment(environ)
        self._environ.pop("NOTIFY_SOCKET", None)
        self._data_dir = Path(plan.data_dir)
        self._control = Child("control", -1, modules=modules)
        self._workers = [Child("worker", slot, modules=modules) for slot in range(plan.workers)]
        self._sync = [Child("sync", -1, modules=modules)] if plan.has_sync else []
        self._children = [self._control, *self._sync, *self._workers]
        self._silence: Silence[Child] = Silence(silence_s)
        self._selector = selectors.DefaultSelector()
        self._serving: dict[int, int] = {}
        self._was_ready = False
        self._stop_by: float | None = None
        self._orphans: list[Orphan] = []
        self._orphans_stop_by: float | None = None
        self._had_to_kill = False
        self._channel_name = f"{os.getpid()}.control.sock"
        self._listening: Listening
        self._directory: DataDirSockets
        self._channel: socket.socket
        self._memory = node_memory.create()

    def run(self) -> int:
        """Until the node has stopped; its exit code. Raises `StartRefused` before anything was started."""
        try:
            lock = census.take_lock(self._data_dir)
            self._prepare()
        except CANNOT_START as error:
            raise StartRefused(str(error)) from error
        except OSError as error:
            raise StartRefused(f"node.data_dir {self._data_dir} cannot hold the sockets of a node: {error}") from error
        for child in self._children:
            self._spawn(child)
        self._write_census()
        while not self._is_over():
            self._on_time()
            for key, _ in self._selector.select(self._wait_s()):
                key.data()
        self._finish()
        os.close(lock)
        return 1 if self._had_to_kill else 0

    # Start

    def _prepare(self) -> None:
        """Everything that may be refused; nothing is started yet."""
        allow_descriptors(self._plan, self._log)
        self._directory = DataDirSockets(self._data_dir)
        self._orphans = find_orphans(self._data_dir)
        if self._orphans:
            pids = [orphan.resident.pid for orphan in self._orphans]
            self._log.warning("taking over from processes whose supervisor was killed", pids=pids)
        else:
            self._remove_stale_sockets()
        passed = activation.inherited(self._given, pid=os.getpid())
        self._listening = open_listening(self._plan, self._orphans, self._directory, passed)
        self._channel = self._directory.listen(self._channel_name)
        for orphan in self._orphans:
            self._selector.register(orphan.pidfd, selectors.EVENT_READ, self._orphan_ended(orphan))
        self._watch_signals()

    def _watch_signals(self) -> None:
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        self._selector.register(woken, selectors.EVENT_READ, lambda: self._on_signals(os.read(woken, 1024)))

    def _spawn(self, child: Child) -> None:
        is_control = child is self._control
        descriptors = self._listening.descriptors() if child.role == "worker" else {}
        orders = Orders(
            role=child.role,
            plan=self._plan,
            slot=child.slot,
            supervisor_pid=os.getpid(),
            lifeline=-1,
            sockets=descriptors,
            admin=self._listening.admin.fileno() if is_control else -1,
            channel=self._channel.fileno() if is_control else -1,
            channel_name=self._channel_name,
            memory=self._memory,
        )
        listening = [orders.admin, orders.channel] if is_control else [fd for fds in descriptors.values() for fd in fds]
        try:
            child.spawn(orders, inherit=[*listening, self._memory], environ=self._environ, now=self._clock())
        except OSError as error:
            wait_s = child.failed_to_start(now=self._clock())
            self._log.problem(f"{child.role} cannot be started", slot=child.slot, error=str(error), retry_in_s=wait_s)
            return
        assert child.pipe is not None  # noqa: S101 - spawn has just set it
        self._selector.register(child.pipe, selectors.EVENT_READ, self._word_from(child))
        self._silence.began(child, now=self._clock())

    # Events

    def _on_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGCHLD:
                self._reap()
            elif number == signal.SIGHUP:
                self._reload()
            elif self._stop_by is None:
                self._stop(signal.Signals(number))
            else:
                self._log.warning("asked to stop again: stopping at once")
                self._stop_by = self._clock()

    def _reload(self) -> None:
        if self._control.is_ready:
            self._notifier.reloading()
            self._control.signal(signal.SIGHUP)
        else:
            self._log.info("control is starting, and reads the configuration anyway")

    def _reap(self) -> None:
        while True:
            try:
                # Any child, not only our own: as pid 1 of a container we inherit those that others leave behind.
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self._children:
                if child.pid == pid:
                    self._on_death(child, pid, status)

    def _on_death(self, child: Child, pid: int, status: int) -> None:
        assert child.pipe is not None  # noqa: S101 - a child that was started has one until it is reaped
        if child.pipe in self._selector.get_map():
            self._selector.unregister(child.pipe)
        now = self._clock()
        self._silence.ended(child)
        how = child.died(status, now=now)
        self._reassign()
        self._tell_control()
        if self._stop_by is None:
            delay_s = (child.restart_at or now) - now
            self._log.warning(f"{child.role} died", slot=child.slot, died_pid=pid, how=how, restart_in_s=delay_s)
        elif not any(worker.pid for worker in self._workers):
            self._end_the_rest()
        self._on_time()
        self._write_census()

    def _word_from(self, child: Child) -> Callable[[], None]:
        def hear() -> None:
            if child.pipe is None:
                return
            try:
                message = lifeline.hear_from_child(child.pipe)
            except BlockingIOError:
                return
            self._silence.heard(child, now=self._clock())
            if message is None:
                # It hung up: it is dying, which SIGCHLD will tell. If it lives, it cannot be steered any more: end it.
                self._selector.unregister(child.pipe)
                child.signal(signal.SIGKILL)
            elif isinstance(message, lifeline.Ready):
                self._on_ready(child)
            elif isinstance(message, lifeline.Reloaded):
                self._notifier.ready("reloaded" if message.ok else "the new configuration was refused")

        return hear

    def _on_ready(self, child: Child) -> None:
        child.is_ready = True
        self._log.info(f"{child.role} is ready", slot=child.slot, ready_pid=child.pid)
        self._reassign()
        self._tell_control()
        if all(each.is_ready for each in self._children):
            self._notifier.ready(f"serving as {self._plan.node_id}")
            if not self._was_ready:
                self._was_ready = True
                self._log.info("node is ready", node=self._plan.node_id)
            self._relieve_orphans()

    def _on_silence(self, child: Child) -> None:
        self._log.problem(f"{child.role} says nothing any more: killing it", slot=child.slot, silent_pid=child.pid)
        child.signal(signal.SIGKILL)
        # Its queue does not wait for its death, which an operation stuck in the kernel may put off.
        child.is_ready = False
        self._reassign()

    def _on_time(self) -> None:
        now = self._clock()
        if self._stop_by is not None:
            if now >= self._stop_by:
                self._kill_all()
            return
        for child in self._silence.look(now=now):
            self._on_silence(child)
        restarted = False
        for child in self._children:
            if child.restart_at is not None and now >= child.restart_at:
                child.restarts += 1
                self._spawn(child)
                restarted = True
        if restarted:
            self._tell_control()
            self._write_census()
        if self._orphans_stop_by is not None and now >= self._orphans_stop_by:
            for orphan in self._orphans:
                orphan.signal(signal.SIGKILL)
            self._orphans_stop_by = None

    def _wait_s(self) -> float | None:
        times = [child.restart_at for child in self._children if child.restart_at is not None]
        due = (
            [self._stop_by] if self._stop_by is not None else [*times, self._orphans_stop_by, self._silence.next_look()]
        )
        return min((max(0.0, at - self._clock()) for at in due if at is not None), default=None)

    # Slots, orphans

    def _reassign(self) -> None:
        """Tell the workers which slots are theirs now."""
        if self._stop_by is not None:
            return
        serving = {worker.slot for worker in self._workers if worker.is_ready}
        after = slots.servers(self._listening.count(), len(self._workers), serving)
        for worker, slot, accept in slots.reassignments(self._serving, after):
            if worker in serving:
                self._workers[worker].tell(lifeline.Accept(slot) if accept else lifeline.Release(slot))
        self._serving = after

    def _tell_control(self) -> None:
        states = [
            lifeline.ChildState(child.role, child.slot, child.pid, child.restarts, child.is_ready)
            for child in self._children
        ]
        self._control.tell(lifeline.Processes(os.getpid(), states))

    def _relieve_orphans(self) -> None:
        """Everything of ours serves: those that held out may drain and go."""
        for orphan in self._orphans:
            orphan.signal(signal.SIGTERM)
        if self._orphans and self._orphans_stop_by is None:
            self._orphans_stop_by = self._clock() + self._plan.shutdown_grace_s + HARD_STOP_AFTER_GRACE_S

    def _orphan_ended(self, orphan: Orphan) -> Callable[[], None]:
        def ended() -> None:
            self._selector.unregister(orphan.pidfd)
            orphan.close()
            self._orphans.remove(orphan)
            self._log.info("an orphan has drained and ended", orphan_pid=orphan.resident.pid)
            if not self._orphans:
                self._remove_stale_sockets()
            self._write_census()

        return ended

    # Stop

    def _stop(self, number: signal.Signals) -> None:
        self._log.info("stopping: draining", signal=number.name, grace_s=self._plan.shutdown_grace_s)
        self._stop_by = self._clock() + self._plan.shutdown_grace_s + HARD_STOP_AFTER_GRACE_S
        self._notifier.stopping()
        self._control.tell(lifeline.Draining())
        self._listening.close_listeners()
        for worker in self._workers:
            worker.signal(signal.SIGTERM)
        if not any(worker.pid for worker in self._workers):
            self._end_the_rest()

    def _end_the_rest(self) -> None:
        """No worker is left that could need them."""
        for child in (self._control, *self._sync):
            child.signal(signal.SIGTERM)

    def _kill_all(self) -> None:
        for child in self._children:
            if child.pid is not None:
                self._had_to_kill = True
                child.signal(signal.SIGKILL)
        self._stop_by = float("inf")

    def _is_over(self) -> bool:
        return self._stop_by is not None and not any(child.pid for child in self._children)

    def _finish(self) -> None:
        self._directory.remove(self._channel_name)
        self._write_census()
        self._log.info("stopped")

    # The data directory

    def _write_census(self) -> None:
        residents = [orphan.resident for orphan in self._orphans]
        for child in self._children:
            if child.pid is not None and (started := census.start_time(child.pid)) is not None:
                residents.append(census.Resident(child.role, child.slot, child.pid, started))
        try:
            census.write(self._data_dir, os.getpid(), residents)
        except OSError as error:
            self._log.problem("cannot write who belongs to this node", error=str(error), data_dir=str(self._data_dir))

    def _remove_stale_sockets(self) -> None:
        for name in self._directory.names():
            if name not in {self._channel_name, SOCKET}:
                self._directory.remove(name)


def allow_descriptors(plan: NodePlan, log: Log) -> None:
    """Raise the soft limit on open files to the hard one. Raises `StartRefused` when that does not carry the limits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, max(MAX_DESCRIPTORS, plan.descriptors))
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    sentence = too_few(needed=plan.descriptors, may_open=None if hard == resource.RLIM_INFINITY else hard)
    if sentence is None:
        return
    if plan.descriptors_must_fit:
        raise StartRefused(sentence)
    log.warning(sentence)


def main() -> None:
    plan = decode_plan(sys.argv[1])
    log = setup("supervisor", node=plan.node_id)
    try:
        sys.exit(Supervisor(plan, environ=os.environ, log=log).run())
    except StartRefused as refused:
        log.problem("cannot start", reason=str(refused))
        sys.exit(1)


if __name__ == "__main__":
    main()
