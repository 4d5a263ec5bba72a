"""What does each worker of the node hold of a service's caps? Rows in memory that all workers see.

    row     | mark: which cap, 8 bytes | what each worker holds | what each lacks

The rules are gateway/core/sharing.py's. A cap finds its row by its name; a row in which nobody holds anything is free
for another one. Where all rows are taken, or there are more workers than a row has room for, each has an equal share.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from typing import Final

from gateway.byte_locks import ByteLocks

ROWS: Final = 2048
"""Two a service."""
MAX_WORKERS: Final = 128
_MARK: Final = struct.Struct("<Q")
_CELL: Final = struct.Struct("<I")
_ROW_BYTES: Final = _MARK.size + 2 * MAX_WORKERS * _CELL.size
_HEAD_BYTES: Final = 64
"""Its first byte is the lock under which rows find their caps."""
FINDING_S: Final = 0.1
"""For the lock under which a row is found, once a cap and worker: who went on without it would use what others share.
Only a worker that stands still holds it for so long: it is tried again later, without waiting."""
PLACES_BYTES: Final = _HEAD_BYTES + ROWS * _ROW_BYTES


class RowsBusy(Exception):
    """Another worker is looking for a row at this moment."""


class Places:
    """One worker's view."""

    def __init__(self, descriptor: int | None, *, at: int, me: int, workers: int) -> None:
        """`at`: where they begin in the descriptor's memory; without a descriptor it is this process's alone."""
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, at + PLACES_BYTES)
        self._at = at
        self._locks = ByteLocks(descriptor)
        self._me = me
        self._cells = struct.Struct(f"<{workers}I")
        self._has_room = me < workers <= MAX_WORKERS

    def row(self, name: str, *, within_s: float = FINDING_S) -> PlaceRow | None:
        """Where the cap of this name is shared; None where it is not. For a `Part` at once, or another cap takes it.

        Raises `RowsBusy` where that cannot be said within the time.
        """
        if not self._has_room:
            return None
        if not self._locks.take(self._at, within_s=within_s):
            raise RowsBusy
        try:
            (mark,) = _MARK.unpack(hashlib.blake2b(name.encode(), digest_size=_MARK.size).digest())
            at = self._find(mark)
            if at is None:
                return None
            row = PlaceRow(self._memory, self._locks, self._cells, at, self._me)
            if not row.read()[0][self._me]:
                row.write(1, 0)  # taken, from here on
            _MARK.pack_into(self._memory, at, mark)
            return row
        finally:
            self._locks.free(self._at)

    def _find(self, mark: int) -> int | None:
        """The row with this mark, else one that nobody uses."""
        free = None
        for step in range(ROWS):
            at = self._at + _HEAD_BYTES + (mark + step) % ROWS * _ROW_BYTES
            (known,) = _MARK.unpack_from(self._memory, at)
            if known == mark:
                return at
            if free is None and not self._memory[at + _MARK.size : at + _ROW_BYTES].strip(b"\0"):
                free = at
            if not known:
                break  # nobody has ever come further than this
        return free


class PlaceRow:
    """One cap's, as one worker sees it (a `Row` of gateway/core/sharing.py)."""

    def __init__(self, memory: mmap.mmap, locks: ByteLocks, cells: struct.Struct, at: int, me: int) -> None:
        self._memory = memory
        self._locks = locks
        self._cells = cells
        self._at = at
        self._holds_at = at + _MARK.size
        self._lacks_at = self._holds_at + MAX_WORKERS * _CELL.size
        self.me = me

    def read(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        cells, memory = self._cells, self._memory
        return cells.unpack_from(memory, self._holds_at), cells.unpack_from(memory, self._lacks_at)

    def write(self, hold: int, lack: int) -> None:
        _CELL.pack_into(self._memory, self._holds_at + self.me * _CELL.size, hold)
        _CELL.pack_into(self._memory, self._lacks_at + self.me * _CELL.size, lack)

    def lock(self) -> bool:
        return self._locks.take(self._at)

    def unlock(self) -> None:
        self._locks.free(self._at)
