from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.accounting import TICKS_A_SECOND, cpu_s, memory_bytes, pss_bytes, ticks

STAT = "4711 (a (strange) name) S 1 4711 4711 0 -1 4194560 100 0 0 0 250 50 7 7 20 0 1 0 12345 1000 200 1844"


def test_ticks_are_those_of_user_and_system_whatever_the_process_is_called() -> None:
    assert ticks(STAT) == 300


def test_cpu_is_summed_over_processes(tmp_path: Path) -> None:
    for pid in (1, 2):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(STAT)
    assert cpu_s((1, 2), tmp_path) == 600 / TICKS_A_SECOND


def test_memory_is_the_proportional_share() -> None:
    assert pss_bytes("55-7f ---p 00000000 [rollup]\nRss:  9000 kB\nPss:  1234 kB\nPss_Dirty: 1 kB\n") == 1234 * 1024


def test_something_that_is_no_rollup_is_refused() -> None:
    with pytest.raises(ValueError, match="found no Pss line"):
        pss_bytes("Rss: 1 kB\n")


def test_a_real_process_has_cpu_and_memory() -> None:
    assert cpu_s((os.getpid(),)) > 0
    assert memory_bytes((os.getpid(),)) > 1 << 20
