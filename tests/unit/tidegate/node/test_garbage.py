from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from tidegate.node import garbage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class Loop:
    """In a cycle with itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_looked_at_no_more_and_what_comes_later_is() -> None:
    early = Loop()
    of_early = weakref.ref(early)
    garbage.settle()
    late = Loop()
    of_late = weakref.ref(late)
    del early, late
    gc.collect()
    assert of_early() is not None
    assert of_late() is None
    assert gc.get_threshold() == garbage.THRESHOLDS
