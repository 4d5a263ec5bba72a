"""The main program of a worker: `python -P -m tidegate.node.worker_process ORDERS`.

It wires the real things together: uvloop, the data plane, the access log, the stream to control, the lifeline.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import uvloop

from gateway.dataplane import DataPlane
from gateway.messages import FromDataPlane, Publication, ToDataPlane, decode_to_data_plane, encode
from gateway.node_memory import NodeMemory
from tidegate.node import garbage
from tidegate.node.access_log import AccessLog, open_sink
from tidegate.node.audit_log import AuditLog, folder_of
from tidegate.node.channel import StreamChannel
from tidegate.node.disk import Disk
from tidegate.node.handover import DataDirSockets, Held
from tidegate.node.lifeline import Accept, Ready, Release, ToChild
from tidegate.node.logs import Log, setup
from tidegate.node.orphanhood import Lifeline
from tidegate.node.plan import NodePlan, Orders, decode_orders
from tidegate.node.spans import Spans
from tidegate.node.tasks import Ending, Tasks
from tidegate.node.wall import wall
from tidegate.node.worker import ToControl, Worker


async def run(orders: Orders, log: Log) -> int:
    """Serve until SIGTERM; the exit code."""
    loop = asyncio.get_running_loop()
    plan = orders.plan
    ending = Ending()
    tasks = Tasks(log, on_fatal=lambda _: ending.end(1))
    directory = DataDirSockets(Path(plan.data_dir))
    access_log = AccessLog(lambda: open_sink(plan.access_log), loop)
    memory = NodeMemory.shared(orders.memory, me=orders.slot, workers=max(1, plan.workers))

    def ready() -> None:
        garbage.settle()
        lifeline.tell(Ready())

    worker = Worker(
        slot=orders.slot,
        data_plane=make_data_plane(plan, access_log, memory, slot=orders.slot, log=log),
        sockets=inherited(orders.sockets),
        connect=partial(connect, directory, orders.channel_name),
        from_disk=partial(from_disk, plan, log),
        on_ready=ready,
        on_second=lambda: look_after(access_log, log),
        take_dropped=access_log.take_dropped,
        log=log,
        tasks=tasks,
    )

    def obey(order: ToChild) -> None:
        if isinstance(order, Accept):
            tasks.start(f"accept slot {order.slot}", lambda: worker.accept(order.slot))
        elif isinstance(order, Release):
            tasks.start(f"release slot {order.slot}", lambda: worker.release(order.slot))

    lifeline = Lifeline(
        orders.lifeline,
        directory=directory,
        on_order=obey,
        held=lambda: {Held(*where): descriptor for where, descriptor in worker.keep_only_own_slots().items()},
        log=log,
    )
    loop.add_signal_handler(signal.SIGTERM, ending.end, 0)
    tasks.keep("beat", lifeline.beat)
    worker.start()
    code = await ending.wait()
    loop.remove_signal_handler(signal.SIGTERM)
    await worker.drain(plan.shutdown_grace_s if code == 0 else 0.0)
    access_log.close()
    await tasks.close()
    lifeline.close()
    return code


def make_data_plane(plan: NodePlan, access_log: AccessLog, memory: NodeMemory, *, slot: int, log: Log) -> DataPlane:
    """One of the node's data planes, on the running loop."""
    loop = asyncio.get_running_loop()
    rng = random.Random()  # noqa: S311 - spreads load and numbers requests; no secret hangs on it
    return DataPlane(
        node_id=plan.node_id,
        access_log=access_log.write,
        rng=rng,
        wall=wall,
        workers=max(1, plan.workers),
        memory=memory,
        audit=AuditLog(folder_of(plan.data_dir), node_id=plan.node_id, wall=wall, loop=loop),
        spans=Spans(node_id=plan.node_id, slot=slot, log=log, loop=loop),
    )


async def connect(directory: DataDirSockets, name: str) -> ToControl:
    """Reach control. Raises `OSError`."""
    reader, writer = await asyncio.open_unix_connection(sock=directory.connect(name))
    return StreamChannel[FromDataPlane, ToDataPlane](reader, writer, encode=encode, decode=decode_to_data_plane)


def from_disk(plan: NodePlan, log: Log) -> Publication | None:
    """What was last good."""
    # Imported only here: reading a configuration text takes a parser that a worker otherwise never needs.
    from tidegate.node.startup import last_publication  # noqa: PLC0415

    disk = Disk(Path(plan.data_dir), log)
    return last_publication(Path(plan.config_file), disk=disk, environ=os.environ, log=log)


def inherited(descriptors: Mapping[str, Sequence[int]]) -> dict[str, list[socket.socket]]:
    """The listening sockets behind the supervisor's numbers."""
    return {name: [socket.socket(fileno=each) for each in of_listener] for name, of_listener in descriptors.items()}


def look_after(access_log: AccessLog, log: Log) -> None:
    """Once a second: follow a rotated file."""
    try:
        access_log.reopen_if_moved()
    except OSError as error:
        log.problem("the access log cannot be opened again, going on with the old file", error=str(error))


def main() -> None:
    # A terminal sends these to the whole group; only the supervisor acts on them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    orders = decode_orders(sys.argv[1])
    log = setup("worker", node=orders.plan.node_id, slot=orders.slot)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, contextlib.suppress(KeyboardInterrupt):
        sys.exit(runner.run(run(orders, log)))


if __name__ == "__main__":
    main()
