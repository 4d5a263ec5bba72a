"""The main program of sync: `python -P -m tidegate.node.sync_process ORDERS`. Store and data API, on a Unix socket.

    data_dir/sync/        the store's files, held by one process at a time (sync/lock)
    data_dir/sync.sock    where the workers bring requests to `builtin:data`

An orphan of a killed supervisor still serves when its successor starts: it is told to end, and the successor waits for
it, for two writers of one store would give the same sequences. A configuration that changes what this process does
ends it: it is started again at once, with the new one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from config.mesh_keys import KeysUnusable
from config.problems import ConfigurationError
from config.secrets import SecretUnavailable
from tidegate.node import garbage
from tidegate.node.data_room import DataRoom, RoomLocked, hold_lock
from tidegate.node.disk import Disk
from tidegate.node.handover import DataDirSockets
from tidegate.node.lifeline import Ready
from tidegate.node.logs import Log, setup
from tidegate.node.orphanhood import Lifeline
from tidegate.node.plan import NodePlan, Orders, decode_orders
from tidegate.node.startup import Chosen, UnfitConfiguration, choose_for
from tidegate.node.tasks import Ending, Tasks

LOOK_EVERY_S = 1.0
"""For a new configuration, which control writes down once it is in force."""
SWITCH_INTERVAL_S = 0.001
"""The writer's thread and the loop take turns on one interpreter; the default of 5 ms would show in every answer."""


async def run(orders: Orders, chosen: Chosen, log: Log) -> int:
    """Serve until SIGTERM, or until the configuration asks for another process; the exit code."""
    loop = asyncio.get_running_loop()
    ending = Ending()
    loop.add_signal_handler(signal.SIGTERM, ending.end, 0)
    tasks = Tasks(log, on_fatal=lambda _: ending.end(1))
    directory = DataDirSockets(Path(orders.plan.data_dir))
    lifeline = Lifeline(orders.lifeline, directory=directory, on_order=lambda _: None, held=dict, log=log)
    tasks.keep("beat", lifeline.beat)
    lock = await hold_lock(Path(orders.plan.data_dir), log=log)
    room = DataRoom(
        chosen.loaded.config,
        environ=os.environ,
        directory=directory,
        log=log,
        tasks=tasks,
        folder=Path(orders.plan.config_file).parent,
    )
    await room.open()
    tasks.start("watch the configuration", lambda: _watch(orders.plan, room, ending, log))
    garbage.settle()
    lifeline.tell(Ready())
    code = await ending.wait()
    await room.close()
    await tasks.close()
    lifeline.close()
    os.close(lock)
    return code


async def _watch(plan: NodePlan, room: DataRoom, ending: Ending, log: Log) -> None:
    """End when the configuration in force asks for something else than this process does."""
    disk = Disk(Path(plan.data_dir), log)
    known = disk.last_good(Path(plan.config_file))
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if room.is_outdated:
            log.info("an agreement has ended: starting again without it")
            ending.end(0)
            return
        saved = await asyncio.to_thread(disk.last_good, Path(plan.config_file))
        if saved is None or saved == known:
            continue
        known = saved
        try:
            config = choose_for(plan, environ=os.environ, log=log).loaded.config
        except (ConfigurationError, UnfitConfiguration):
            continue  # control says what is wrong with it
        if room.would_differ(config):
            log.info("the configuration of the data changed: starting again with it")
            ending.end(0)
            return


def main() -> None:
    # A terminal sends these to the whole group; only the supervisor acts on them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    orders = decode_orders(sys.argv[1])
    log = setup("sync", node=orders.plan.node_id)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        chosen = choose_for(orders.plan, environ=os.environ, log=log)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            sys.exit(runner.run(run(orders, chosen, log)))
    except (ConfigurationError, UnfitConfiguration) as error:
        log.problem("no configuration can be used", problems=str(error))
    except (SecretUnavailable, KeysUnusable, RoomLocked, OSError) as error:
        log.problem("the data cannot be served", because=str(error))
    sys.exit(1)


if __name__ == "__main__":
    main()
