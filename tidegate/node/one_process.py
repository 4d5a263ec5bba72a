"""A whole node on one event loop (`workers: 0`): a desktop, a test. `python -P -m tidegate.node.one_process PLAN`.

The same control and the same worker, the same messages over an in-memory channel; what is missing is what processes
give: nobody restarts this one, and when it is gone, all of it is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from config.problems import ConfigurationError
from gateway.node_memory import NodeMemory
from tidegate.admin.app import serve_admin
from tidegate.node import activation, census
from tidegate.node.access_log import AccessLog, open_sink
from tidegate.node.channel import memory_pair
from tidegate.node.control import Control
from tidegate.node.control_process import make_control
from tidegate.node.data_room import DataRoom, hold_lock
from tidegate.node.handover import DataDirSockets
from tidegate.node.logs import Log, setup
from tidegate.node.notify import Notifier
from tidegate.node.plan import NodePlan, decode_plan
from tidegate.node.startup import Chosen, UnfitConfiguration, choose_for
from tidegate.node.supervisor import CANNOT_START, StartRefused, allow_descriptors
from tidegate.node.takeover import Listening, find_orphans, open_listening
from tidegate.node.tasks import Ending, Tasks
from tidegate.node.worker import ToControl, Worker
from tidegate.node.worker_process import look_after, make_data_plane

ONLY_SLOT = 0


async def run(plan: NodePlan, chosen: Chosen, listening: Listening, notifier: Notifier, log: Log) -> int:
    """Serve until SIGTERM; the exit code."""
    loop = asyncio.get_running_loop()
    ending = Ending()
    tasks = Tasks(log, on_fatal=lambda _: ending.end(1))
    control = make_control(plan, chosen, environ=os.environ, log=log, tasks=tasks)
    access_log = AccessLog(lambda: open_sink(plan.access_log), loop)

    async def connect() -> ToControl:
        ours, theirs = memory_pair()
        tasks.start("session", lambda: control.publisher.serve(theirs))
        return ours

    async def accept() -> None:
        for slot in range(listening.count()):
            await worker.accept(slot)
        notifier.ready(f"serving as {plan.node_id}")
        log.info("node is ready", node=plan.node_id)

    def ready() -> None:
        tasks.start("accept", accept)

    async def reload() -> None:
        notifier.reloading()
        attempt = await control.reload("SIGHUP")
        notifier.ready("reloaded" if attempt.ok else "the new configuration was refused")

    worker = Worker(
        slot=ONLY_SLOT,
        data_plane=make_data_plane(plan, access_log, known_to(control), slot=ONLY_SLOT, log=log),
        sockets=listening.slots,
        connect=connect,
        from_disk=lambda: None,
        on_ready=ready,
        on_second=lambda: look_after(access_log, log),
        take_dropped=access_log.take_dropped,
        log=log,
        tasks=tasks,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.end, 0)
    loop.add_signal_handler(signal.SIGHUP, tasks.start, "reload", reload)
    room = await open_room(plan, chosen, log, tasks) if plan.has_sync else None
    control.has_served_data = room is not None
    control.start()
    worker.start()
    admin = await serve_admin(control, listening.admin, environ=os.environ, log=log, tasks=tasks)
    code = await ending.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
    notifier.stopping()
    control.is_draining = True
    await worker.drain(plan.shutdown_grace_s if code == 0 else 0.0)
    await admin.cleanup()
    access_log.close()
    if room is not None:
        await room.close()
    await tasks.close()
    await control.close()
    log.info("stopped")
    return code


async def open_room(plan: NodePlan, chosen: Chosen, log: Log, tasks: Tasks) -> DataRoom:
    """The data room, on this loop. The lock is let go of by the end of the process."""
    data_dir = Path(plan.data_dir)
    await hold_lock(data_dir, log=log)
    room = DataRoom(
        chosen.loaded.config,
        environ=os.environ,
        directory=DataDirSockets(data_dir),
        log=log,
        tasks=tasks,
        folder=Path(plan.config_file).parent,
    )
    await room.open()
    return room


def start(plan: NodePlan, log: Log) -> int:
    """Raises `StartRefused`."""
    data_dir = Path(plan.data_dir)
    try:
        lock = census.take_lock(data_dir)
        allow_descriptors(plan, log)
        directory = DataDirSockets(data_dir)
        orphans = find_orphans(data_dir)
        listening = open_listening(plan, orphans, directory, activation.inherited(os.environ, pid=os.getpid()))
        chosen = choose_for(plan, environ=os.environ, log=log)
    except CANNOT_START as error:
        raise StartRefused(str(error)) from error
    except (ConfigurationError, UnfitConfiguration) as error:
        raise StartRefused(f"no configuration can be used: {error}") from error
    for orphan in orphans:
        # They were left by a supervisor of an earlier run with workers; what they hold is ours now.
        orphan.signal(signal.SIGTERM)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(run(plan, chosen, listening, Notifier(os.environ), log))
    os.close(lock)
    return code


def known_to(control: Control) -> NodeMemory:
    """What the only data plane counts in: explanations look there."""
    memory = NodeMemory.alone()
    control.limits = memory.limits
    return memory


def main() -> None:
    plan = decode_plan(sys.argv[1])
    log = setup("node", node=plan.node_id)
    try:
        sys.exit(start(plan, log))
    except StartRefused as refused:
        log.problem("cannot start", reason=str(refused))
        sys.exit(1)


if __name__ == "__main__":
    main()
