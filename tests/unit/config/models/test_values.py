"""The small values of the file are what they seem, or are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from config.models import values
from config.models.values import Bind, NamedFile, SecretReference
from config.units import Refused


def read(kind: Any, value: object, **context: object) -> Any:
    return TypeAdapter(kind).validate_python(value, context=context)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (values.Slug, ["a", "eu-west", "support_ticket", "v1.2"], ["", "A", "-a", "a-", "a/b", "a:b", "a" * 64, "a\n"]),
        (values.NodeId, ["a", "GW-1.example.com"], ["", "a b", "a,b", "-a", "a" * 254]),
        (values.Country, ["IE", "NO"], ["ie", "IRL", ""]),
        (values.HeaderName, ["X-A", "etag"], ["", "X A", "X:", "X\r\n"]),
        (values.HeaderValue, ["", "a", "a b", "max-age=1"], [" a", "a ", "a\r\nb", "a\0", "ä"]),
        (values.Host, ["a.example", "10.0.0.1", "::1"], ["", "a b", "10.0.0.300", "a..b", "http://a", "fe80::1%eth0"]),
        (values.HostName, ["a.example", "_http._tcp.api"], ["10.0.0.1", "a b"]),
        (
            values.HostPattern,
            ["a.example", "*.a.example", "10.0.0.1", "[::1]"],
            ["*", "a.*", "**.a", "a:80", "*.10.0.0.1"],
        ),
        (
            values.PathPattern,
            ["/", "/*", "/a", "/a/*", "/a%20b"],
            ["", "a", "/a*", "/*/a", "/a?b", "/a#b", "/a b", "*", "/ä"],
        ),
        (values.AbsolutePath, ["/", "/a"], ["", "a", "/a b", "/a?b"]),
        (values.PathAndQuery, ["/", "/a?b=c"], ["", "a", "/a b", "/a#b"]),
        (
            values.Address,
            ["a:1", "10.0.0.1:65535", "[::1]:80"],
            ["a", "a:0", "a:65536", "::1:80", ":80", "a:b", "[a]:80"],
        ),
        (
            values.Url,
            ["http://a", "https://a.example:8443/x?y"],
            ["ftp://a", "http://", "a", "http://a:b", "http://u@a", "http://a b"],
        ),
        (values.Origin, ["https://a.example", "https://a.example/"], ["https://a/x", "https://a?x", "https://u:p@a"]),
    ],
)
def test_a_value_is_what_it_seems_or_is_refused(kind: Any, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert read(kind, value) == value
    for value in bad:
        with pytest.raises(ValidationError):
            read(kind, value)


@pytest.mark.parametrize(
    ("written", "host", "port", "loopback", "wildcard"),
    [
        ("127.0.0.1:80", "127.0.0.1", 80, True, False),
        ("127.8.8.8:80", "127.8.8.8", 80, True, False),
        ("[::1]:80", "::1", 80, True, False),
        ("localhost:80", "localhost", 80, True, False),
        ("0.0.0.0:80", "0.0.0.0", 80, False, True),
        ("[::]:80", "::", 80, False, True),
        ("gw.example:80", "gw.example", 80, False, False),
    ],
)
def test_an_address_to_listen_on_knows_who_can_reach_it(
    written: str,
    host: str,
    port: int,
    loopback: bool,
    wildcard: bool,  # columns of a table
) -> None:
    bind = read(values.BindAddress, written)
    assert bind == Bind(host, port)
    assert str(bind) == written
    assert (bind.is_loopback, bind.is_wildcard) == (loopback, wildcard)
    assert read(values.BindAddress, bind) is bind


def test_a_network_must_be_written_as_one() -> None:
    assert str(read(values.Network, "10.0.0.1")) == "10.0.0.1/32"
    assert str(read(values.Network, "2001:db8::/32")) == "2001:db8::/32"
    with pytest.raises(Refused, match=r'found "10.1.2.3/8", an address inside a network, expected 10.0.0.0/8'):
        values.parse_network("10.1.2.3/8")


def test_paths_start_at_the_folder_of_the_file() -> None:
    for written, path in (
        ("a", "/x/a"),
        ("./a", "/x/a"),
        ("././a/", "/x/a"),
        ("../a", "/x/../a"),
        ("/a", "/a"),
        (".", "/x/."),
    ):
        assert read(values.FilePath, written, folder="/x") == path
        assert read(values.ExistingFile, written, folder="/x") == NamedFile(path)
    assert read(values.FilePath, "a") == "a"
    assert read(values.FilePath, "a", folder="/") == "/a"


def test_a_reference_says_where_a_secret_is() -> None:
    assert read(values.Secret, "env:KEY") == SecretReference("env", "KEY")
    assert read(values.Secret, "file:key", folder="/x") == SecretReference("file", "/x/key")
    assert str(SecretReference("file", "/x/key")) == "file:/x/key"


@pytest.mark.parametrize("value", ["hunter2", "env:", "env:A B", "file:", "ENV:A", "https://hunter2", 12345, True, 1.5])
def test_a_literal_secret_is_refused_without_being_repeated(value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        read(values.Secret, value)
    assert raised.value.errors()[0]["ctx"]["error"].found == "a literal value"


@given(st.integers(100, 599), st.integers(100, 599))
def test_statuses_read_back_as_they_were(one: int, other: int) -> None:
    adapter = TypeAdapter(values.Statuses)
    low, high = sorted((one, other))
    assert adapter.validate_json(adapter.dump_json((low, high))) == (low, high)


@pytest.mark.parametrize("value", [99, 600, "200", "299-200", "2xx", "200-", True, None, [200]])
def test_statuses_out_of_range_are_refused(value: object) -> None:
    with pytest.raises(Refused):
        values.parse_statuses(value)
