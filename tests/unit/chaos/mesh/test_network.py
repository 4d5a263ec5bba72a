"""What can be said of the networks without making any."""

from __future__ import annotations

from chaos.mesh.network import INSIDE, isolated, outside, within


def test_who_is_inside_already_goes_on() -> None:
    assert isolated(("-m", "chaos"), {INSIDE: "1"}) is None


def test_programs_under_test_inherit_nothing_of_ours() -> None:
    environ = {"PATH": "/bin", INSIDE: "1", "TIDEGATE_TOKEN": "t", "CHAOS_ADMIN": "a"}
    assert outside(environ) == {"PATH": "/bin"}


def test_a_command_within_a_region_becomes_that_command() -> None:
    assert within("eu-west", ("redis-server", "--port")) == (
        "nsenter",
        "--net=/run/netns/eu-west",
        "redis-server",
        "--port",
    )
