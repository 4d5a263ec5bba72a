"""Where clients are sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.models.routes import Redirect
from gateway.core.head import parse_request_head
from gateway.core.redirects import redirect_rules
from gateway.errors import RequestRefused
from tests.harness.routing import head


@pytest.mark.parametrize(
    ("to", "wanted"),
    [
        ("https://new.example${path}", b"https://new.example/a?b=1"),
        ("https://new.example${path}?", b"https://new.example/a?"),
        ("https://new.example${path}#top", b"https://new.example/a#top"),
        ("https://new.example/all", b"https://new.example/all"),
        ("https://${host}/x${query}", b"https://h/x?b=1"),
        ("/moved${path}", b"/moved/a?b=1"),
        ("${path}/", b"/a/?b=1"),
    ],
)
def test_variables_stand_for_the_requests_own(to: str, wanted: bytes) -> None:
    assert redirect_rules(Redirect(to=to)).location(head("/a?b=1")) == wanted


def test_it_is_an_answer_with_a_reason() -> None:
    answer = redirect_rules(Redirect(status=301, to="https://n.example${path}")).answer(head("/a"))
    assert (answer.status, answer.reason, answer.location) == (301, "redirected", b"https://n.example/a")


@given(target=st.binary(min_size=1, max_size=40))
def test_no_target_gets_more_into_the_field_than_a_url(target: bytes) -> None:
    try:
        request = parse_request_head(b"GET /" + target + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    except RequestRefused:
        return
    location = redirect_rules(Redirect(to="https://n.example${path}")).location(request)
    assert location.startswith(b"https://n.example/")
    assert not set(location) & set(b'\r\n\0 <>"\\^`{|}')
    assert not redirect_rules(Redirect(to="${path}")).location(request).startswith(b"//")
