from __future__ import annotations

from sync.errors import CursorExpired, StoreFull, StoreUnavailable, SyncError, UnknownStream


def test_a_full_store_is_one_that_cannot_work_now() -> None:
    assert issubclass(StoreFull, StoreUnavailable)
    assert all(issubclass(error, SyncError) for error in (StoreUnavailable, CursorExpired, UnknownStream))
