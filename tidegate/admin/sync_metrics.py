"""The node's numbers about the clients' data: lag by peer and collection, what was written, what is in conflict.

Without a word of the sync process in the last seconds there are no figures of it, only `tidegate_sync_up` 0: a gap in a
graph tells the truth, a line that stands still does not. All labels are the configuration's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from tidegate.admin.sync import is_fresh, lines
from tidegate.node.control import Control
from tidegate.node.core.replicated import CollectionLine, PeerLine, UpkeepLine

PREFIX: Final = "tidegate_sync_"
LEVELS: Final = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}


def sync_metrics(control: Control) -> Iterator[Metric]:
    sync = control.configuration.loaded.config.sync
    if sync is None:
        return
    is_up = is_fresh(control)
    yield GaugeMetricFamily(PREFIX + "up", "1 while the sync process says how it is.", value=int(is_up))
    thresholds = GaugeMetricFamily(
        PREFIX + "lag_threshold_seconds", "What the configuration calls too far behind.", labels=["level"]
    )
    thresholds.add_metric(["warning"], sync.lag.warning)
    thresholds.add_metric(["critical"], sync.lag.critical)
    yield thresholds
    latest = control.replicas.latest
    if not is_up or latest is None:
        return
    labels = ["peer", "region", "collection"]
    seconds = GaugeMetricFamily(PREFIX + "lag_seconds", "Since this node had all that a peer had.", labels=labels)
    operations = GaugeMetricFamily(PREFIX + "lag_operations", "What a peer has and this node has not.", labels=labels)
    level = GaugeMetricFamily(PREFIX + "lag_level", "0 ok, 1 warning, 2 critical, 3 never heard.", labels=labels)
    for line in lines(control, sync):
        names = [line["peer"], line["region"], line["collection"]]
        operations.add_metric(names, line["operations"])
        level.add_metric(names, LEVELS[line["level"]])
        if line["seconds"] is not None:
            seconds.add_metric(names, line["seconds"])
    yield from (seconds, operations, level)
    yield from _peers(latest.peers)
    yield from _collections(latest.collections)
    yield from _upkeep(latest.upkeep)
    sent = CounterMetricFamily(
        PREFIX + "sent_operations", "Operations given to a region.", labels=["collection", "region"]
    )
    sent_bytes = CounterMetricFamily(PREFIX + "sent_bytes", "Bytes of them.", labels=["collection", "region"])
    for one in latest.sent:
        sent.add_metric([one.collection, one.region], one.operations)
        sent_bytes.add_metric([one.collection, one.region], one.bytes)
    yield from (sent, sent_bytes)


def _peers(peers: Iterable[PeerLine]) -> Iterator[Metric]:
    labels = ["peer", "region"]
    reached = GaugeMetricFamily(PREFIX + "peer_reached", "1 while a peer answers.", labels=labels)
    received = CounterMetricFamily(PREFIX + "received_operations", "Operations that came from a peer.", labels=labels)
    size = CounterMetricFamily(PREFIX + "received_bytes", "Bytes that came from a peer.", labels=labels)
    quarantined = GaugeMetricFamily(
        PREFIX + "quarantined_origins", "Origins of which a peer's operations are taken no more.", labels=labels
    )
    for one in peers:
        names = [one.peer, one.region]
        reached.add_metric(names, int(one.reached))
        received.add_metric(names, one.operations)
        size.add_metric(names, one.bytes)
        quarantined.add_metric(names, len(one.distrusted))
    yield from (reached, received, size, quarantined)


def _collections(collections: Iterable[CollectionLine]) -> Iterator[Metric]:
    labels = ["collection"]
    written = CounterMetricFamily(PREFIX + "written_operations", "Operations that clients wrote here.", labels=labels)
    applied = CounterMetricFamily(PREFIX + "arrived_operations", "Operations of other stores, applied.", labels=labels)
    gauges = {
        "keys": GaugeMetricFamily(PREFIX + "keys", "Keys that are there.", labels=labels),
        "in_conflict": GaugeMetricFamily(PREFIX + "keys_in_conflict", "Keys with concurrent versions.", labels=labels),
        "lost": GaugeMetricFamily(PREFIX + "conflicts_logged", "Versions that lost by the clock.", labels=labels),
        "held": GaugeMetricFamily(
            PREFIX + "held_operations", "Received, and held until they may be applied.", labels=labels
        ),
        "quarantined": GaugeMetricFamily(
            PREFIX + "quarantined_operations", "Of those held: damaged, or refused by the store.", labels=labels
        ),
        "log_bytes": GaugeMetricFamily(PREFIX + "log_bytes", "Size of the log of operations.", labels=labels),
    }
    for one in collections:
        written.add_metric([one.collection], one.written)
        applied.add_metric([one.collection], one.arrived)
        for name, gauge in gauges.items():
            gauge.add_metric([one.collection], getattr(one, name))
    yield from (written, applied, *gauges.values())


def _upkeep(lines: Iterable[UpkeepLine]) -> Iterator[Metric]:
    counters = {
        "comparisons": "Rounds of comparing keys with a peer.",
        "clean_comparisons": "Rounds in which nothing was wrong.",
        "repaired": "Keys that this store held wrong and repaired from a peer: a bug, or a disk that rots.",
        "suspected": "Keys that a peer held wrong.",
        "snapshots": "Snapshots taken, for the peers' logs no longer reached back.",
        "forgotten": "Operations forgotten, for every member has seen them.",
    }
    families = {
        name: CounterMetricFamily(PREFIX + name, what, labels=["collection"]) for name, what in counters.items()
    }
    evicted = GaugeMetricFamily(PREFIX + "evicted_members", "Members that nobody waits for.", labels=["collection"])
    for one in lines:
        for name, family in families.items():
            family.add_metric([one.collection], getattr(one, name))
        evicted.add_metric([one.collection], one.evicted)
    yield from (*families.values(), evicted)
