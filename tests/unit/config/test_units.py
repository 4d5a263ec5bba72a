"""What is written with a unit is read exactly, written back exactly, and refused without its unit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.units import (
    HIGHEST_PER_S,
    LARGEST_BYTES,
    LONGEST_S,
    Refused,
    format_duration,
    format_rate,
    format_share,
    format_size,
    parse_duration,
    parse_percentage,
    parse_rate,
    parse_share,
    parse_size,
    shown,
)

Parse = Callable[[object], float]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_duration, "250ms", 0.25),
        (parse_duration, "5s", 5.0),
        (parse_duration, "10m", 600.0),
        (parse_duration, "1h", 3600.0),
        (parse_duration, "1d", 86400.0),
        (parse_duration, "0s", 0.0),
        (parse_duration, "1.5s", 1.5),
        (parse_duration, "100ms", 0.1),
        (parse_size, "0B", 0),
        (parse_size, "64KiB", 65_536),
        (parse_size, "10MiB", 10_485_760),
        (parse_size, "10GiB", 10_737_418_240),
        (parse_size, "1.5KiB", 1536),
        (parse_rate, "100/s", 100.0),
        (parse_rate, "6000/m", 100.0),
        (parse_rate, "1/h", 1 / 3600),
        (parse_share, "20%", 0.2),
        (parse_share, "0%", 0.0),
        (parse_share, "100%", 1.0),
        (parse_percentage, "140%", 1.4),
    ],
)
def test_a_quantity_is_read_with_its_unit(parse: Parse, text: str, value: float) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "value", "message"),
    [
        (parse_duration, 5, "found 5 without a unit, expected a duration with its unit"),
        (parse_duration, 0, "found 0 without a unit, expected a duration with its unit"),
        (parse_duration, "5", 'found "5" without a unit, expected a duration with its unit'),
        (parse_duration, "5sec", 'found "5sec", whose unit is none of ms, s, m, h, d'),
        (parse_duration, "5S", 'found "5S", whose unit is none of ms, s, m, h, d'),
        (parse_duration, "-5s", 'found "-5s", expected a duration'),
        (parse_duration, " 5s", 'found " 5s", expected a duration'),
        (parse_duration, "\u0665s", 'found "\u0665s", expected a duration'),
        (parse_duration, "1h30m", 'found "1h30m", expected a duration'),
        (parse_duration, "", 'found "", expected a duration'),
        (parse_duration, True, "found true, expected a duration"),
        (parse_duration, None, "found null, expected a duration"),
        (parse_duration, ["5s"], "found a list, expected a duration"),
        (parse_duration, "4000d", 'found "4000d", expected at most 3650d'),
        (parse_duration, "9" * 400 + "s", 'found "' + "9" * 60 + '…", expected a duration'),
        (parse_size, "10MB", 'found "10MB", whose unit is none of B, KiB, MiB, GiB, TiB'),
        (parse_size, "0.5B", 'found "0.5B", expected a whole number of bytes'),
        (parse_size, "2000TiB", 'found "2000TiB", expected at most 1024TiB'),
        (parse_rate, "100", 'found "100" without a unit, expected a rate with its unit'),
        (parse_rate, "100/w", 'found "100/w", whose unit is none of /s, /m, /h, /d'),
        (parse_rate, "100s", 'found "100s", whose unit is none of /s, /m, /h, /d'),
        (parse_rate, "9999999999/s", 'found "9999999999/s", expected at most 1000000000/s'),
        (parse_share, 0.2, "found 0.2 without a unit, expected a share in per cent"),
        (parse_share, "101%", 'found "101%", expected a share from 0% to 100%'),
        (parse_percentage, "100001%", 'found "100001%", expected at most 100000%'),
        (parse_percentage, "1.4x", 'found "1.4x", whose unit is not %'),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(parse: Parse, value: object, message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(value)
    assert str(refused.value).startswith(message)


@given(st.floats(0, LONGEST_S))
@example(0.1 + 0.2)
@example(5e-324)
def test_every_duration_survives_being_written(seconds: float) -> None:
    written = format_duration(seconds)
    if len(written) < 30:
        assert parse_duration(written) == seconds
    else:  # beyond the digits that are read: far below what a clock can tell
        assert seconds < 1e-9


@given(st.integers(0, 10**9))
def test_every_millisecond_survives_being_written(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.integers(0, LARGEST_BYTES))
def test_every_size_survives_being_written(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.floats(1e-9, HIGHEST_PER_S))
def test_every_rate_survives_being_written(rate: float) -> None:
    assert parse_rate(format_rate(rate)) == rate


@given(st.floats(1e-9, 1))
def test_every_share_survives_being_written(share: float) -> None:
    assert parse_share(format_share(share)) == share


@given(st.integers(0, 10**6), st.sampled_from(["/s", "/m", "/h", "/d"]))
def test_a_rate_reads_the_same_after_any_number_of_trips(count: int, unit: str) -> None:
    rate = parse_rate(f"{count}{unit}")
    assert parse_rate(format_rate(rate)) == rate


@given(st.text() | st.floats() | st.integers() | st.none() | st.booleans())
def test_nothing_but_a_refusal_is_raised(value: Any) -> None:
    for parse in (parse_duration, parse_size, parse_rate, parse_share, parse_percentage):
        try:
            assert math.isfinite(parse(value))
        except Refused:
            continue


@pytest.mark.parametrize(
    ("written", "value"),
    [("90s", 90.0), ("1m", 60.0), ("1d", 86400.0), ("250ms", 0.25), ("0s", 0.0), ("0.0005s", 0.0005)],
)
def test_a_duration_is_written_in_the_largest_unit_that_fits(written: str, value: float) -> None:
    assert format_duration(value) == written


def test_a_value_in_a_message_stays_on_one_line() -> None:
    assert shown("a\nb\x1b[31m") == '"a\\nb\\x1b[31m"'
    assert shown({}) == "an empty mapping"
    assert shown({"a": 1}) == "a mapping"
    assert shown([]) == "an empty list"
    assert shown(1.5) == "1.5"
