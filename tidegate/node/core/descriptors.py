"""How many files may one process of a node have open at its limits?

clients   a worker's part of every listener's max_connections
upstream  a worker's part of every service's concurrency.max_connections
own       listening sockets, channels, logs, and connections of a drain beside their successors
"""

from __future__ import annotations

from math import ceil

from config.models import Config

OWN = 128
"""Listening sockets, channel, lifeline, log, event loop, resolver: some dozens, doubled."""


def descriptors_needed(config: Config, *, workers: int) -> int:
    """Of the process that needs most; the kernel spreads connections evenly over the workers, near enough."""
    clients = sum(listener.limits.max_connections for listener in config.listeners)
    upstream = sum(service.concurrency.max_connections for service in config.services)
    return ceil((clients + upstream) / max(1, workers)) + OWN


def limits_are_written(config: Config) -> bool:
    """Whether the operator asked for so many client connections, or only did not object to the default."""
    return any("max_connections" in listener.limits.model_fields_set for listener in config.listeners)
