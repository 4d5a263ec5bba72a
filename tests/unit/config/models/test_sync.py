"""Every mistake in collections and replication is told by its place, what was found and what was expected."""

from __future__ import annotations

import pytest

from tests.unit.config.written import accepted, complaints, file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            file(rest="sync: {mode: eventually}"),
            [
                't.yaml:10:14 sync.mode: found "eventually", expected one of async, hybrid, sync',
            ],
            id="an unknown mode",
        ),
        pytest.param(
            file(rest="sync: {collections: [{name: a, data_type: b}]}"),
            [
                (
                    "t.yaml:10:22 sync.collections[0].conflict: found nothing, expected a value for "
                    "conflict, which is required (what becomes of concurrent versions)"
                ),
            ],
            id="a collection without a conflict rule",
        ),
        pytest.param(
            file(rest="sync: {collections: [{name: a, data_type: b, conflict: newest}]}"),
            [
                (
                    't.yaml:10:56 sync.collections[0].conflict: found "newest", expected one of '
                    "vector_clock, last_write_wins, manual, or a mapping"
                ),
            ],
            id="an unknown conflict rule",
        ),
        pytest.param(
            file(rest="sync: {collections: [{name: a, data_type: b, conflict: {custom: my_package}}]}"),
            [
                (
                    't.yaml:10:65 sync.collections[0].conflict.custom: found "my_package", expected a '
                    "function as module:function, such as my_package.resolvers:merge_notes"
                ),
            ],
            id="a custom rule without a function",
        ),
        pytest.param(
            file(rest="sync: {collections: [{name: a, data_type: b, conflict: manual, strategy: primary}]}"),
            [
                (
                    't.yaml:10:43 sync.collections[0].data_type: found the unknown data type "b", expected a '
                    "declared data type, and there is none"
                ),
                (
                    "t.yaml:10:74 sync.collections[0].strategy: found strategy: primary without primary, "
                    "expected the id of the region that takes the writes"
                ),
            ],
            id="a primary strategy without a primary",
        ),
        pytest.param(
            file(rest="sync: {collections: [{name: a, data_type: b, conflict: manual, primary: eu-west}]}"),
            [
                (
                    't.yaml:10:43 sync.collections[0].data_type: found the unknown data type "b", expected a '
                    "declared data type, and there is none"
                ),
                (
                    "t.yaml:10:73 sync.collections[0].primary: found primary with the strategy multi_master, "
                    "expected strategy: primary"
                ),
            ],
            id="a primary without the strategy",
        ),
        pytest.param(
            file(rest="sync: {max_value: 1s}"),
            [
                (
                    't.yaml:10:19 sync.max_value: found "1s", whose unit is none of B, KiB, MiB, GiB, TiB, '
                    "expected a size with its unit, such as 512B, 64KiB, 10MiB or 10GiB"
                ),
            ],
            id="a size that is a duration",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert complaints(text) == said


def test_a_collection_has_the_values_of_the_contract() -> None:
    rest = "residency: {default: allow}\nsync: {collections: [{name: a, data_type: b, conflict: vector_clock}]}"
    sync = accepted(file(rest=rest)).sync
    assert sync is not None
    collection = sync.collections[0]
    assert (collection.max_siblings, collection.regions, collection.mode) == (32, None, None)
    assert (collection.write_level, collection.read_level, collection.strategy) == ("local", "local", "multi_master")
    assert (sync.mode, sync.ack_timeout, sync.max_value, sync.max_clock_skew) == ("async", 2.0, 1 << 20, 0.5)
    assert (sync.max_log, sync.evict_after, sync.batch.max_wait) == (10 << 30, 7 * 86400.0, 0.0)
