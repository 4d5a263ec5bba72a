from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sync.cipher import Cipher
from sync.errors import StoreUnavailable
from sync.sqlite import backup
from tests.integration.sync.sqlite.test_file import open_one
from tests.integration.sync.store_contract import NOTES, NOW, put

PLAIN = Cipher("note", [b"k"], encrypts=False, chance=os.urandom)


def copied(tmp_path: Path, keys: int = 20) -> Path:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put(f"k{at:02}", b"value %d" % at), NOW) for at in range(keys)])
    opened.ledger.write([(put("k00", b"", kind="delete"), NOW)])
    backup.copy(tmp_path / "a.db", tmp_path / "copy.db")
    opened.ledger.write([(put("later", b"v"), NOW)])
    opened.close()
    return tmp_path / "copy.db"


def test_a_copy_of_an_open_file_is_one_moment_of_it_and_verifies(tmp_path: Path) -> None:
    copy = copied(tmp_path)
    assert backup.figures(copy) == {NOTES: 19}
    shown: list[tuple[int, int]] = []
    found = backup.verify(copy, PLAIN, progress=lambda done, of: shown.append((done, of)))
    assert (found.keys, found.values, found.fault_count) == (20, 20, 0)
    assert shown == [(20, 20)]


def test_a_copy_that_is_put_back_is_another_life_that_nobody_has_confirmed(tmp_path: Path) -> None:
    opened = open_one(tmp_path / "a.db")
    opened.ledger.write([(put("k", b"v"), NOW)])
    opened.ledger.connection.execute("INSERT INTO acknowledged VALUES (1, 'us:peer.life1', x'80')")
    opened.ledger.connection.execute("INSERT INTO note VALUES (1, 'snapshot', x'80')")
    old = opened.ledger.origin
    backup.copy(tmp_path / "a.db", tmp_path / "copy.db")
    opened.close()
    backup.prepare(tmp_path / "copy.db")
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]
    (tmp_path / "copy.db").rename(tmp_path / "a.db")
    opened = open_one(tmp_path / "a.db")
    assert opened.ledger.origin != old
    for table in ("acknowledged", "note"):
        assert opened.ledger.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608
    assert opened.views().read(NOTES, "k") is not None
    opened.close()


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("UPDATE log SET value = x'00' WHERE seq = 7", "k06: version 7@"),
        ("UPDATE log SET head = (SELECT head FROM log WHERE seq = 8) WHERE seq = 7", "not the one it was"),
        ("DELETE FROM log WHERE seq = 7", "has no operation in the log"),
        ("UPDATE state SET digest = 5 WHERE key = 'k06'", "k06: its digest does not fit"),
        ("UPDATE state SET state = (SELECT state FROM state WHERE key = 'k05') WHERE key = 'k06'", "k06: its digest"),
    ],
)
def test_what_a_disk_changed_is_found(tmp_path: Path, damage: str, fault: str) -> None:
    copy = copied(tmp_path)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute(damage)
        connection.commit()
    found = backup.verify(copy, PLAIN)
    assert found.fault_count >= 1
    assert fault in found.faults[0]


def test_a_file_that_is_damaged_is_not_put_back(tmp_path: Path) -> None:
    copy = copied(tmp_path, keys=500)
    content = bytearray(copy.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    copy.write_bytes(content)
    with pytest.raises(StoreUnavailable):
        backup.prepare(copy)
