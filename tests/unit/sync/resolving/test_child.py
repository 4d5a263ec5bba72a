"""The process that runs a resolver, without the process."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sync.resolving import child
from sync.resolving.child import LENGTH, Merged, Registered
from tests.harness.resolver_files import BROKEN, GOOD, LAWLESS, TROUBLESOME, write


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    for name in ("good", "lawless", "broken", "troublesome", "undeclared"):
        sys.modules.pop(name, None)


def test_a_lawful_function_is_registered_under_the_version_that_its_module_declares(folder: Path) -> None:
    resolve, registered = child.register(str(folder), write(folder, "good", GOOD, version=7))
    assert registered == Registered("7", "")
    assert resolve is not None
    assert child.merge(resolve, (b"b", b"a")) == Merged(b"a\nb", "")


def test_without_a_declared_version_its_source_is_the_version(folder: Path) -> None:
    _, registered = child.register(str(folder), write(folder, "undeclared", LAWLESS))
    assert len(registered.version) == 12
    assert "not commutative" in registered.problem


def test_what_cannot_be_loaded_is_said(folder: Path) -> None:
    _, registered = child.register(str(folder), write(folder, "broken", BROKEN))
    assert "ModuleNotFoundError" in registered.problem
    write(folder, "good", GOOD)
    assert "no function other" in child.register(str(folder), "good:other")[1].problem


def test_what_it_raises_is_an_answer(folder: Path) -> None:
    resolve, _ = child.register(str(folder), write(folder, "troublesome", TROUBLESOME))
    assert resolve is not None
    assert child.merge(resolve, (b"raise", b"a")) == Merged(None, "it raised ValueError: not this one")
    assert child.merge(lambda _: "text", ()).problem == "it gave str, expected bytes"  # type: ignore[arg-type,return-value]


def test_questions_are_answered_until_they_end(folder: Path) -> None:
    name = write(folder, "good", GOOD)
    frame = msgspec.msgpack.encode((b"b", b"a"))
    answers = io.BytesIO()
    child.serve(str(folder), name, io.BytesIO((LENGTH.pack(len(frame)) + frame) * 2 + b"\0"), answers)
    written, found = answers.getvalue(), []
    while written:
        (length,) = LENGTH.unpack(written[:4])
        found.append(msgspec.msgpack.decode(written[4 : 4 + length]))
        written = written[4 + length :]
    assert found == [["1", ""], [b"a\nb", ""], [b"a\nb", ""]]
