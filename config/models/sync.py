"""How the clients' data is kept, replicated and reconciled between regions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.models.model import Model, Refusal, matching
from config.models.values import Slug
from config.units import Duration, Size, between

SyncMode = Literal["async", "hybrid", "sync"]
"""async: after the answer; hybrid: one other region before it; sync: all permitted regions before it."""


class CustomConflict(Model):
    """A function of the operator's own."""

    custom: Annotated[
        str,
        *matching(
            r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*",
            "a function as module:function, such as my_package.resolvers:merge_notes",
        ),
    ]
    """The function that merges concurrent versions, as module:function."""


class Collection(Model):
    """Records of one data type that share their rules."""

    name: Slug
    """Part of the records' URLs."""
    data_type: Slug
    """Which residency rule binds its records."""
    conflict: Literal["vector_clock", "last_write_wins", "manual"] | CustomConflict
    """What becomes of concurrent versions."""
    max_siblings: Annotated[int, Field(ge=2, le=1000)] = 32
    """Concurrent versions kept of a record."""
    regions: Annotated[tuple[Slug, ...], Field(min_length=1)] | None = None
    """Where it is kept; in all permitted regions by default."""
    write_level: Literal["local", "majority", "global"] = "local"
    """What a write waits for; the stronger of mode and level wins."""
    read_level: Literal["local", "regional", "global"] = "local"
    """How far a read must look."""
    strategy: Literal["multi_master", "primary"] = "multi_master"
    """multi_master: every region takes writes; primary: one does."""
    primary: Slug | None = None
    """With the strategy primary: the region that takes all writes."""
    mode: SyncMode | None = None
    """In place of `sync.mode`."""

    @model_validator(mode="after")
    def _primary_is_named(self) -> Self:
        if self.strategy == "primary" and self.primary is None:
            raise Refusal("strategy: primary without primary", "the id of the region that takes the writes", "strategy")
        if self.strategy != "primary" and self.primary is not None:
            raise Refusal(f"primary with the strategy {self.strategy}", "strategy: primary", "primary")
        return self


class ConflictLog(Model):
    """What concurrent writes lost, kept for people."""

    max_age: Annotated[Duration, between("1m", "3650d")] = 30 * 86400.0
    """How long an entry is kept."""
    max_bytes: Annotated[Size, between("64KiB", "1TiB")] = 256 << 20
    """How much is kept."""


class Batch(Model):
    """How many changes travel together."""

    max_items: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Most changes in a batch."""
    max_bytes: Annotated[Size, between("1KiB", "1GiB")] = 4 << 20
    """Largest batch."""
    max_wait: Annotated[Duration, between("0s", "1m")] = 0.0
    """How long to wait for more; by default what there is is sent."""


class AntiEntropy(Model):
    """Comparing what regions hold, to repair what a log cannot."""

    interval: Annotated[Duration, between("1s", "30d")] = 60.0
    """From one comparison to the next."""


class Lag(Model):
    """How far behind a region may be before somebody is told."""

    warning: Annotated[Duration, between("1ms", "30d")] = 2.0
    """Worth a warning."""
    critical: Annotated[Duration, between("1ms", "30d")] = 10.0
    """Worth waking somebody."""


class Sync(Model):
    """How the clients' data is replicated."""

    mode: SyncMode = "async"
    """async: others after the answer; hybrid: one before it; sync: all permitted before it."""
    ack_timeout: Annotated[Duration, between("1ms", "10m")] = 2.0
    """Then 202 with what was reached."""
    collections: tuple[Collection, ...] = ()
    max_value: Annotated[Size, between("1B", "1GiB")] = 1 << 20
    """Largest value of a record."""
    max_clock_skew: Annotated[Duration, between("1ms", "1h")] = 0.5
    """A stamp further ahead is stored, invisible until in range."""
    conflict_log: ConflictLog = ConflictLog()
    max_log: Annotated[Size, between("1MiB", "1024TiB")] = 10 << 30
    """Operations not yet confirmed everywhere."""
    evict_after: Annotated[Duration, between("1h", "3650d")] = 7 * 86400.0
    """A silent region holds back pruning this long; time alone deletes nothing."""
    batch: Batch = Batch()
    anti_entropy: AntiEntropy = AntiEntropy()
    lag: Lag = Lag()
    importance: Mapping[Slug, Annotated[int, Field(ge=0, le=1_000_000)]] = {}
    """Data type to its place on a slow link, lower first."""
