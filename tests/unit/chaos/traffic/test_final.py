"""What answers mean, read at the end."""

from __future__ import annotations

import base64
import json

import pytest

from chaos.traffic.final import NotReadable, kept, reading
from chaos.traffic.sending import Got


def test_two_regions_that_hold_the_same_are_equal_whatever_the_order() -> None:
    assert kept({"2@o": "b", "1@o": "a", "3@p": None}) == kept({"3@p": None, "1@o": "a", "2@o": "b"})
    assert kept({"2@o": "b", "1@o": "a"}).values == ("a", "b")


def test_a_reading_is_one_value_or_siblings_or_nothing() -> None:
    siblings = [{"version": "1@o", "value_base64": base64.b64encode(b"a").decode()}]
    assert reading(Got(200, {"ETag": '"1@o"'}, b"a"), "k").values == ("a",)
    assert reading(Got(300, {}, json.dumps({"siblings": siblings}).encode()), "k").versions == ("1@o",)
    assert reading(Got(404), "k").values == ()


def test_a_region_that_does_not_say_is_not_taken_for_empty() -> None:
    with pytest.raises(NotReadable, match="notes/k in eu: 503"):
        reading(Got(503, {}, b'{"reason": "store_unavailable"}'), "notes/k in eu")
