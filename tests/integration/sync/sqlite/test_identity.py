from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from sync.companion import confirm_opening
from sync.sqlite import identity, schema


def opened(path: Path, *, region: str = "eu", store: str = "aaaaaaaa") -> tuple[str, str]:
    with closing(schema.connect(path, is_writer=True)) as connection:
        if schema.is_new(connection):
            schema.create(connection)
        connection.execute("BEGIN IMMEDIATE")
        *found, times = identity.origin_of_file(connection, path, region=region, store=store, chance=os.urandom)
        connection.execute("COMMIT")
        confirm_opening(path, times)
    return found[0], found[1]


def test_a_stores_name_is_made_once_and_not_taken_along_by_a_copy(tmp_path: Path) -> None:
    name = identity.store_name(tmp_path, chance=os.urandom)
    assert identity.store_name(tmp_path, chance=os.urandom) == name
    content = (tmp_path / "store").read_bytes()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "store").write_bytes(content)
    assert identity.store_name(tmp_path / "copy", chance=os.urandom) != name


def test_an_origin_goes_on_while_the_file_is_the_one_written_last(tmp_path: Path) -> None:
    first, why = opened(tmp_path / "a.db")
    assert why == "a new file"
    assert opened(tmp_path / "a.db") == (first, "")
    assert opened(tmp_path / "a.db") == (first, "")


def test_a_crash_between_the_two_counters_is_no_alarm(tmp_path: Path) -> None:
    origin, _ = opened(tmp_path / "a.db")
    companion = (tmp_path / "a.opened").read_bytes()
    opened(tmp_path / "a.db")
    (tmp_path / "a.opened").write_bytes(companion)
    assert opened(tmp_path / "a.db") == (origin, "")


def test_an_older_file_put_back_in_place_is_noticed(tmp_path: Path) -> None:
    origin, _ = opened(tmp_path / "a.db")
    backup = (tmp_path / "a.db").read_bytes()
    opened(tmp_path / "a.db")
    (tmp_path / "a.db").write_bytes(backup)
    new, why = opened(tmp_path / "a.db")
    assert new != origin
    assert "put back" in why


def test_a_copied_file_is_noticed(tmp_path: Path) -> None:
    origin, _ = opened(tmp_path / "a.db")
    content = (tmp_path / "a.db").read_bytes()
    (tmp_path / "b.db").write_bytes(content)
    new, why = opened(tmp_path / "b.db")
    assert new != origin
    assert "copy" in why


def test_a_file_of_another_store_or_region_is_noticed(tmp_path: Path) -> None:
    opened(tmp_path / "a.db")
    assert opened(tmp_path / "a.db", store="bbbbbbbb")[1] == "a file of eu:aaaaaaaa"
    assert opened(tmp_path / "a.db", region="us")[1] == "a file from eu"
