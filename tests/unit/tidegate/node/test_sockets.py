"""Listening sockets."""

from __future__ import annotations

import errno
import socket

import pytest

from tests.harness.node import ports
from tidegate.node import sockets
from tidegate.node.plan import Address
from tidegate.node.sockets import AddressUnavailable


def address(host: str = "127.0.0.1", port: int | None = None) -> Address:
    return Address("public", host, port if port is not None else ports(1)[0], "listeners[0].bind")


def test_several_slots_listen_on_one_port() -> None:
    where = address()
    with sockets.listen(where) as one, sockets.listen(where) as other:
        assert one.getsockname() == other.getsockname() == ("127.0.0.1", where.port)
        assert not one.getblocking()


def test_how_many_wait_to_be_accepted_is_known() -> None:
    where = address()
    with sockets.listen(where) as listening:
        clients = [socket.create_connection(("127.0.0.1", where.port)) for _ in range(3)]
        assert sockets.queued(listening) == 3
        listening.accept()[0].close()
        assert sockets.queued(listening) == 2
        for client in clients:
            client.close()


def test_a_free_port_is_free_and_stays_so() -> None:
    where = address()
    sockets.check_free(where)
    sockets.check_free(where)
    sockets.listen(where).close()


def test_a_port_that_somebody_listens_on_is_not_free_even_if_they_would_share() -> None:
    where = address()
    with sockets.listen(where), pytest.raises(AddressUnavailable) as refused:
        sockets.check_free(where)
    assert str(refused.value) == (
        f'listener "public" cannot listen on 127.0.0.1:{where.port}: port {where.port} is in use by another program; '
        f"stop that program (`ss -ltnp 'sport = :{where.port}'` names it) or change listeners[0].bind"
    )


def test_a_port_with_connections_of_the_last_run_is_free() -> None:
    where = address()
    with sockets.listen(where) as listening:
        listening.setblocking(True)  # noqa: FBT003 - its only form
        client = socket.create_connection(("127.0.0.1", where.port))
        served, _ = listening.accept()
    served.close()  # the server's side closes first, so the port is in TIME_WAIT
    client.close()
    sockets.check_free(where)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(AddressUnavailable, match=r"192\.0\.2\.1 is not an address of this machine; change listeners"):
        sockets.listen(address("192.0.2.1"))


def test_a_forbidden_port_says_what_would_allow_it() -> None:
    sentence = sockets.sentence(address(port=80), OSError(errno.EACCES, "Permission denied"))
    assert "CAP_NET_BIND_SERVICE" in sentence
    assert "listeners[0].bind" in sentence


def test_any_other_failure_names_listener_and_option() -> None:
    sentence = sockets.sentence(address(port=80), OSError(errno.EMFILE, "Too many open files"))
    assert sentence == (
        'listener "public" cannot listen on 127.0.0.1:80: Too many open files; change listeners[0].bind'
    )
