"""May one more come now, when many nodes count together? Tokens leased from a shared store, and what is owed to it.

    take ──> a leased token, if there is one           collect ──> Ask: what was taken unasked, what was last known,
         ──> else borrowed, within `allowance`                     how many tokens are wanted
         ──> else refused, or told to wait             answered <── Given: tokens, and what all together owe now

The store keeps one number a key, as gcra.py does: when the bucket is full again. Nobody waits for it. A lease is tokens
that it has already taken out of the bucket. What is borrowed is charged with the next question, so over time nothing is
gained by it; until then each holder owes at most `allowance`, which is the error bound of the whole:

    in any time t, all holders together admit at most  burst + rate * t + max(burst / 4, 4 * holders)

While the store is away, the node's own share of the bucket goes on from what was last known (`owed_until`), and `note`
writes down how empty it is; with the first answer that is charged. A store that has lost its memory is told what each
holder last knew.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from gateway.core.gcra import EPSILON_S, Quota, Taken

MAX_KEYS: Final = 32_768
"""Keys that are counted at a time: some 10 MiB. One more is counted by this node's share alone."""
MIN_BORROWED: Final = 4
"""A browser opens six connections at once; with two workers they must not be refused before the store has answered."""
BORROWED_SHARE: Final = 4
"""All holders together may owe a fourth of a burst."""
HORIZON_S: Final = 0.1
"""A lease is for so long at least, at the key's present rate: a key that is asked for all the time costs twenty
questions a second."""
ROUND_TRIPS: Final = 3.0
"""And for so many round trips, where the store is far: half of it is used when the next is asked for."""
MAX_HORIZON_S: Final = 2.0
SHORTEST_S: Final = 0.02
"""What is not older tells no rate."""
IDLE_S: Final = 1.0
"""Leased tokens that nobody has used for so long go back."""
ANSWER_S: Final = 0.01
"""What is told to who comes too early for an answer: it takes about so long."""
MAX_LOOK_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One key's question to the store."""

    key: bytes
    """Sixteen bytes; nobody finds the client's address in the store."""
    interval_s: float
    burst: int
    known_s: float
    """Seconds that were owed at the last answer, less the time since: for a store that has forgotten."""
    owed: int
    """Tokens taken since then without a lease; less than 0: given back."""
    wanted: int
    most_s: float
    """Nobody can owe more: what is more is of another configuration or another clock."""


class Given(NamedTuple):
    """One answer."""

    granted: int
    owed_s: float
    """Until the bucket is full again, as of when the question was sent."""


class _Lease:
    __slots__ = (
        "asked",
        "away_tat",
        "digest",
        "low",
        "max_wait_s",
        "owed",
        "quota",
        "sent",
        "since",
        "tat",
        "tokens",
        "used_at",
    )

    def __init__(self, digest: bytes, quota: Quota, now: float) -> None:
        self.digest = digest
        self.quota = quota
        self.tokens = 0
        self.low = 0
        """At so few the next lease is asked for."""
        self.owed = 0
        self.sent = 0
        """Of what is owed, what the store is being told."""
        self.tat = 0.0
        """As last told."""
        self.away_tat = 0.0
        """The same of this holder's part of the bucket, while the store was away."""
        self.asked = 0
        self.since = now
        self.used_at = now
        self.max_wait_s = 0.0

    def away(self, now: float, holders: int) -> int:
        """Tokens admitted while the store was away that have not come back since, at a holder's part of the rate, and
        beyond what the store knows of anyway."""
        owed_s = self.away_tat - max(self.tat, now)
        return math.ceil(owed_s / (self.quota.interval_s * holders) - 1e-6) if owed_s > 0 else 0


class LeaseBook:
    """One holder's: a worker's, for one store. `now` is monotonic seconds."""

    def __init__(self, *, holders: int, max_keys: int = MAX_KEYS) -> None:
        """`holders` share the store, this one among them."""
        self._holders = max(1, holders)
        self._max_keys = max_keys
        self._leases: dict[bytes, _Lease] = {}
        self._to_tell: dict[bytes, None] = {}
        self._looks: dict[int, list[bytes]] = {}
        self._looked: int | None = None
        self._horizon_s = HORIZON_S
        self.overflowed = 0
        """Requests whose key found no place."""

    def __len__(self) -> int:
        return len(self._leases)

    @property
    def has_to_tell(self) -> bool:
        return bool(self._to_tell)

    # -- one request

    def take(self, key: bytes, of: Quota, now: float, max_wait_s: float, *, spend: bool = True) -> Taken | None:
        """One token; None where there is no room for another key."""
        lease = self._leases.get(key)
        if lease is None or lease.quota is not of:
            lease = self._lease(key, of, now, keep=spend)
            if lease is None:
                return None
        if spend:
            lease.asked += 1
            lease.used_at = now
            lease.max_wait_s = max_wait_s
        if lease.tokens > 0:
            if spend:
                lease.tokens -= 1
                if lease.tokens <= lease.low and not lease.sent:
                    self._to_tell[key] = None
            return Taken(0.0, max(lease.tat, now))
        return self._borrow(key, lease, now, max_wait_s, spend=spend)

    def _borrow(self, key: bytes, lease: _Lease, now: float, max_wait_s: float, *, spend: bool) -> Taken:
        of = lease.quota
        known = max(lease.tat, now)
        unheard = lease.owed + lease.sent + lease.away(now, self._holders)
        tat = known + unheard * of.interval_s
        wait_s = tat + of.interval_s - now - of.burst_s
        if wait_s <= EPSILON_S:
            free = int((of.burst_s - (known - now)) / of.interval_s + 1e-6)
            if spend:
                self._to_tell[key] = None
            if unheard < max(free // (BORROWED_SHARE * self._holders), min(free, MIN_BORROWED)):
                lease.owed += spend
                return Taken(0.0, tat + of.interval_s * spend)
            wait_s = ANSWER_S
        if wait_s <= max_wait_s and spend:
            lease.owed += 1
            self._to_tell[key] = None
            tat += of.interval_s
        return Taken(wait_s, tat)

    def owed_until(self, key: bytes) -> float:
        """When, as far as is known here, the key's bucket is full again, of all nodes together."""
        lease = self._leases.get(key)
        return 0.0 if lease is None else lease.tat

    def note(self, key: bytes, of: Quota, now: float, *, is_heard: bool) -> None:
        """One was admitted by the node's own share. `is_heard`: the store answers again, so that each is charged."""
        lease = self._leases.get(key)
        if lease is None or lease.quota is not of:
            lease = self._lease(key, of, now, keep=True)
        if lease is None:
            return
        if is_heard:
            lease.owed += 1
        else:
            owed_until = min(max(lease.away_tat, lease.tat, now), now + of.burst_s)
            lease.away_tat = owed_until + of.interval_s * self._holders
        self._to_tell[key] = None

    def _lease(self, key: bytes, of: Quota, now: float, *, keep: bool) -> _Lease | None:
        """The key's, by this quota; made if need be."""
        lease = self._leases.get(key)
        if lease is not None:
            if lease.quota != of:  # another configuration: what is owed in seconds stays
                lease.tokens = 0
            lease.quota = of
            return lease
        if len(self._leases) >= self._max_keys:
            self.overflowed += keep
            return None
        lease = _Lease(hashlib.blake2b(key, digest_size=16).digest(), of, now)
        if keep:
            self._leases[key] = lease
            self._look_at(key, now + IDLE_S)
        return lease

    # -- the store

    def collect(self, now: float, *, most: int) -> tuple[list[bytes], list[Ask]]:
        """What is to be told now, of at most so many keys, and of which."""
        keys = list(islice(self._to_tell, most))
        for key in keys:
            del self._to_tell[key]
        return keys, [self._ask(self._leases[key], now) for key in keys]

    def _ask(self, lease: _Lease, now: float) -> Ask:
        of = lease.quota
        rate = lease.asked / max(SHORTEST_S, now - lease.since)
        most = max(1, of.burst // self._holders)
        wanted = max(0, min(most, math.ceil(rate * self._horizon_s)) - lease.tokens) if lease.asked else 0
        lease.asked, lease.since = 0, now
        lease.sent = lease.owed + lease.away(now, self._holders)
        lease.owed, lease.away_tat = 0, 0.0
        allowed_s = max(of.burst_s / BORROWED_SHARE, MIN_BORROWED * self._holders * of.interval_s)
        most_s = 2 * of.burst_s + allowed_s + lease.max_wait_s
        return Ask(lease.digest, of.interval_s, of.burst, max(0.0, lease.tat - now), lease.sent, wanted, most_s)

    def answered(self, keys: Sequence[bytes], answers: Sequence[Given], *, sent_at: float, now: float) -> None:
        """By the store, in the order asked. `sent_at` is when the question went out."""
        round_trips_s = ROUND_TRIPS * (now - sent_at)
        self._horizon_s = min(MAX_HORIZON_S, max(HORIZON_S, round_trips_s, 0.9 * self._horizon_s))
        for key, given in zip(keys, answers, strict=True):
            lease = self._leases[key]
            lease.sent = 0
            lease.tat = sent_at + given.owed_s
            lease.tokens += given.granted
            lease.low = lease.tokens // 2

    def failed(self, keys: Sequence[bytes], now: float) -> None:
        """Nobody answered. It may have been done all the same, and is then charged twice: rather that than never."""
        for key in keys:
            lease = self._leases[key]
            if lease.sent > 0:
                owed_s = lease.sent * lease.quota.interval_s * self._holders
                lease.away_tat = min(max(lease.away_tat, lease.tat, now) + owed_s, now + lease.quota.burst_s)
            else:
                lease.owed += lease.sent
            lease.sent = 0
            self._to_tell[key] = None

    # -- time

    def advance(self, now: float) -> None:
        """Give back what is not used, forget what owes nothing."""
        second = int(now)
        if self._looked is None:
            self._looked = min(self._looks, default=second)
        while self._looked < second:
            for key in self._looks.pop(self._looked, ()):
                self._look(key, now)
            self._looked += 1

    def _look(self, key: bytes, now: float) -> None:
        lease = self._leases[key]
        if lease.tokens and now - lease.used_at >= IDLE_S and not lease.sent:
            lease.owed -= lease.tokens
            lease.tokens = 0
            self._to_tell[key] = None
        is_settled = not (lease.tokens or lease.owed or lease.sent) and key not in self._to_tell
        if is_settled and lease.tat <= now and lease.away_tat <= now:
            del self._leases[key]
        else:
            self._look_at(key, min(max(now + IDLE_S, lease.tat), now + MAX_LOOK_S))

    def _look_at(self, key: bytes, at: float) -> None:
        self._looks.setdefault(int(at) + 1, []).append(key)

    def give_back(self) -> None:
        """At the end: all that is leased."""
        for key, lease in self._leases.items():
            if lease.tokens and not lease.sent:
                lease.owed -= lease.tokens
                lease.tokens = 0
                self._to_tell[key] = None
