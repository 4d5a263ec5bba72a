from __future__ import annotations

from bench.instance import spread_paths
from bench.setting import Setting, route_paths


def test_one_route_takes_everything_and_many_have_a_prefix_each() -> None:
    assert route_paths(Setting()) == ["/"]
    assert route_paths(Setting(routes=3)) == ["/r0/", "/r1/", "/r2/"]


def test_paths_are_spread_from_the_first_route_to_the_last() -> None:
    paths = spread_paths(1000)
    assert len(set(paths)) == 16
    assert (paths[0], paths[-1]) == ("/r0/v1/profile/1", "/r999/v1/profile/1")
