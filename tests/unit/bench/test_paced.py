from __future__ import annotations

import pytest

from bench.paced import pace, quantile, request_bytes


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (0.999, 100), (0.0, 1)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(share: float, expected: int) -> None:
    assert quantile([float(value) for value in range(1, 101)], share) == expected


def test_of_a_single_request_every_quantile_is_its_own_time() -> None:
    found = pace([0.25], [0.01], 0)
    assert (found.p50_s, found.p99_s, found.p999_s, found.client_late_p99_s) == (0.25, 0.25, 0.25, 0.01)


def test_the_request_is_whole_and_has_thirteen_fields() -> None:
    request = request_bytes(80, "/x")
    assert request.startswith(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:80\r\n")
    assert request.endswith(b"\r\n\r\n")
    assert request.count(b"\r\n") == 1 + 13 + 1
