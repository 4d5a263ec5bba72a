"""What cookies say, to whom, and for how long."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.core.signing import Signer
from config.models.services import CookieAttributes
from gateway.core import reasons
from gateway.core.head import RequestHead, parse_request_head
from gateway.core.sticky_cookie import MAX_COOKIES, MAX_OPENED, Session, StickyCookie
from tests.unit.gateway.core.test_standing import endpoint

OLD, NEW = b"old key", b"new key"
WALL = 1_700_000_000.0
ONE, OTHER = endpoint("10.0.0.1:80"), endpoint("10.0.0.2:80")


def cookie(*keys: bytes, service: str = "api", **attributes: Any) -> StickyCookie:
    signer = Signer(keys or (NEW,))
    return StickyCookie(service, "tidegate_session", CookieAttributes(**attributes), "any_available", signer)


def value_of(line: bytes) -> str:
    return line.partition(b"=")[2].partition(b";")[0].decode()


def request(*cookies: str) -> RequestHead:
    lines = "".join(f"Cookie: {each}\r\n" for each in cookies)
    return parse_request_head(f"GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n".encode("latin-1"))


def given_by(sticky: StickyCookie, *, wall: float = WALL, session: int = 7) -> str:
    return f"tidegate_session={value_of(sticky.line(session, ONE, wall=wall))}"


def found(sticky: StickyCookie, text: str, *, wall: float = WALL) -> Session | None:
    return sticky.read(request(text), wall=wall)[0]


def test_a_cookie_leads_back_to_its_session_and_endpoint() -> None:
    sticky = cookie()
    session = found(sticky, given_by(sticky))
    assert session is not None
    assert (session.id, session.written_at, session.is_by_old_key) == (7, WALL, False)
    assert sticky.marked([OTHER, ONE])[session.mark] is ONE


def test_it_reveals_neither_region_nor_endpoint() -> None:
    sticky = cookie()
    line = sticky.line(7, ONE, wall=WALL)
    raw = base64.urlsafe_b64decode(value_of(line) + "==")
    for secret in (b"10.0.0.1", b"api", b"eu"):
        assert secret not in line
        assert secret not in raw
    elsewhere = cookie(b"another mesh")
    assert not sticky.marked([ONE]).keys() & elsewhere.marked([ONE]).keys()


@pytest.mark.parametrize(
    ("attributes", "rendered"),
    [
        ({}, b"; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"),
        ({"max_age": None, "http_only": False, "secure": False}, b"; Path=/; SameSite=Lax"),
        (
            {"path": "/a", "domain": "example.com", "same_site": "None", "max_age": "90s"},
            b"; Path=/a; Domain=example.com; Max-Age=90; HttpOnly; Secure; SameSite=None",
        ),
    ],
)
def test_browsers_are_told_what_the_operator_wrote(attributes: dict[str, Any], rendered: bytes) -> None:
    line = cookie(**attributes).line(1, ONE, wall=WALL)
    assert line.startswith(b"Set-Cookie: tidegate_session=")
    assert line.endswith(rendered + b"\r\n")


def test_all_keys_verify_and_what_an_old_one_signed_is_written_anew_with_the_first() -> None:
    before, after = cookie(OLD), cookie(NEW, OLD)
    session = found(after, given_by(before))
    assert session is not None
    assert session.is_by_old_key
    assert after.is_due(session, wall=WALL)
    assert after.marked([ONE])[session.mark] is ONE
    anew = found(after, given_by(after))
    assert anew is not None
    assert not after.is_due(anew, wall=WALL)
    assert found(cookie(NEW), given_by(before)) is None
    assert found(cookie(NEW), given_by(after)) == anew


def test_it_lives_as_long_as_its_age_and_is_renewed_at_half_of_it() -> None:
    sticky = cookie(max_age="100s")
    text = given_by(sticky)
    session = found(sticky, text, wall=WALL + 100)
    assert session is not None
    assert [sticky.is_due(session, wall=WALL + age) for age in (0, 50, 51, 100)] == [False, False, True, True]
    assert sticky.read(request(text), wall=WALL + 101) == (None, reasons.COOKIE_EXPIRED)
    assert found(sticky, text, wall=WALL - 10_000) == session  # a clock that went back expires nothing
    for_ever = cookie(max_age=None)
    lasting = found(for_ever, given_by(for_ever), wall=WALL + 1e9)
    assert lasting is not None
    assert not for_ever.is_due(lasting, wall=WALL + 1e9)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "é", "a" * 9000, "=", '"', "A" * 48])
def test_what_nobody_of_ours_has_written_is_refused(text: str) -> None:
    assert cookie().read(request(f"tidegate_session={text}"), wall=WALL) == (None, reasons.COOKIE_REFUSED)


@given(at=st.integers(0, 47), letter=st.sampled_from("AB9_-"))
def test_no_letter_of_it_can_be_changed(at: int, letter: str) -> None:
    sticky = cookie()
    value = value_of(sticky.line(7, ONE, wall=WALL))
    assert len(value) == 48  # 36 bytes: no letter has bits that say nothing
    if value[at] != letter:
        assert found(sticky, f"tidegate_session={value[:at]}{letter}{value[at + 1 :]}") is None


def test_another_services_cookie_and_another_purpose_are_refused() -> None:
    sticky = cookie()
    assert found(sticky, given_by(cookie(service="web"))) is None
    sealed = Signer((NEW,)).seal("split api", bytes(20))
    assert found(sticky, f"tidegate_session={sealed}") is None
    short = Signer((NEW,)).seal("sticky api", bytes(19))
    assert found(sticky, f"tidegate_session={short}") is None


def test_of_several_with_its_name_the_first_genuine_one_counts_and_not_endlessly_many_are_tried() -> None:
    sticky = cookie()
    good, bad = given_by(sticky), "tidegate_session=bad"
    assert found(sticky, f"a=b; {bad}; {good}; c=d") is not None
    assert found(sticky, "; ".join([bad] * MAX_COOKIES + [good])) is None


def test_without_a_cookie_it_says_so_and_without_keys_it_reads_and_writes_none() -> None:
    assert cookie().read(request("a=b"), wall=WALL) == (None, reasons.COOKIE_MISSING)
    blind = StickyCookie("api", "tidegate_session", CookieAttributes(), "error", None)
    assert not blind.is_readable
    assert blind.read(request(given_by(cookie())), wall=WALL) == (None, reasons.COOKIE_REFUSED)
    assert blind.line(1, ONE, wall=WALL) == b""
    assert blind.marked([ONE]) == {}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        (b"Host: h\r\n", b"Host: h\r\n"),
        (b"Cookie: tidegate_session=x\r\nA: b\r\n", b"A: b\r\n"),
        (b"cookie:a=b;tidegate_session=x;c=d\r\n", b"cookie: a=b; c=d\r\n"),
        (b"Cookie: tidegate_session=x; tidegate_session=y\r\nCookie: z=1\r\n", b"Cookie: z=1\r\n"),
        (b"Cookie: not_tidegate_session=x\r\n", b"Cookie: not_tidegate_session=x\r\n"),
        (b"X: tidegate_session=x\r\n", b"X: tidegate_session=x\r\n"),
    ],
)
def test_the_application_does_not_see_it(fields: bytes, left: bytes) -> None:
    assert cookie().stripped(fields) == left


def test_what_is_remembered_is_bounded() -> None:
    sticky = cookie()
    for number in range(MAX_OPENED + 10):
        assert found(sticky, given_by(sticky, session=number)) is not None
    assert len(sticky._opened) <= MAX_OPENED
    for number in range(200):
        sticky.marked([endpoint(f"10.0.1.{number}:80")])
    assert len(sticky._marks) < 100
