"""The CPU of a tree of processes includes those that ended; others' do not count."""

from __future__ import annotations

from pathlib import Path

from bench.accounting import TICKS_A_SECOND
from bench.sync.family import cpu_s, family, memory_mib


def _process(proc: Path, pid: int, parent: int, *, ticks: tuple[int, int, int, int], pss_kib: int = 0) -> None:
    (proc / str(pid)).mkdir()
    before = " ".join(["0"] * 9)
    (proc / str(pid) / "stat").write_text(f"{pid} (a (b) c) S {parent} {before} {' '.join(map(str, ticks))} 20 0\n")
    (proc / str(pid) / "smaps_rollup").write_text(f"00-ff ---p 00 00:00 0 [rollup]\nPss: {pss_kib} kB\n")


def test_a_tree_is_summed_with_its_ended_children_and_without_strangers(tmp_path: Path) -> None:
    _process(tmp_path, 10, 1, ticks=(1, 2, 300, 400), pss_kib=1024)
    _process(tmp_path, 11, 10, ticks=(10, 20, 0, 0), pss_kib=2048)
    _process(tmp_path, 12, 11, ticks=(5, 5, 0, 0), pss_kib=512)
    _process(tmp_path, 13, 1, ticks=(9999, 0, 0, 0), pss_kib=9999)
    (tmp_path / "self").mkdir()
    assert list(family(10, tmp_path)) == [10, 11, 12]
    assert cpu_s(10, tmp_path) == 743 / TICKS_A_SECOND
    assert memory_mib(10, tmp_path) == 3.5


def test_a_tree_whose_root_has_ended_is_empty(tmp_path: Path) -> None:
    assert family(10, tmp_path) == {}
