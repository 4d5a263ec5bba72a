"""A node's audit log, read by ourselves: what it says, and where it is not as it was written (C13).

    segment  one process's file     first hash = SHA-256 of "tidegate audit " and its name
    line     <hash> <json>\n       hash = SHA-256(hash of the line before, json)
    opened   the first record       holds the last hash of every segment that nobody wrote any more

Read without the product's own reader: a fault in what both share would show nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.traffic.history import Record


@dataclass(frozen=True, slots=True)
class Log:
    """Of one node."""

    records: tuple[Record, ...]
    faults: tuple[str, ...]


def read(data_dir: Path) -> Log:
    """All segments. The last line of one may be half there: its writer was killed, or is writing.

    What stands in a segment that is not as it was written is read all the same: it is another question what was said.
    """
    records: list[Record] = []
    faults: list[str] = []
    ends: dict[str, str] = {}
    seen_ends: dict[tuple[str, str], str] = {}
    for path in sorted((data_dir / "audit").glob("*.log")):
        last = hashlib.sha256(b"tidegate audit " + path.stem.encode()).hexdigest()
        is_whole = True
        for hashed, text in _lines(path):
            last = hashlib.sha256(last.encode() + text).hexdigest()
            is_whole = is_whole and hashed == last
            told = _told(text)
            if told is None:
                is_whole = False
                continue
            seen_ends |= {(path.stem, other): end for other, end in told.get("heads", {}).items()}
            records.append(_record(told))
        ends[path.stem] = last
        if not is_whole:
            faults.append(f"{path.name}: a line that does not follow from the one before")
    faults += [
        f"{other}: its end is not the one that {segment} has seen"
        for (segment, other), end in seen_ends.items()
        if ends.get(other, end) != end
    ]
    return Log(tuple(records), tuple(faults))


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each whole line's hash and text."""
    *whole, _ = path.read_bytes().split(b"\n")
    for line in whole:
        hashed, _, text = line.partition(b" ")
        yield hashed.decode(errors="replace"), text


def _told(text: bytes) -> dict[str, Any] | None:
    """None of what is no record."""
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) and {"node", "kind"} <= told.keys() else None


def _record(told: dict[str, Any]) -> Record:
    return Record(told["node"], told["kind"], told.get("request_id", ""), told.get("destination", ""))
