"""The numbers about the clients' data."""

from __future__ import annotations

from tests.harness.control import House
from tests.unit.tidegate.admin.test_sync import SAID, US, keeping_data
from tidegate.admin.sync_metrics import sync_metrics
from tidegate.node.control import Control


def samples(control: Control) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name.removeprefix("tidegate_sync_"), tuple(sample.labels.values())): sample.value
        for metric in sync_metrics(control)
        for sample in metric.samples
    }


async def test_lag_counters_and_thresholds_are_there(house: House) -> None:
    found = samples(await keeping_data(house))
    assert found["up", ()] == 1
    assert found["lag_seconds", (US, "us", "notes")] == 3.0
    assert found["lag_operations", (US, "us", "notes")] == 4
    assert found["lag_level", (US, "us", "notes")] == 1
    assert (found["lag_threshold_seconds", ("warning",)], found["lag_threshold_seconds", ("critical",)]) == (2, 10)
    assert found["written_operations_total", ("notes",)] == 5
    assert found["arrived_operations_total", ("notes",)] == 7
    assert found["received_bytes_total", (US, "us")] == 900
    assert found["sent_bytes_total", ("notes", "us")] == 600
    assert (found["keys_in_conflict", ("notes",)], found["held_operations", ("notes",)]) == (1, 3)
    assert found["quarantined_origins", (US, "us")] == 0
    assert found["quarantined_operations", ("notes",)] == 2
    assert (found["comparisons_total", ("notes",)], found["clean_comparisons_total", ("notes",)]) == (9, 8)
    assert (found["repaired_total", ("notes",)], found["suspected_total", ("notes",)]) == (1, 2)
    assert (found["snapshots_total", ("notes",)], found["forgotten_total", ("notes",)]) == (3, 70)
    assert found["evicted_members", ("notes",)] == 1


async def test_a_silent_process_leaves_a_gap_and_not_a_line_that_stands_still(house: House) -> None:
    control = await keeping_data(house)
    began = control.clock()
    control.clock = lambda: began + 60.0
    found = samples(control)
    assert found["up", ()] == 0
    assert {name for name, _ in found} == {"up", "lag_threshold_seconds"}
    assert SAID.lag, "there was something to say"


async def test_a_node_without_data_has_no_such_series(house: House) -> None:
    assert samples(house.control()) == {}
