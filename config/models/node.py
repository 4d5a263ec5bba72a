"""Who a node is: its name, its region, where it keeps what it must not forget, and the keys that it shares."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from config.models.model import Model
from config.models.values import FilePath, NodeId, Secret, Slug
from config.units import Duration, Refused, between, shown

MOST_WORKERS = 256
"""More data-plane processes than any machine has use for."""


def _workers(value: object) -> str | int:
    if value == "auto":
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_WORKERS:
        return value
    raise Refused(shown(value), f"auto or a number from 0 to {MOST_WORKERS}")


_WORKERS_SCHEMA: dict[str, Any] = {
    "anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 0, "maximum": MOST_WORKERS}]
}


class Node(Model):
    """This node. The loader fills in what the file leaves out: the host's name, the only region."""

    id: NodeId
    """This node's name; the host's name by default."""
    region: Slug
    """Which of `regions` this node stands in; needed only where there are several."""
    data_dir: FilePath = Field(default="./data", validate_default=True)
    """Folder for embedded stores, the last good configuration and verdicts, and the audit log."""
    workers: Annotated[str | int, PlainValidator(_workers), WithJsonSchema(_WORKERS_SCHEMA)] = "auto"
    """Data-plane processes: `auto` is one a core; 0 is everything in one process."""
    shutdown_grace: Annotated[Duration, between("0s", "1h")] = 30.0
    """How long requests in flight may take to finish after a stop was asked for."""


class Secrets(Model):
    """Keys that all nodes of a mesh share; made at first start and kept in `data_dir` when none are named."""

    signing_keys: tuple[Secret, ...] = ()
    """The first signs, all verify: sticky cookies, session tokens, hops between nodes, discovery."""
    data_keys: tuple[Secret, ...] = ()
    """The first encrypts data types with `encryption: required`, all decrypt."""
