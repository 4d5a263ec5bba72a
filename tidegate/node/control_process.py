"""The main program of control: `python -P -m tidegate.node.control_process ORDERS`.

It wires the real things together: prober, admin API on the supervisor's socket, the channel to the workers, lifeline.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import uvloop

from config.problems import ConfigurationError
from gateway.admission.table import Table
from gateway.messages import FromDataPlane, ToDataPlane, decode_from_data_plane, encode
from health.discovery.names import Asks, Names
from health.prober import Prober
from tidegate.admin.app import serve_admin
from tidegate.node.agreement import make_agreement
from tidegate.node.audit_log import AuditLog, folder_of
from tidegate.node.channel import StreamChannel
from tidegate.node.control import Control
from tidegate.node.data_side import DataSocket
from tidegate.node.disk import Disk
from tidegate.node.handover import DataDirSockets, Held
from tidegate.node.journal_files import JournalFiles
from tidegate.node.lifeline import Draining, Processes, Ready, Reloaded, ToChild
from tidegate.node.logs import Log, setup
from tidegate.node.orphanhood import Lifeline
from tidegate.node.plan import NodePlan, Orders, decode_orders
from tidegate.node.startup import Chosen, UnfitConfiguration, choose_for
from tidegate.node.tasks import Ending, Tasks
from tidegate.node.wall import wall


def make_control(plan: NodePlan, chosen: Chosen, *, environ: Mapping[str, str], log: Log, tasks: Tasks) -> Control:
    """Control with its real prober, disk and clocks."""

    def make_prober(on_change: Callable[[], None]) -> Prober:
        # Spreads probes in time; no secret hangs on it.
        return Prober(node_id=plan.node_id, on_change=on_change, rng=random.Random(), wall=wall)  # noqa: S311

    def make_names(on_change: Callable[[], None]) -> Names:
        rng = random.Random()  # noqa: S311 - as above
        return Names(on_change=on_change, rng=rng, wall=wall, clock=time.monotonic, make_resolver=make_resolver)

    agreement = make_agreement(chosen.loaded.config, environ=environ, log=log)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Control(
        plan=plan,
        chosen=chosen,
        disk=Disk(Path(plan.data_dir), log),
        environ=environ,
        make_prober=make_prober,
        make_names=make_names,
        clock=time.monotonic,
        wall=wall,
        log=log,
        tasks=tasks,
        agreement=agreement,
        data=DataSocket(Path(plan.data_dir)),
        lines=JournalFiles(Path(plan.data_dir)),
        audit=AuditLog(folder_of(plan.data_dir), node_id=plan.node_id, wall=wall, loop=asyncio.get_running_loop()),
        may_open=None if hard == resource.RLIM_INFINITY else hard,
    )


def make_resolver(resolvers: str | tuple[str, ...]) -> Asks:
    """Called only where the configuration has names, and then the package is there (config/extras.py)."""
    from health.discovery.resolver import Resolver  # noqa: PLC0415 - needs the extra `dns`

    return Resolver(resolvers)


async def run(orders: Orders, chosen: Chosen, log: Log) -> int:
    """Work until SIGTERM; the exit code."""
    loop = asyncio.get_running_loop()
    ending = Ending()
    tasks = Tasks(log, on_fatal=lambda _: ending.end(1))
    control = make_control(orders.plan, chosen, environ=os.environ, log=log, tasks=tasks)
    control.limits = Table(orders.memory) if orders.memory >= 0 else None
    directory = DataDirSockets(Path(orders.plan.data_dir))

    def hear(order: ToChild) -> None:
        if isinstance(order, Processes):
            control.told(order)
        elif isinstance(order, Draining):
            control.is_draining = True

    def held() -> dict[Held, int]:
        control.is_orphan = True
        return {Held("", 0): orders.admin}

    lifeline = Lifeline(orders.lifeline, directory=directory, on_order=hear, held=held, log=log)

    async def reload() -> None:
        attempt = await control.reload("SIGHUP")
        lifeline.tell(Reloaded(attempt.ok))

    async def attach(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await control.publisher.serve(
            StreamChannel[ToDataPlane, FromDataPlane](reader, writer, encode=encode, decode=decode_from_data_plane)
        )

    loop.add_signal_handler(signal.SIGTERM, ending.end, 0)
    loop.add_signal_handler(signal.SIGHUP, tasks.start, "reload", reload)
    tasks.keep("beat", lifeline.beat)
    control.start()
    channel = await asyncio.start_unix_server(attach, sock=socket.socket(fileno=orders.channel))
    listening = socket.socket(fileno=os.dup(orders.admin))
    admin = await serve_admin(control, listening, environ=os.environ, log=log, tasks=tasks)
    lifeline.tell(Ready())
    code = await ending.wait()
    await admin.cleanup()
    channel.close()
    await tasks.close()
    await control.close()
    lifeline.close()
    return code


def main() -> None:
    # A terminal sends it to the whole group; only the supervisor acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Until there is a loop to reload on, a reload is what this start does anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    orders = decode_orders(sys.argv[1])
    log = setup("control", node=orders.plan.node_id)
    try:
        chosen = choose_for(orders.plan, environ=os.environ, log=log)
    except (ConfigurationError, UnfitConfiguration) as error:
        log.problem("no configuration can be used", problems=str(error))
        sys.exit(1)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(run(orders, chosen, log)))


if __name__ == "__main__":
    main()
