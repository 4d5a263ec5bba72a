"""The memory that counts: the container's, else the machine's."""

from __future__ import annotations

from pathlib import Path

from gateway.admission.overload import memory_share


def lay(root: Path, limit: str) -> tuple[Path, Path]:
    proc, group = root / "proc", root / "cgroup" / "a.slice"
    (proc / "self").mkdir(parents=True)
    group.mkdir(parents=True)
    (proc / "self" / "cgroup").write_text("0::/a.slice\n")
    (proc / "meminfo").write_text("MemTotal: 1000 kB\nMemAvailable: 250 kB\n")
    (group / "memory.max").write_text(limit)
    (group / "memory.current").write_text("900\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 400\n")
    return root / "cgroup", proc


def test_pages_that_the_kernel_would_give_back_do_not_count(tmp_path: Path) -> None:
    assert memory_share(*lay(tmp_path, "1000\n")) == 0.5


def test_without_a_limit_it_is_the_machine_that_fills(tmp_path: Path) -> None:
    assert memory_share(*lay(tmp_path, "max\n")) == 0.75


def test_where_nothing_tells_nothing_is_known(tmp_path: Path) -> None:
    assert memory_share(tmp_path, tmp_path) is None


def test_this_machine_tells() -> None:
    share = memory_share()
    assert share is not None
    assert 0.0 <= share <= 1.0
