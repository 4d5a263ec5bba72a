"""What a node remembers over a restart: the last good configuration and the last verdicts.

    <data_dir>/last-good.json   configuration text, where it came from, when it was accepted
    <data_dir>/verdicts.json    what the prober knew, and the version last published

Text and verdicts, never compiled objects or secrets (the text names secrets, it does not hold them).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gateway.messages import EndpointState, OperatorState, ResolvedEndpoint
from health.core.discovery import Found
from health.core.verdict import EndpointVerdict, from_saved
from tidegate.node.durable import write_atomically
from tidegate.node.logs import Log

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Far above what is ever written; a file above it is not ours."""

Record = TypeVar("Record")


class LastGood(msgspec.Struct, frozen=True):
    """A configuration that was in force."""

    file: str
    """The file it was read from; it stands in for that file only."""
    text: str
    digest: str
    accepted_at: float
    """Wall seconds, for people."""


class SavedVerdicts(msgspec.Struct, frozen=True):
    """What was published last."""

    version: int
    config_digest: str
    endpoints: dict[str, Any] = {}
    """What `health.core.verdict.to_saved` made of the prober's verdicts."""
    region_rtts: dict[str, float] = {}
    resolved: dict[str, tuple[ResolvedEndpoint, ...]] = {}
    """Whom the names among the endpoints stood for."""
    operator: dict[str, OperatorState] = {}
    """People's orders as last published: a worker that starts while control is gone must not undo a drain."""

    def states(self) -> dict[str, EndpointState]:
        """As a publication names them; what is not understood is left out, which makes its endpoint untested."""
        try:
            verdicts = from_saved(self.endpoints)
        except ValueError:
            return {}
        return {name: EndpointState(verdict.health, verdict.reason) for name, verdict in verdicts.items()}


class Disk:
    """The data directory, as far as it is about restarts."""

    def __init__(self, data_dir: Path, log: Log) -> None:
        self._last_good = data_dir / "last-good.json"
        self._verdicts = data_dir / "verdicts.json"
        self._log = log

    def last_good(self, file: Path) -> LastGood | None:
        """What was last in force out of `file`."""
        found = self._read(self._last_good, LastGood)
        return found if found is not None and found.file == str(file) else None

    def save_last_good(self, record: LastGood) -> None:
        write_atomically(self._last_good, msgspec.json.encode(record))

    def verdicts(self) -> SavedVerdicts | None:
        return self._read(self._verdicts, SavedVerdicts)

    def save_verdicts(self, record: SavedVerdicts) -> None:
        write_atomically(self._verdicts, msgspec.json.encode(record))

    def _read(self, path: Path, kind: type[Record]) -> Record | None:
        """None when there is none; a damaged file is said and then passed over: it only ever speeds up a start."""
        try:
            with path.open("rb") as file:
                return msgspec.json.decode(file.read(MAX_FILE_BYTES), type=kind)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._log.warning("saved state is unreadable, going on without it", file=str(path), error=str(error))
            return None


def usable_verdicts(saved: SavedVerdicts | None, log: Log) -> Mapping[str, EndpointVerdict]:
    """What was known of endpoints; nothing where it cannot be read any more."""
    if saved is None:
        return {}
    try:
        return from_saved(saved.endpoints)
    except ValueError as error:
        log.warning("saved verdicts are of no use, starting without", error=str(error))
        return {}


def found_names(saved: SavedVerdicts | None) -> dict[str, tuple[Found, ...]]:
    """Whom names stood for."""
    return {
        key: tuple(Found(one.priority, one.host, one.port, one.name, one.weight) for one in resolved)
        for key, resolved in (saved.resolved if saved else {}).items()
    }
