"""The embedded store of a node: a folder with a file for each residency class that its region keeps.

A class whose file is unusable is served as a fault, and costs that class only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sync.cipher import Cipher
from sync.core.plans import CollectionPlan
from sync.errors import StoreUnavailable
from sync.sqlite import identity
from sync.sqlite.file import open_file
from sync.sqlite.lanes import ThreadLane
from sync.sqlite.store import MakeLane, SqliteStore


def open_store(
    folder: Path,
    *,
    region: str,
    plans: Mapping[str, CollectionPlan],
    data_keys: Sequence[bytes],
    max_skew_s: float,
    max_conflict_bytes: int,
    report: Callable[..., None],
    make_lane: MakeLane = ThreadLane,
    chance: Callable[[int], bytes] = os.urandom,
) -> SqliteStore:
    """Open every class that this region keeps. `report(message, **facts)` logs what people should know.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = identity.store_name(folder, chance=chance)
    opened = SqliteStore(plans, make_lane=make_lane)
    classes = {plan.residency_class for plan in plans.values() if plan.is_here}
    for name in sorted(classes):
        mine = {plan.name: plan for plan in plans.values() if plan.residency_class == name and plan.is_here}
        try:
            is_encrypted = any(plan.is_encrypted for plan in mine.values())
            opened.add(
                name,
                open_file(
                    folder / f"{name}.db",
                    region=region,
                    store=store,
                    plans=mine,
                    cipher=Cipher(name, data_keys, encrypts=is_encrypted, chance=chance),
                    max_skew_s=max_skew_s,
                    max_conflict_bytes=max_conflict_bytes,
                    chance=chance,
                    report=report,
                ),
            )
        except StoreUnavailable as unavailable:
            opened.add_fault(name, str(unavailable))
            report("a class of data cannot be served", residency_class=name, because=str(unavailable))
    return opened
