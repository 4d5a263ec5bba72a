"""Sockets that the service manager passes, on real descriptors."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tests.harness.node import ports
from tidegate.node.activation import ActivationRefused, Passed, children_environment, fit, inherited
from tidegate.node.plan import Address

PID = 4711


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        os.set_inheritable(made.fileno(), True)  # noqa: FBT003 - its only form
        yield made


def environ(count: object = 1, names: str | None = "public", pid: int = PID) -> dict[str, str]:
    given = {"LISTEN_PID": str(pid), "LISTEN_FDS": str(count), "PATH": "/bin"}
    return given if names is None else {**given, "LISTEN_FDNAMES": names}


def passed(listening: socket.socket, name: str = "public") -> list[Passed]:
    [found] = inherited(environ(names=name), pid=PID, first=listening.fileno())
    found.socket.detach()  # the fixture closes it
    return [Passed(name, listening)]


def at(port: int, name: str = "public") -> Address:
    return Address(name, "127.0.0.1", port, "listeners[0].bind")


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def test_a_listening_socket_is_taken_with_its_name_and_never_waits_nor_is_inherited_further(
    listening: socket.socket,
) -> None:
    [found] = inherited(environ(), pid=PID, first=listening.fileno())
    assert (found.name, found.socket.getsockname()) == ("public", listening.getsockname())
    assert not found.socket.getblocking()
    assert not os.get_inheritable(listening.fileno())
    assert str(found) == f'descriptor {listening.fileno()} ("public", 127.0.0.1:{port_of(listening)})'
    found.socket.detach()


@pytest.mark.parametrize("given", [{}, {"LISTEN_FDS": "1"}, environ(pid=PID + 1)])
def test_what_was_passed_to_nobody_or_to_another_process_is_left_alone(given: dict[str, str]) -> None:
    assert inherited(given, pid=PID) == []


def test_without_names_each_is_unknown(listening: socket.socket) -> None:
    [found] = inherited(environ(names=None), pid=PID, first=listening.fileno())
    assert found.name == "unknown"
    found.socket.detach()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (environ("two"), 'LISTEN_FDS is "two", a number of descriptors was expected'),
        (environ("-1"), 'LISTEN_FDS is "-1"'),
        (environ(2, "public"), "LISTEN_FDNAMES names 1 descriptors, LISTEN_FDS says that 2 were passed"),
    ],
)
def test_variables_that_make_no_sense_are_refused(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(ActivationRefused, match=sentence):
        inherited(given, pid=PID)


def test_a_descriptor_that_is_no_listening_tcp_socket_is_refused() -> None:
    for other in (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    ):
        with other, pytest.raises(ActivationRefused, match="is not a listening TCP socket; ListenStream="):
            inherited(environ(), pid=PID, first=other.fileno())


def test_a_descriptor_that_is_no_socket_is_refused() -> None:
    reading, writing = os.pipe()
    with pytest.raises(ActivationRefused, match=r'descriptor \d+ \("public"\) .* is no socket'):
        inherited(environ(), pid=PID, first=reading)
    os.close(reading)
    os.close(writing)


def test_children_are_not_told_of_descriptors_that_they_do_not_have() -> None:
    assert children_environment(environ()) == {"PATH": "/bin"}


def test_a_socket_belongs_to_the_listener_of_its_name_wherever_it_stands(listening: socket.socket) -> None:
    elsewhere, here = at(1), at(port_of(listening), "other")
    assert fit(passed(listening, "public"), [here, elsewhere]) == {elsewhere: [listening]}


def test_a_socket_of_another_name_belongs_to_the_listener_at_its_address(listening: socket.socket) -> None:
    here = at(port_of(listening))
    assert fit(passed(listening, "tidegate.socket"), [at(ports(1)[0], "other"), here]) == {here: [listening]}


def test_a_listener_may_have_several_sockets(listening: socket.socket) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as sixth:
        both = [*passed(listening), *passed(sixth)]
        assert fit(both, [at(80)]) == {at(80): [listening, sixth]}


def test_a_socket_that_fits_no_listener_is_refused_in_a_sentence(listening: socket.socket) -> None:
    with pytest.raises(ActivationRefused) as refused:
        fit(passed(listening, "web.socket"), [at(1), at(2, "admin")])
    assert str(refused.value) == (
        f'descriptor {listening.fileno()} ("web.socket", 127.0.0.1:{port_of(listening)}) was passed by the service '
        "manager and fits no listener; give it a listener's name (FileDescriptorName= in systemd) or address, of "
        '"public" (127.0.0.1:1), "admin" (127.0.0.1:2), or pass it no more'
    )


def test_a_listener_whose_host_is_unknown_is_nowhere(listening: socket.socket) -> None:
    nowhere = Address("public", "no.such.host.invalid", port_of(listening), "")
    with pytest.raises(ActivationRefused, match="fits no listener"):
        fit(passed(listening, "x"), [nowhere])
