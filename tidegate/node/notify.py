"""What systemd is told (`Type=notify`): sd_notify(3), which is one datagram.

READY=1 when the node serves, RELOADING=1 with the monotonic time when a reload starts, STOPPING=1 when it drains.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping


class Notifier:
    """Silent when nobody asked (no NOTIFY_SOCKET)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the abstract namespace, whose names begin with a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=draining")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagram:
                datagram.connect(self._address)
                datagram.send(message.encode())
        except OSError:
            return  # nobody listens; a node serves whether or not it is watched
