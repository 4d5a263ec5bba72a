"""Databases that can be used, and those that are refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from config.country_database import DatabaseUnusable, open_database
from tests.harness.countries import countries, write_database
from tests.unit.config.written import complaints, file


def test_addresses_of_both_kinds_are_found(tmp_path: Path) -> None:
    database = open_database(
        str(write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24") | {"2a00:1::/32": {"country_code": "IE"}}))
    )
    assert [database.country_of(each) for each in ("81.2.69.142", "2a00:1::1", "8.8.8.8", "nonsense")] == [
        "DE",
        "IE",
        None,
        None,
    ]
    assert database.built_at > 1_600_000_000


def test_a_database_of_ipv4_alone_knows_no_other(tmp_path: Path) -> None:
    database = open_database(str(write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24"), ip_version=4)))
    assert (database.country_of("81.2.69.1"), database.country_of("2a00:1::1")) == ("DE", None)


def test_writing_over_the_file_does_not_pull_it_away(tmp_path: Path) -> None:
    path = write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24"))
    database = open_database(str(path))
    os.truncate(path, 0)
    assert database.country_of("81.2.69.142") == "DE"


def test_a_broken_record_is_an_unknown_country_and_counted(tmp_path: Path) -> None:
    path = write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24") | countries(US="8.8.8.0/24"))
    data = path.read_bytes()
    at = data.rindex(b"\x42DE")
    path.write_bytes(data[:at] + b"\xff\xff\xff" + data[at + 3 :])
    database = open_database(str(path))
    assert database.country_of("8.8.8.8") == "US"
    assert database.country_of("81.2.69.1") is None
    assert database.unreadable == 1


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xab\xcd\xefMaxMind.com", os.urandom(5000)])
def test_what_is_no_database_is_refused_with_its_place(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "geo.mmdb"
    path.write_bytes(content)
    with pytest.raises(DatabaseUnusable, match="no MaxMind database"):
        open_database(str(path))
    (complaint,) = complaints(file(rest=f"geo: {{database: {path}}}"))
    assert complaint.startswith("t.yaml:")
    assert "geo.database: found" in complaint
    assert complaint.endswith("a broken one), expected an .mmdb file with countries, or bundled")


def test_half_a_database_is_refused(tmp_path: Path) -> None:
    path = write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatabaseUnusable):
        open_database(str(path))


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = write_database(tmp_path / "asn.mmdb", {"81.2.69.0/24": {"autonomous_system_number": 1}})
    with pytest.raises(DatabaseUnusable, match="without countries"):
        open_database(str(path))
    shutil.copy(write_database(tmp_path / "c.mmdb", countries(DE="81.2.69.0/24")), path)
    assert complaints(file(rest=f"geo: {{database: {path}}}")) == []


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="no such file"):
        open_database(str(tmp_path / "none.mmdb"))
