"""No line of the audit log can be changed, removed, added or moved without being noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.node.core.audit_chain import faults, first_hash, read, sealed


def written(count: int, *, name: str = "a", **first: object) -> bytes:
    previous, data = first_hash(name), b""
    for number in range(count):
        line, previous = sealed(previous, {"n": number, "kind": "denied", **(first if number == 0 else {})})
        data += line
    return data


def test_what_was_written_is_read_again() -> None:
    found = read("a", written(3))
    assert [record["n"] for record in found.records] == [0, 1, 2]
    assert (found.fault, found.is_torn, found.whole_bytes) == (None, False, len(written(3)))


@given(st.integers(min_value=0, max_value=len(written(3)) - 1), st.integers(min_value=1, max_value=255))
def test_no_byte_can_be_changed(at: int, by: int) -> None:
    data = bytearray(written(3))
    data[at] ^= by
    found = read("a", bytes(data))
    assert found.fault is not None or found.is_torn


@given(st.integers(min_value=0, max_value=len(written(3))))
def test_a_file_that_stops_anywhere_is_torn_there_and_whole_before(at: int) -> None:
    data = written(3)
    found = read("a", data[:at])
    assert found.fault is None
    assert found.whole_bytes == data.rfind(b"\n", 0, at) + 1
    assert found.is_torn == (found.whole_bytes != at)


@pytest.mark.parametrize("gone", [0, 1])
def test_no_line_can_be_removed_or_moved(gone: int) -> None:
    lines = written(3).splitlines(keepends=True)
    assert read("a", b"".join(line for index, line in enumerate(lines) if index != gone)).fault is not None
    assert read("a", lines[1] + lines[0] + lines[2]).fault is not None


def test_a_segment_cannot_stand_in_for_another() -> None:
    assert read("b", written(2)).fault is not None


def test_the_end_of_a_segment_is_vouched_for_by_the_next() -> None:
    old = read("a", written(3))
    fresh = read("b", written(1, name="b", heads={"a": old.last_hash}))
    assert list(faults({"a": old, "b": fresh})) == []
    shortened = read("a", b"".join(written(3).splitlines(keepends=True)[:2]))
    assert list(faults({"a": shortened, "b": fresh})) == ["a: its end is not the one that b has seen"]


def test_a_fault_is_told_by_its_line() -> None:
    lines = written(3).splitlines(keepends=True)
    found = read("a", lines[0] + lines[2])
    assert list(faults({"a": found})) == ["a: line 2 is not what was written: its hash does not fit"]
