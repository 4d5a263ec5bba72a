"""What the processes of a node are told when they start.

    tidegate serve  reads the configuration --> NodePlan --> supervisor --> Orders --> control, worker 0..N-1, sync

A plan is what cannot change while the node runs (a reload that would change it is refused). It travels as one JSON
argument, so `ps` shows it; it holds no secret. Descriptors are numbers: the child inherits them under the same ones.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["control", "worker", "sync"]


class Address(msgspec.Struct, frozen=True):
    """Where a listener stands, under the name the operator gave it."""

    name: str
    host: str
    port: int
    option: str
    """The configuration path to change when this address cannot be had: `listeners[0].bind`."""


class NodePlan(msgspec.Struct, frozen=True):
    """One node, as the command line made it out of the configuration."""

    node_id: str
    config_file: str
    data_dir: str
    workers: int
    """Data-plane processes; 0 is everything in one process."""
    shutdown_grace_s: float
    access_log: str
    """Path, or "-" for stdout."""
    listeners: list[Address]
    admin: Address
    descriptors: int
    """Open files that one process may need at its connection limits."""
    descriptors_must_fit: bool
    """The operator wrote the limit; a default that does not fit is only warned of."""
    has_sync: bool = False
    """Whether a process serves data."""


class Orders(msgspec.Struct, frozen=True):
    """One child's part."""

    role: Role
    plan: NodePlan
    slot: int
    """Worker slot, from 0; -1 for the others."""
    supervisor_pid: int
    lifeline: int
    """Descriptor of the socket pair to the supervisor: orders in, `Ready` out, end of file when the supervisor dies."""
    sockets: dict[str, list[int]]
    """Listening descriptors by listener, one a socket slot; for workers only."""
    admin: int = -1
    """Listening descriptor of the admin API; control only."""
    channel: int = -1
    """Listening descriptor on which control hears the workers; control only."""
    memory: int = -1
    """Descriptor of what all workers know together (gateway/node_memory.py)."""
    channel_name: str = ""
    """Its name in the data directory; workers only."""


def encode(message: NodePlan | Orders) -> str:
    return msgspec.json.encode(message).decode()


def decode_plan(text: str) -> NodePlan:
    return msgspec.json.decode(text, type=NodePlan)


def decode_orders(text: str) -> Orders:
    return msgspec.json.decode(text, type=Orders)
