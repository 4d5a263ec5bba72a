"""Does this condition hold for a request? `region_routing.rules[].when`, compiled once when a configuration is loaded.

    client.continent == 'EU' && request.path.startsWith('/v1/')     native: a few closures, under a microsecond
    anything else                                                   CEL (extra `cel`), about 10 us, only on its route

    client.ip  client.country  client.continent      strings; country and continent are 'unknown' where they are
    request.method  request.host  request.path  request.query  request.headers['x-name']  (lower case; first value)

Native are comparisons (==, !=, in [...], startsWith, endsWith, contains) of one of these with texts, joined by &&, ||,
! and parentheses: the same words mean the same in CEL. CEL cannot be interrupted, so it is bounded before it is run:
its steps are counted (config/core/expression_cost.py), and what could take too many is refused. That holds for at most
4000 characters and one comprehension, texts of a request cut at 4096 characters, and at most 100 headers of 32 KiB
together: for a request with more there is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from config.core.expression_cost import (
    COMPREHENSION,
    MAX_ELEMENTS,
    MAX_FIELDS_BYTES,
    MAX_TEXT,
    MAX_UNITS,
    CostUnknown,
    cost_of,
)

UNKNOWN: Final = "unknown"


class Subject(Protocol):
    """A request and its client, as conditions see them."""

    def text(self, name: str) -> str:
        """`client.ip`, `request.path` and so on."""

    def header(self, name: str) -> str | None:
        """First value; `name` in lower case."""

    def headers(self) -> Mapping[str, str]:
        """All of them, by lower-case name."""


class ConditionRefused(ValueError):
    """It does not compile: what was found, what was expected."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(f"found {found}, expected {expected}")
        self.found = found
        self.expected = expected


class ConditionFailed(Exception):
    """It has no answer for this request, such as a header that is not there. It then does not match."""


Test = Callable[[Subject], bool]

NAMES: Final = (
    "client.ip", "client.country", "client.continent", "request.method", "request.host", "request.path",
    "request.query",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled condition."""

    text: str
    is_native: bool
    uses_place: bool
    """Whether it asks where the client is."""
    test: Test

    def holds(self, subject: Subject) -> bool:
        """Raises `ConditionFailed`."""
        return self.test(subject)


def compile_condition(text: str) -> Condition:
    """Raises `ConditionRefused`."""
    uses_place = "country" in text or "continent" in text
    try:
        return Condition(text, is_native=True, uses_place=uses_place, test=_Parser(text).whole())
    except _NotNativeError:
        return Condition(text, is_native=False, uses_place=uses_place, test=_cel(text))


# Native

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<text>'[^'\\\n]*'|\"[^\"\\\n]*\")|(?P<name>[A-Za-z_][\w.]*)|(?P<sign>&&|\|\||==|!=|[!()\[\],]))"
)
MAX_DEPTH: Final = 32


class _NotNativeError(Exception):
    pass


class _Parser:
    """Recursive descent: or > and > not > comparison."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._depth = 0
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise _NotNativeError
            kind = found.lastgroup or ""
            self._tokens.append((kind, found[kind]))
            at = found.end()
        self._at = 0

    def whole(self) -> Test:
        test = self._either()
        if self._at != len(self._tokens):
            raise _NotNativeError
        return test

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise _NotNativeError
        self._at += 1
        return self._tokens[self._at - 1]

    def _takes(self, sign: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise _NotNativeError

    def _either(self) -> Test:
        tests = [self._both()]
        while self._takes("||"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else _any_of(tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._takes("&&"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else _all_of(tests)

    def _single(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _NotNativeError
        try:
            if self._takes("!"):
                return _negated(self._single())
            if self._takes("("):
                test = self._either()
                self._expect(")")
                return test
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        kind, name = self._next()
        if kind != "name":
            raise _NotNativeError
        if name == "request.headers":
            self._expect("[")
            value = _header(self._literal())
            self._expect("]")
            method = ""
            if self._at < len(self._tokens) and self._tokens[self._at][0] == "name":
                raise _NotNativeError  # `.startsWith` after a bracket: CEL does it
        else:
            name, method = _split_method(name)
            if name not in NAMES:
                raise _NotNativeError
            value = _named(name)
        if method:
            self._expect("(")
            wanted = self._literal()
            self._expect(")")
            return _METHODS[method](value, wanted)
        if self._takes("=="):
            return _equal(value, self._literal())
        if self._takes("!="):
            return _negated(_equal(value, self._literal()))
        if self._next() == ("name", "in"):
            return _among(value, self._list())
        raise _NotNativeError

    def _literal(self) -> str:
        kind, text = self._next()
        if kind != "text":
            raise _NotNativeError
        return text[1:-1]

    def _list(self) -> frozenset[str]:
        self._expect("[")
        found = {self._literal()}
        while self._takes(","):
            found.add(self._literal())
        self._expect("]")
        return frozenset(found)


Value = Callable[[Subject], str]


def _split_method(name: str) -> tuple[str, str]:
    for method in _METHODS:
        if name.endswith("." + method):
            return name[: -len(method) - 1], method
    return name, ""


def _named(name: str) -> Value:
    return lambda subject: subject.text(name)


def _header(name: str) -> Value:
    lower = name.lower()

    def value(subject: Subject) -> str:
        found = subject.header(lower)
        if found is None:
            raise ConditionFailed(f"no header {lower}")
        return found

    return value


def _equal(value: Value, wanted: str) -> Test:
    return lambda subject: value(subject) == wanted


def _among(value: Value, wanted: frozenset[str]) -> Test:
    return lambda subject: value(subject) in wanted


_METHODS: Final[dict[str, Callable[[Value, str], Test]]] = {
    "startsWith": lambda value, wanted: lambda subject: value(subject).startswith(wanted),
    "endsWith": lambda value, wanted: lambda subject: value(subject).endswith(wanted),
    "contains": lambda value, wanted: lambda subject: wanted in value(subject),
}


def _negated(test: Test) -> Test:
    return lambda subject: not test(subject)


def _any_of(tests: list[Test]) -> Test:
    """As CEL: one that holds is enough, even where another has no answer."""

    def test(subject: Subject) -> bool:
        failed: ConditionFailed | None = None
        for each in tests:
            try:
                if each(subject):
                    return True
            except ConditionFailed as error:
                failed = error
        if failed is not None:
            raise failed
        return False

    return test


def _all_of(tests: list[Test]) -> Test:
    """As CEL: one that does not hold is enough, even where another has no answer."""

    def test(subject: Subject) -> bool:
        failed: ConditionFailed | None = None
        for each in tests:
            try:
                if not each(subject):
                    return False
            except ConditionFailed as error:
                failed = error
        if failed is not None:
            raise failed
        return True

    return test


# CEL

_BOUND: Final = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*(\w+)\s*,")
_TEXTS: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_FIELD: Final = re.compile(r"\b(client|request)\s*\.\s*(\w+)")
FUNCTIONS: Final = frozenset(
    ("size", "startsWith", "endsWith", "contains", "matches", "int", "uint", "double", "string", "bool", "type")
)
_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
EXPECTED: Final = "a CEL expression over `client` and `request` that is true or false"


def _cel(text: str) -> Test:
    try:
        import cel  # noqa: PLC0415 - an extra: only who needs it must have it
    except ImportError:
        raise ConditionRefused(
            "a condition that needs CEL, which is not installed", "pip install 'tidegate[cel]', or a simpler condition"
        ) from None
    if len(COMPREHENSION.findall(text)) > 1:
        raise ConditionRefused("more than one comprehension", "at most one of all, exists, exists_one, map, filter")
    _check_cost(text)
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ConditionRefused(_syntax(str(error)), EXPECTED) from None
    _check_names(text, program)

    def test(subject: Subject) -> bool:
        facts = _activation(subject)
        try:
            found = program.execute(facts)
        except Exception as error:  # noqa: BLE001 - whatever the evaluator raises: it has no answer
            raise ConditionFailed(str(error)[:200]) from None
        if found is True or found is False:
            return found
        raise ConditionFailed(f"a result of type {type(found).__name__}")

    _try(program)
    return test


def _check_cost(text: str) -> None:
    try:
        units = cost_of(text)
    except CostUnknown as error:
        raise ConditionRefused(str(error), "a text written out, as in request.path.matches('^/v[0-9]+/')") from None
    if units > MAX_UNITS:
        raise ConditionRefused(f"an expression of up to {units} steps", f"at most {MAX_UNITS}")


def _check_names(text: str, program: Any) -> None:
    """What CEL itself would only find when it gets there."""
    bound = set(_BOUND.findall(text))
    for name in program.variables():
        if name not in {"client", "request"} | bound:
            raise ConditionRefused(f"the unknown name {name}", "client or request")
    for name in program.functions():
        if name[0].isalpha() and name not in FUNCTIONS:
            raise ConditionRefused(f"the unknown function {name}", f"one of {', '.join(sorted(FUNCTIONS))}")
    bare = _TEXTS.sub("''", text)
    for of, field in _FIELD.findall(bare):
        if f"{of}.{field}" not in (*NAMES, "request.headers"):
            raise ConditionRefused(f"the unknown field {of}.{field}", f"one of {', '.join(NAMES)}, request.headers")


def _try(program: Any) -> None:
    """That an expression is no condition shows when it runs; that the sample lacks a header is no mistake."""
    facts = {
        "client": {"ip": "192.0.2.1", "country": UNKNOWN, "continent": UNKNOWN},
        "request": {"method": "GET", "host": "example.com", "path": "/", "query": "", "headers": {}},
    }
    try:
        found = program.execute(facts)
    except Exception:  # noqa: BLE001 - whatever the evaluator raises
        return
    if found is not True and found is not False:
        raise ConditionRefused(f"an expression whose value is a {type(found).__name__}", EXPECTED)


def _activation(subject: Subject) -> dict[str, Any]:
    headers = {name: value[:MAX_TEXT] for name, value in subject.headers().items()}
    if len(headers) > MAX_ELEMENTS or sum(map(len, headers.values())) > MAX_FIELDS_BYTES:
        raise ConditionFailed(f"more than {MAX_ELEMENTS} headers, or more than {MAX_FIELDS_BYTES} bytes of them")
    return {
        "client": {name[7:]: subject.text(name) for name in NAMES[:3]},
        "request": {
            **{name[8:]: subject.text(name)[:MAX_TEXT] for name in NAMES[3:]},
            "headers": headers,
        },
    }


def _syntax(said: str) -> str:
    place = _PLACE.search(said)
    if place is None:
        return said[:200]
    return f"{place[3][:160].strip()} in line {place[1]}, character {place[2]} of the expression"
