"""Which ports of this machine are free, and stay free while nothing listens there?

A backend's port is unused between its death and its return. A port from the range that the system hands to outgoing
connections could be taken in that time, by the demo's own clients too, so ports are looked for below that range.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from pathlib import Path

LOWEST = 10_000
USUAL_EPHEMERAL_START = 32_768
RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def ephemeral_start(range_file: Path = RANGE_FILE) -> int:
    """The first port that the system hands out by itself."""
    try:
        return int(range_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return USUAL_EPHEMERAL_START


def free_ports(count: int, *, rng: random.Random, host: str = "127.0.0.1", below: int | None = None) -> Sequence[int]:
    """Find ports in a row of tries from a random start; raises OSError when the range holds too few.

    All are held at once while looking, so none is named twice.
    """
    end = max(below if below is not None else ephemeral_start(), LOWEST + 2 * count)
    start = rng.randrange(LOWEST, end)
    held: list[socket.socket] = []
    try:
        for offset in range(end - LOWEST):
            if len(held) == count:
                break
            port = LOWEST + (start - LOWEST + offset) % (end - LOWEST)
            candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                candidate.bind((host, port))
            except OSError:
                candidate.close()
            else:
                held.append(candidate)
        if len(held) < count:
            raise OSError(f"found {len(held)} free ports between {LOWEST} and {end}, expected {count}")
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
