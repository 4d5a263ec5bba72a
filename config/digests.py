"""Is this the configuration that was in force before, and is it the one that the other nodes have?

    digest         all of it: a reload that changes it changes something here
    shared_digest  without what is each node's own: nodes that differ in it disagree about the system

Paths count as they stand to the file's folder, so that two nodes on one machine, each with a folder of its own, agree.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from config.models import Config

OWN = ("node", "listeners", "admin", "peer")
"""Sections in which every node says who it is, and where on its machine it stands."""


def digest(config: Config) -> str:
    """SHA-256, hexadecimal, of the effective configuration."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


def shared_digest(config: Config, *, folder: Path) -> str:
    """SHA-256, hexadecimal, of what all nodes of a system have to have in common. `folder` is the file's."""
    shared = config.model_dump(mode="json", exclude=set(OWN))
    shared["observability"].pop("access_log")
    shared["observability"].pop("tracing")  # to a collector in the node's own region
    if "region" in shared["stores"]["limits"]:
        del shared["stores"]["limits"]["region"]  # a server in the node's own region
    text = json.dumps(_relative(shared, f"{folder}/"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _relative(value: Any, folder: str) -> Any:
    if isinstance(value, dict):
        return {key: _relative(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [_relative(one, folder) for one in value]
    if isinstance(value, str):
        kind = "file:" if value.startswith("file:") else ""
        return kind + value.removeprefix(kind).removeprefix(folder)
    return value
