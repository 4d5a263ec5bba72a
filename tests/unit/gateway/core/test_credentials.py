"""Credentials as they come, well made and badly made."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.credentials import BEARER, Password, read_basic, read_bearer, read_key, refused
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.problems import Answer


def head(*fields: bytes) -> RequestHead:
    return parse_request_head(b"\r\n".join((b"GET / HTTP/1.1", b"Host: h", *fields, b"", b"")))


def basic(content: bytes) -> Password | Answer:
    return read_basic(head(b"Authorization: Basic " + base64.b64encode(content)))


def reason(found: object) -> str:
    assert isinstance(found, Answer)
    assert found.status == 401
    assert found.fields[0].startswith(b"WWW-Authenticate: ")
    return found.reason


def test_a_user_may_have_colons_in_the_password_and_any_letter_in_the_name() -> None:
    assert basic("zoë:a:b".encode()) == Password("zoë", b"a:b")
    assert read_basic(head(b"authorization: bASIC YTpi")) == Password("a", b"b")


@pytest.mark.parametrize(
    "value",
    [
        b"Basic",
        b"Basic ",
        b"Basic !!!!",
        b"Basic YTpi\xff",
        b"Basic YWI=",
        b"Basic " + base64.b64encode(b"a\x00:b"),
        b"Basic " + base64.b64encode(b"\xff\xfe:b"),
        b"Basic " + base64.b64encode(b"a:" + b"x" * 9000),
    ],
)
def test_malformed_basic_credentials_are_refused(value: bytes) -> None:
    assert reason(read_basic(head(b"Authorization: " + value))) == "credentials_malformed"


def test_missing_and_foreign_credentials_are_missing() -> None:
    assert reason(read_basic(head())) == "credentials_missing"
    assert reason(read_bearer(head(b"Authorization: Basic YTpi"))) == "credentials_missing"
    assert reason(read_key(head(), "X-Api-Key", b"x-api-key")) == "credentials_missing"
    assert reason(read_key(head(b"X-Api-Key:"), "X-Api-Key", b"x-api-key")) == "credentials_missing"


def test_two_credentials_are_one_too_many() -> None:
    twice = head(b"Authorization: Basic YTpi", b"Authorization: Basic YTpj", b"X-Api-Key: a", b"X-Api-Key: b")
    assert reason(read_basic(twice)) == "credentials_malformed"
    assert reason(read_bearer(twice)) == "credentials_malformed"
    assert reason(read_key(twice, "X-Api-Key", b"x-api-key")) == "credentials_malformed"


@pytest.mark.parametrize("token", [b"a b", b"\xe9", b"a,b", b"=", b"x" * 9000])
def test_malformed_bearer_tokens_are_refused(token: bytes) -> None:
    assert reason(read_bearer(head(b"Authorization: Bearer " + token))) == "credentials_malformed"


def test_a_key_is_what_stands_in_its_field() -> None:
    assert read_key(head(b"x-api-key:  abc "), "X-Api-Key", b"x-api-key") == b"abc"
    assert read_bearer(head(b"Authorization: Bearer a.b-c_d=")) == b"a.b-c_d="


def test_a_challenge_cannot_be_broken_out_of() -> None:
    answer = refused("token_refused", 'a "quoted"\r\nX: y\\', BEARER)
    assert b"\r" not in answer.fields[0]
    assert answer.fields[0].count(b'"') == 6


@given(st.binary(max_size=60))
def test_whatever_stands_there_there_is_an_answer(content: bytes) -> None:
    found = basic(content)
    assert isinstance(found, Answer | Password)
