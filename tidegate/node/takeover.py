"""Where a starting node gets its listening sockets: from the service manager, from orphans of a killed supervisor, new.

    for each listener:  [passed by the service manager]   then that is all: every worker accepts from the one queue
                        [taken from orphans, by address] + [opened, until every worker has one]

An orphan that holds the address but does not hand it over is shared with (SO_REUSEPORT), since it is one of us.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from tidegate.node import activation, census, handover, sockets
from tidegate.node.plan import Address, NodePlan


class Listening(msgspec.Struct):
    """All listening sockets of a node."""

    slots: dict[str, list[socket.socket]]
    """By listener, one a slot."""
    admin: socket.socket

    def count(self) -> int:
        return max((len(of_listener) for of_listener in self.slots.values()), default=0)

    def close_listeners(self) -> None:
        for of_listener in self.slots.values():
            for listener in of_listener:
                listener.close()

    def descriptors(self) -> dict[str, list[int]]:
        return {name: [listener.fileno() for listener in of_listener] for name, of_listener in self.slots.items()}


class Orphan:
    """A process that lost its supervisor. Held by a pidfd, so a signal cannot hit whoever has its pid later."""

    def __init__(self, resident: census.Resident) -> None:
        self.resident = resident
        self.pidfd = os.pidfd_open(resident.pid)

    def signal(self, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return  # it has just gone; the pidfd tells the selector so

    def close(self) -> None:
        os.close(self.pidfd)


def find_orphans(data_dir: Path) -> list[Orphan]:
    found = []
    for resident in census.orphans(data_dir):
        try:
            orphan = Orphan(resident)
        except ProcessLookupError:
            continue
        # Between reading its start time and opening it, the pid may have changed hands.
        if census.start_time(resident.pid) == resident.started:
            found.append(orphan)
        else:
            orphan.close()
    return found


def open_listening(
    plan: NodePlan,
    orphans: Sequence[Orphan],
    directory: handover.DataDirSockets,
    passed: Sequence[activation.Passed] = (),
) -> Listening:
    """Raises `sockets.AddressUnavailable` or `activation.ActivationRefused`; what was opened until then is closed."""
    taken = list(_taken(orphans, directory))
    left = _distinct(taken)
    opened: list[socket.socket] = []
    workers = max(1, plan.workers)
    try:
        theirs = activation.fit(passed, [*plan.listeners, plan.admin])
        if len(theirs.get(plan.admin, [])) > 1:
            raise activation.ActivationRefused("the admin API takes one listening socket, more were passed for it")
        slots = {}
        for address in plan.listeners:
            mine = _distinct([*_of_address(address, left), *theirs.get(address, [])])
            if address in theirs or not all(map(sockets.shares_its_port, mine)):
                mine = _for_every_worker(mine, workers, opened=opened)
            else:
                mine += _open(address, workers - len(mine), is_shared=bool(mine or orphans), opened=opened)
            slots[address.name] = mine
        admin = theirs.get(plan.admin) or _of_address(plan.admin, left)
        admin = admin or _open(plan.admin, 1, is_shared=bool(orphans), opened=opened)
    except (sockets.AddressUnavailable, activation.ActivationRefused):
        for each in (*taken, *opened):
            each.close()
        raise
    used = {id(each) for each in (*opened, *admin, *(each for mine in slots.values() for each in mine))}
    for each in taken:
        if id(each) not in used:
            each.close()
    return Listening(slots, admin[0])


def _taken(orphans: Sequence[Orphan], directory: handover.DataDirSockets) -> Iterator[socket.socket]:
    """What the orphans hand over; one that hangs costs time once, not once for each."""
    deadline = time.monotonic() + handover.WAIT_S
    for orphan in orphans:
        wait_s = max(0.0, deadline - time.monotonic())
        yield from handover.ask(directory, orphan.resident.pid, wait_s=wait_s).values()


def _open(address: Address, count: int, *, is_shared: bool, opened: list[socket.socket]) -> list[socket.socket]:
    mine: list[socket.socket] = []
    if count > 0 and not is_shared:
        sockets.check_free(address)
    for _ in range(count):
        mine.append(sockets.listen(address))
        opened.append(mine[-1])
    return mine


def _for_every_worker(mine: list[socket.socket], workers: int, *, opened: list[socket.socket]) -> list[socket.socket]:
    """A slot for every worker and socket, in the order of workers: nothing can be bound beside sockets like these."""
    copies = [(each, *(each.dup() for _ in range(workers - 1))) for each in mine]
    opened += [copy for _, *of_one in copies for copy in of_one]
    return [each for of_one in copies for each in of_one]


def _distinct(taken: Iterable[socket.socket]) -> list[socket.socket]:
    """Two orphans may hold the same socket while a slot moves between them."""
    by_inode = {os.fstat(each.fileno()).st_ino: each for each in taken}
    return list(by_inode.values())


def _of_address(address: Address, taken: list[socket.socket]) -> list[socket.socket]:
    """Those that listen on this address; by address, since a new configuration may name it otherwise."""
    return [each for each in taken if activation.stands_at(each, address)]
