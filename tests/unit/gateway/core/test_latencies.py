"""Bad news at once, good news slowly."""

from __future__ import annotations

import pytest

from gateway.core.latencies import DECAY_S, PENALTY_S, UNKNOWN_S, PeakEwma


def test_a_spike_counts_at_once_and_decays() -> None:
    latency = PeakEwma()
    latency.add(0.01, 0.0)
    latency.add(1.0, 1.0)
    assert latency.read(1.0) == 1.0
    latency.add(0.01, 1.0 + DECAY_S)
    assert 0.3 < latency.read(1.0 + DECAY_S) < 0.4


def test_reading_decays_and_changes_nothing() -> None:
    latency = PeakEwma()
    latency.add(1.0, 0.0)
    assert latency.read(DECAY_S) == latency.read(DECAY_S) == pytest.approx(0.3679, abs=1e-3)


def test_an_unknown_endpoint_is_neither_the_best_nor_the_worst() -> None:
    assert PeakEwma().read(100.0) == UNKNOWN_S


def test_a_fast_failure_is_a_slow_answer() -> None:
    latency = PeakEwma()
    latency.add(0.001, 0.0)
    latency.fail(0.0)
    assert latency.read(0.0) == PENALTY_S
