"""A clock's offset, as libfaketime reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaos.mesh.clock import FalseClock, FalseClockMissing


def test_it_starts_right_and_tells_what_it_was_set_to(tmp_path: Path) -> None:
    (tmp_path / "lib.so").touch()
    clock = FalseClock(tmp_path / "clock", libraries=str(tmp_path / "lib*"))
    assert (tmp_path / "clock").read_text() == "+0.000\n"
    clock.offset(-3600.0)
    assert (tmp_path / "clock").read_text() == "-3600.000\n"
    environment = clock.environment()
    assert environment["LD_PRELOAD"] == str(tmp_path / "lib.so")
    assert environment["FAKETIME_DONT_FAKE_MONOTONIC"] == "1"


def test_a_machine_without_the_library_is_told(tmp_path: Path) -> None:
    with pytest.raises(FalseClockMissing, match="make setup"):
        FalseClock(tmp_path / "clock", libraries=str(tmp_path / "none*"))
