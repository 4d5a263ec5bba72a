"""How long, how big, how often, how much: the quantities that an operator writes with their unit.

    duration  250ms  5s  10m  1h  1d     -> float, seconds
    size      512B  64KiB  10MiB  10GiB  -> int, bytes
    rate      100/s  6000/m              -> float, per second
    share     20%                        -> float, 0.2

A bare number is refused, zero included: half of all outages by configuration are seconds that were milliseconds.
Every value that was parsed is written back to text that parses to the very same value (`parse(format(x)) == x`), so
a configuration survives a trip through JSON unchanged. Arithmetic is done in fractions, because `0.1 * 3` is not `0.3`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema


class Refused(ValueError):
    """A value that cannot be taken. `found` and `expected` complete the sentence "found ..., expected ..."."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


SHOWN_CHARACTERS = 60
"""Enough to recognise a value in a message; a pasted certificate is not."""


def shown(value: object) -> str:
    """A value as it may stand in a message: short, on one line, the way YAML would write it."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _quoted(str(value)).strip('"')


def _quoted(value: str) -> str:
    short = value if len(value) <= SHOWN_CHARACTERS else value[:SHOWN_CHARACTERS] + "…"
    return '"' + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short) + '"'


_QUANTITY = re.compile(r"([0-9]{1,16}(?:\.[0-9]{1,30})?)([A-Za-z%/]+)", re.ASCII)
"""Digits are bounded so that no text makes arithmetic slow."""

_DURATION_UNITS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_RATE_UNITS = {"/s": Fraction(1), "/m": Fraction(1, 60), "/h": Fraction(1, 3600), "/d": Fraction(1, 86400)}

LONGEST_S = 3650 * 86400.0
"""Ten years; a longer duration is a slip of the keyboard."""
LARGEST_BYTES = 1 << 50
HIGHEST_PER_S = 1e9

DURATION_EXPECTED = "a duration with its unit, such as 250ms, 5s, 10m, 1h or 1d"
SIZE_EXPECTED = "a size with its unit, such as 512B, 64KiB, 10MiB or 10GiB"
RATE_EXPECTED = "a rate with its unit, such as 100/s or 6000/m"
SHARE_EXPECTED = "a share in per cent, such as 20%"


def _split(value: object, expected: str) -> tuple[Fraction, str]:
    if not isinstance(value, str):
        bare = isinstance(value, int | float) and not isinstance(value, bool)
        raise Refused(f"{shown(value)} without a unit" if bare else shown(value), expected)
    match = _QUANTITY.fullmatch(value)
    if match is None:
        bare = re.fullmatch(r"[0-9.]+", value, re.ASCII) is not None
        raise Refused(f"{shown(value)} without a unit" if bare else shown(value), expected)
    return Fraction(match[1]), match[2]


def parse_duration(value: object) -> float:
    """Seconds. Raises Refused."""
    number, unit = _split(value, DURATION_EXPECTED)
    if unit not in _DURATION_UNITS:
        raise Refused(f"{shown(value)}, whose unit is none of ms, s, m, h, d", DURATION_EXPECTED)
    seconds = float(number * _DURATION_UNITS[unit])
    if seconds > LONGEST_S:
        raise Refused(shown(value), f"at most {format_duration(LONGEST_S)}")
    return seconds


def format_duration(seconds: float) -> str:
    exact = _exact(seconds)
    for unit in ("d", "h", "m", "s", "ms"):
        count = exact / _DURATION_UNITS[unit]
        if count.denominator == 1 and (count or unit == "s"):
            return f"{count.numerator}{unit}"
    return f"{_decimal(seconds)}s"


def parse_size(value: object) -> int:
    """Bytes. Raises Refused."""
    number, unit = _split(value, SIZE_EXPECTED)
    if unit not in _SIZE_UNITS:
        raise Refused(f"{shown(value)}, whose unit is none of {', '.join(_SIZE_UNITS)}", SIZE_EXPECTED)
    size = number * _SIZE_UNITS[unit]
    if size.denominator != 1:
        raise Refused(shown(value), "a whole number of bytes")
    if size > LARGEST_BYTES:
        raise Refused(shown(value), f"at most {format_size(LARGEST_BYTES)}")
    return size.numerator


def format_size(size: int) -> str:
    for unit, factor in reversed(_SIZE_UNITS.items()):
        if size % factor == 0 and size:
            return f"{size // factor}{unit}"
    return f"{size}B"


def parse_rate(value: object) -> float:
    """Events per second. Raises Refused."""
    number, unit = _split(value, RATE_EXPECTED)
    if unit not in _RATE_UNITS:
        raise Refused(f"{shown(value)}, whose unit is none of {', '.join(_RATE_UNITS)}", RATE_EXPECTED)
    rate = float(number * _RATE_UNITS[unit])
    if rate > HIGHEST_PER_S:
        raise Refused(shown(value), f"at most {format_rate(HIGHEST_PER_S)}")
    return rate


def format_rate(rate: float) -> str:
    for unit, factor in _RATE_UNITS.items():
        count = round(_exact(rate) / factor)
        if float(count * factor) == rate:
            return f"{count}{unit}"
    return f"{_decimal(rate)}/s"


def parse_percentage(value: object) -> float:
    """A share of one, at least nothing and possibly more than all: 140% is 1.4. Raises Refused."""
    number, unit = _split(value, SHARE_EXPECTED)
    if unit != "%":
        raise Refused(f"{shown(value)}, whose unit is not %", SHARE_EXPECTED)
    if number > 100_000:
        raise Refused(shown(value), "at most 100000%")
    return float(number / 100)


def parse_share(value: object) -> float:
    """A share of one, from nothing to all: 20% is 0.2. Raises Refused."""
    share = parse_percentage(value)
    if share > 1:
        raise Refused(shown(value), "a share from 0% to 100%")
    return share


def format_share(share: float) -> str:
    return f"{_plain(Decimal(repr(share)) * 100)}%"


def _exact(value: float) -> Fraction:
    """The decimal number a person would read, not the binary one beneath it."""
    return Fraction(repr(value))


def _decimal(value: float) -> str:
    return _plain(Decimal(repr(value)))


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_FORMATS: dict[str, tuple[Callable[[object], float], Callable[[Any], str]]] = {
    "%": (parse_percentage, format_share),
    "/": (parse_rate, format_rate),
    "B": (parse_size, format_size),
}


def between(low: str, high: str) -> AfterValidator:
    """Bounds of a quantity, both included, written with their unit: `Annotated[Duration, between("1ms", "1h")]`."""
    kind = next((mark for mark in _FORMATS if mark in high), None)
    parse, write = _FORMATS[kind] if kind is not None else (parse_duration, format_duration)
    least, most = parse(low), parse(high)

    def check(value: float) -> float:
        if not least <= value <= most:
            raise Refused(write(value), f"{low} to {high}")
        return value

    return AfterValidator(check)


def _schema(pattern: str, description: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "pattern": pattern, "description": description, "examples": list(examples)}
    )


_NUMBER = r"^[0-9]{1,16}(\.[0-9]{1,30})?"

Duration = Annotated[
    float,
    PlainValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    _schema(_NUMBER + "(ms|s|m|h|d)$", "A duration with its unit.", "250ms", "5s", "10m", "1h", "1d"),
]
"""Seconds in the program, `250ms 5s 10m 1h 1d` in the file."""

Size = Annotated[
    int,
    PlainValidator(parse_size),
    PlainSerializer(format_size, return_type=str),
    _schema(_NUMBER + "(B|KiB|MiB|GiB|TiB)$", "A size with its unit.", "512B", "64KiB", "10MiB", "10GiB"),
]
"""Bytes in the program, `64KiB 10MiB` in the file."""

Rate = Annotated[
    float,
    PlainValidator(parse_rate),
    PlainSerializer(format_rate, return_type=str),
    _schema(_NUMBER + "/(s|m|h|d)$", "A rate with its unit.", "100/s", "6000/m"),
]
"""Events per second in the program, `100/s 6000/m` in the file."""

Share = Annotated[
    float,
    PlainValidator(parse_share),
    PlainSerializer(format_share, return_type=str),
    _schema(_NUMBER + "%$", "A share from 0% to 100%.", "20%"),
]
"""0 to 1 in the program, `20%` in the file."""

Percentage = Annotated[
    float,
    PlainValidator(parse_percentage),
    PlainSerializer(format_share, return_type=str),
    _schema(_NUMBER + "%$", "A percentage, which may be more than 100%.", "140%"),
]
"""1.4 in the program, `140%` in the file."""
