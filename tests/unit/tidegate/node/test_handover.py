"""How a new node takes the sockets of orphans."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from tests.harness.node import ports
from tidegate.node import sockets
from tidegate.node.handover import DataDirSockets, Held, ask, offer, peer_uid, socket_name
from tidegate.node.plan import Address


def serve_once(listening: socket.socket, held: dict[Held, int]) -> threading.Thread:
    def serve() -> None:
        listening.setblocking(True)  # noqa: FBT003 - its only form
        connection, _ = listening.accept()
        with connection:
            offer(connection, held)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_the_very_same_socket_arrives_with_its_queue(tmp_path: Path) -> None:
    directory = DataDirSockets(tmp_path)
    port = ports(1)[0]
    with sockets.listen(Address("public", "127.0.0.1", port, "")) as mine:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"queued")
        offering = directory.listen(socket_name(7))
        thread = serve_once(offering, {Held("public", 1): mine.fileno()})
        received = ask(directory, 7)
        thread.join()
        offering.close()
    # The orphan's own copy is closed by now; the connection that waited is served from the copy.
    [(what, taken)] = received.items()
    assert what == Held("public", 1)
    taken.setblocking(True)  # noqa: FBT003 - its only form
    served, _ = taken.accept()
    assert served.recv(16) == b"queued"
    for each in (served, taken, client):
        each.close()
    directory.close()


def test_an_orphan_that_does_not_answer_costs_a_bounded_wait(tmp_path: Path) -> None:
    directory = DataDirSockets(tmp_path)
    assert ask(directory, 7, wait_s=0.05) == {}
    directory.close()


def test_a_path_of_any_length_will_do(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-directory-with-a-long-name"] * 6)
    deep.mkdir(parents=True)
    assert len(str(deep)) > 108
    directory = DataDirSockets(deep)
    with directory.listen("x.sock") as listening, directory.connect("x.sock") as connected:
        assert directory.names() == ["x.sock"]
        listening.setblocking(True)  # noqa: FBT003 - its only form
        accepted, _ = listening.accept()
        with accepted:
            assert peer_uid(accepted) == os.geteuid()
            assert connected.send(b"x") == 1
    directory.remove("x.sock")
    directory.remove("x.sock")
    assert directory.names() == []
    with pytest.raises(FileNotFoundError):
        directory.connect("x.sock")
    directory.close()


def test_a_left_over_socket_is_replaced(tmp_path: Path) -> None:
    directory = DataDirSockets(tmp_path)
    directory.listen("x.sock").close()
    with directory.listen("x.sock"), directory.connect("x.sock"):
        pass
    directory.close()


def test_only_the_owner_may_connect(tmp_path: Path) -> None:
    directory = DataDirSockets(tmp_path)
    with directory.listen("x.sock"):
        assert (tmp_path / "x.sock").stat().st_mode & 0o777 == 0o600
    directory.close()
