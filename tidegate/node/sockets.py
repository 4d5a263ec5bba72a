"""Listening sockets: may we have the address, and if not, what should the operator do?

Each slot of a listener is its own socket with SO_REUSEPORT, so the kernel spreads connections over the workers. With
that option a second program of the same user would silently share the port, so whether it is free is asked first, with
a plain bind.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from tidegate.node.plan import Address

BACKLOG = 4096
"""Connections that wait while a worker is replaced; the kernel caps it at net.core.somaxconn (4096 by default)."""

_UNACKED_AT = 24
_TCP_INFO_BYTES = 104
"""struct tcp_info of <linux/tcp.h>: `tcpi_unacked`, the queue's length, follows 8 bytes and four 32-bit numbers."""


class AddressUnavailable(Exception):
    """A listener cannot have its address; the message says which, why, and what to do."""


def check_free(address: Address) -> None:
    """Raises `AddressUnavailable` when anyone, ourselves included, listens there."""
    probe = _bind(address, is_shared=False)
    probe.close()


def listen(address: Address) -> socket.socket:
    """A non-blocking listening socket that shares its port with others of this user."""
    listener = _bind(address, is_shared=True)
    listener.listen(BACKLOG)
    listener.setblocking(False)  # noqa: FBT003 - its only form
    return listener


def shares_its_port(listening: socket.socket) -> bool:
    """Whether another socket may be bound beside it: ours may, those that a service manager made hardly ever."""
    return bool(listening.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))


def queued(listening: socket.socket) -> int:
    """Connections that wait to be accepted: what `ss` shows as Recv-Q of a listening socket."""
    info = listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    (waiting,) = struct.unpack_from("=I", info, _UNACKED_AT)
    return int(waiting)


def _bind(address: Address, *, is_shared: bool) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise AddressUnavailable(sentence(address, error)) from error
    bound = socket.socket(family, kind, protocol)
    try:
        # Lets a restart pass connections of the last run in TIME_WAIT; it never lets two programs listen.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(where)
        if not is_shared:
            # Two plain binds with SO_REUSEADDR may coexist until one listens; this is where the other one shows.
            bound.listen(1)
    except OSError as error:
        bound.close()
        raise AddressUnavailable(sentence(address, error)) from error
    return bound


def sentence(address: Address, error: OSError) -> str:
    """What the operator is told."""
    what = f'listener "{address.name}" cannot listen on {address.host}:{address.port}'
    if error.errno == errno.EADDRINUSE:
        return (
            f"{what}: port {address.port} is in use by another program; stop that program "
            f"(`ss -ltnp 'sport = :{address.port}'` names it) or change {address.option}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{what}: this user may not bind port {address.port}; give the program CAP_NET_BIND_SERVICE "
            f"or change {address.option} to a port of 1024 or above"
        )
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{what}: {address.host} is not an address of this machine; change {address.option}"
    return f"{what}: {os.strerror(error.errno or 0)}; change {address.option}"
