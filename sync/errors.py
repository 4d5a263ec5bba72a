"""What can go wrong with data.

    SyncError
    ├── StoreUnavailable      nothing can be read or written now: closed, or failed its check
    │   ├── StoreFull         the disk is full: writes are refused (507), reads go on; nothing was half done
    │   ├── Unstorable        this very batch cannot be stored, now or later: it is beyond the store's bounds
    │   └── ValueAltered      a value is not the one that was written: the disk has altered it
    ├── CursorExpired         what follows this cursor is no longer known (410): start again from a list
    └── UnknownStream         no such collection, or this region may not hold it

What a single write is refused for is no error of the store: it is a `Refusal` among the results. What another store
sent wrong is `Malformed` or `ChainBroken` (sync/core).
"""

from __future__ import annotations


class SyncError(Exception):
    """Says what was found, then what was expected."""


class StoreUnavailable(SyncError):
    """The store cannot work now."""


class StoreFull(StoreUnavailable):
    """There is no room for what was to be written."""


class Unstorable(StoreUnavailable):
    """The store refuses what it was given, and will again."""


class ValueAltered(StoreUnavailable):
    """An encrypted value that does not open."""


class CursorExpired(SyncError):
    """The log no longer reaches back to it."""


class UnknownStream(SyncError):
    """Not one of this store's."""
