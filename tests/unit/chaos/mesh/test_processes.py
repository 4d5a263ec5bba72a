"""What processes hold, read from a /proc of our own making."""

from __future__ import annotations

from pathlib import Path

from chaos.mesh.processes import PAGE_BYTES, Held, half_closed, held, memory_by_role, on_disk, roles


def process(proc: Path, pid: int, *, pages: int, descriptors: int, threads: int) -> None:
    folder = proc / str(pid)
    for name, count in (("fd", descriptors), ("task", threads)):
        for number in range(count):
            (folder / name / str(number)).mkdir(parents=True)
    (folder / "statm").write_text(f"1000 {pages} 3 4 5 6 7\n")


def test_what_all_processes_hold_is_summed_and_one_that_has_ended_holds_nothing(tmp_path: Path) -> None:
    process(tmp_path, 1, pages=10, descriptors=3, threads=1)
    process(tmp_path, 2, pages=20, descriptors=4, threads=2)
    assert held((1, 2, 3), proc=tmp_path) == Held(2, 30 * PAGE_BYTES, 7, 3)


def test_memory_is_told_by_role_and_not_of_one_that_has_ended(tmp_path: Path) -> None:
    process(tmp_path, 1, pages=10, descriptors=3, threads=1)
    children = [{"role": role, "pid": pid, "ready": True} for role, pid in (("sync", 1), ("worker", 2))]
    status = {"processes": {"children": children, "supervisor": None}}
    assert memory_by_role(status, proc=tmp_path) == {"sync": 10 * PAGE_BYTES}


def test_connections_that_the_other_end_has_closed_are_counted_where_they_are_ours(tmp_path: Path) -> None:
    for pid, inodes in ((1, (11, 12)), (2, (13,))):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "net").mkdir()
        for inode in inodes:
            (tmp_path / str(pid) / "fd" / str(inode)).symlink_to(f"socket:[{inode}]")
        states = {11: "08", 12: "01", 13: "08", 14: "08"}
        lines = ["  sl  local rem st"] + [f"0: a b {state} q t r 0 0 {inode} 1" for inode, state in states.items()]
        for name in ("tcp", "tcp6"):
            (tmp_path / str(pid) / "net" / name).write_text("\n".join(lines if name == "tcp" else lines[:1]) + "\n")
    assert half_closed((1,), proc=tmp_path) == 1
    assert half_closed((1, 2, 3), proc=tmp_path) == 2


def test_bytes_are_those_of_files_and_of_all_below_folders_and_write_ahead_logs_stand_apart(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"12345")
    (tmp_path / "log").write_bytes(b"123")
    (tmp_path / "a" / "x.db-wal").write_bytes(b"1234567")
    (tmp_path / "a" / "y.db-wal").write_bytes(b"1")
    assert on_disk(tmp_path / "a", tmp_path / "log", tmp_path / "gone") == (8, 7)


def test_roles_are_those_of_children_that_are_ready() -> None:
    children = [
        {"role": "control", "slot": -1, "pid": 11, "ready": True},
        {"role": "worker", "slot": 0, "pid": 12, "ready": False},
        {"role": "sync", "slot": -1, "pid": None, "ready": False},
    ]
    told = {"processes": {"supervisor": {"pid": 10, "alive": True}, "children": children}}
    assert roles(told) == {"control": 11, "supervisor": 10}
