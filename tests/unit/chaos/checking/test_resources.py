"""What is held more than before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chaos.checking import resources
from chaos.mesh.plan import KEPT_OPERATIONS
from chaos.mesh.processes import Held
from chaos.traffic.history import Churn

BEFORE = Held(4, 200 << 20, 100, 20)


def test_as_before_and_a_little_more_is_well() -> None:
    more = replace(BEFORE, memory_bytes=210 << 20, descriptors=105, threads=22)
    assert [*resources.not_back({"eu": BEFORE}, {"eu": more}, memory_mib=48)] == []


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        ({"processes": 3}, "3 processes"),
        ({"memory_bytes": 300 << 20}, "100 MiB more memory"),
        ({"descriptors": 200}, "200 descriptors"),
        ({"threads": 60}, "60 threads"),
        ({"in_flight": 1}, "1 requests in flight"),
        ({"connections": 2}, "2 client connections"),
        ({"half_closed": 9}, "9 connections whose other end is gone"),
    ],
)
def test_each_kind_of_leak_is_said(leak: dict[str, Any], said: str) -> None:
    (found,) = resources.not_back({"eu": BEFORE}, {"eu": replace(BEFORE, **leak)}, memory_mib=48)
    assert found.startswith(f"eu: {said}")


def test_memory_that_has_grown_is_told_by_process() -> None:
    before = replace(BEFORE, memory_by_role={"sync": 50 << 20, "worker": 40 << 20})
    after = replace(BEFORE, memory_bytes=300 << 20, memory_by_role={"sync": 151 << 20, "worker": 39 << 20})
    (found,) = resources.not_back({"eu": before}, {"eu": after}, memory_mib=48)
    assert found == "eu: 100 MiB more memory (sync +101 MiB, worker -1 MiB)"


def test_what_databases_may_cache_is_no_leak_and_no_more_than_that_is_excused() -> None:
    before = replace(BEFORE, database_bytes=1 << 20, memory_by_role={"sync": 50 << 20, "worker": 40 << 20})

    def after(**grown_mib: int) -> Held:
        by_role = {role: held + (grown_mib.get(role, 0) << 20) for role, held in before.memory_by_role.items()}
        memory = before.memory_bytes + (sum(grown_mib.values()) << 20)
        return replace(before, memory_bytes=memory, database_bytes=21 << 20, memory_by_role=by_role)

    assert [*resources.not_back({"eu": before}, {"eu": after(sync=100)}, memory_mib=48)] == []
    (beyond,) = resources.not_back({"eu": before}, {"eu": after(sync=130)}, memory_mib=48)
    assert beyond.startswith("eu: 130 MiB more memory")
    (elsewhere,) = resources.not_back({"eu": before}, {"eu": after(sync=60, worker=50)}, memory_mib=48)
    assert elsewhere.startswith("eu: 110 MiB more memory")


def test_a_disk_may_grow_with_what_was_written_and_not_beyond() -> None:
    mebibytes = replace(BEFORE, disk_bytes=20 << 20)
    assert [*resources.overgrown({"eu": BEFORE}, {"eu": mebibytes}, writes=5_000, requests=0)] == []
    logs = replace(BEFORE, wal_bytes=40 << 20)
    assert [*resources.overgrown({"eu": BEFORE}, {"eu": logs}, writes=0, requests=0)] == [
        "eu: a write-ahead log of 40 MiB"
    ]
    assert [*resources.overgrown({"eu": BEFORE}, {"eu": mebibytes}, writes=100, requests=1_000)] == [
        "eu: 20480 KiB more on its disk"
    ]


def test_a_log_that_was_not_cut_is_said_and_so_is_one_that_had_no_reason_to_be() -> None:
    written = KEPT_OPERATIONS + 30_000
    assert [*resources.uncut([Churn("eu", written, KEPT_OPERATIONS + 100)])] == []
    assert [*resources.uncut([Churn("eu", written, written)])] == [
        f"eu: {written:,} operations in the log after {written:,} were written"
    ]
    assert [*resources.uncut([Churn("eu", 5, 5)])] == ["eu: only 5 operations were written, so nothing is shown"]
