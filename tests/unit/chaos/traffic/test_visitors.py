"""A jar keeps what it is given, as a browser does."""

from __future__ import annotations

from chaos.traffic.visitors import Jar


def test_a_cookie_is_sent_back_without_its_attributes_until_another_takes_its_place() -> None:
    jar = Jar()
    assert jar.headers() == {}
    jar.take("tidegate_session=abc-_1; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600")
    jar.take(None)
    assert jar.headers() == {"Cookie": "tidegate_session=abc-_1"}
    jar.take("tidegate_session=def; Path=/")
    assert jar.headers() == {"Cookie": "tidegate_session=def"}
