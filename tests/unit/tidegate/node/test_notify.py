"""What systemd is told."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidegate.node.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"\0tidegate-test-{tmp_path.name}" if request.param == "abstract" else str(tmp_path / "n.sock")
        listening.bind(name)
        yield name.replace("\0", "@"), listening


def test_ready_reloading_and_stopping_are_told(heard: tuple[str, socket.socket]) -> None:
    address, listening = heard
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.ready("serving as gw1")
    notifier.reloading()
    notifier.stopping()
    assert listening.recv(200) == b"READY=1\nSTATUS=serving as gw1"
    state, _, at = listening.recv(200).partition(b"\nMONOTONIC_USEC=")
    assert state == b"RELOADING=1"
    assert int(at) > 0
    assert listening.recv(200).startswith(b"STOPPING=1")


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_a_node_that_nobody_watches_says_nothing(environ: dict[str, str]) -> None:
    Notifier(environ).ready("x")
