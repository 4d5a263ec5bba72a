"""Listening sockets that the service manager opened before us: systemd's socket activation, sd_listen_fds(3).

    LISTEN_PID=<our pid>  LISTEN_FDS=2  LISTEN_FDNAMES=public:admin        descriptors 3 and 4
        |
        v
    the listener of that name, else the one with that address       none: a start error, since somebody would wait there

Such a socket outlives us: who connects between a stop and the next start waits in its queue and is served. So we never
bind its address ourselves, and every worker accepts from the one queue.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tidegate.node.plan import Address

FIRST = 3
"""SD_LISTEN_FDS_START: right behind the standard ones."""
PID, COUNT, NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
UNNAMED = "unknown"


class ActivationRefused(Exception):
    """A descriptor that was passed cannot be used; the message says which, and what to do."""


class Passed(NamedTuple):
    """One listening socket, and what the service manager calls it."""

    name: str
    socket: socket.socket

    def __str__(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f'descriptor {self.socket.fileno()} ("{self.name}", {host}:{port})'


def inherited(environ: Mapping[str, str], *, pid: int, first: int = FIRST) -> list[Passed]:
    """What was passed to process `pid`; empty when nothing was, or to another. Raises `ActivationRefused`."""
    if environ.get(PID) != str(pid):
        return []
    count = environ.get(COUNT, "")
    if not (count.isascii() and count.isdigit()):
        raise ActivationRefused(f'{COUNT} is "{count}", a number of descriptors was expected')
    names = environ[NAMES].split(":") if environ.get(NAMES) else [UNNAMED] * int(count)
    if len(names) != int(count):
        raise ActivationRefused(f"{NAMES} names {len(names)} descriptors, {COUNT} says that {count} were passed")
    return [Passed(name, _listening(first + index, name)) for index, name in enumerate(names)]


def children_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what was meant for us alone."""
    return {name: value for name, value in environ.items() if name not in (PID, COUNT, NAMES)}


def fit(passed: Sequence[Passed], addresses: Sequence[Address]) -> dict[Address, list[socket.socket]]:
    """Whose socket is whose: by name first, since a named one may stand elsewhere than the file says.

    Raises `ActivationRefused` for one that fits none.
    """
    fitted: dict[Address, list[socket.socket]] = {}
    by_name = {address.name: address for address in reversed(addresses)}
    for each in passed:
        address = by_name.get(each.name) or next((one for one in addresses if stands_at(each.socket, one)), None)
        if address is None:
            known = ", ".join(f'"{address.name}" ({address.host}:{address.port})' for address in addresses)
            raise ActivationRefused(
                f"{each} was passed by the service manager and fits no listener; give it a listener's name "
                f"(FileDescriptorName= in systemd) or address, of {known}, or pass it no more"
            )
        fitted.setdefault(address, []).append(each.socket)
    return fitted


def stands_at(listening: socket.socket, address: Address) -> bool:
    """Whether it listens where `address` says."""
    try:
        where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][4]
    except OSError:
        return False
    return bool(listening.getsockname()[:2] == where[:2])


def _listening(descriptor: int, name: str) -> socket.socket:
    try:
        found = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ActivationRefused(
            f'descriptor {descriptor} ("{name}") was passed by the service manager and is no socket: {error.strerror}'
        ) from error
    is_tcp = found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM
    if not is_tcp or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.detach()
        raise ActivationRefused(
            f'descriptor {descriptor} ("{name}") was passed by the service manager and is not a listening TCP socket; '
            "ListenStream= with a port makes one (and Accept=no leaves it to us)"
        )
    # Workers share the queue: who comes second to a connection must find nothing, and not wait for the next.
    found.setblocking(False)  # noqa: FBT003 - its only form
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - its only form
    return found
