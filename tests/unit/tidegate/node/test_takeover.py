"""Where a starting node gets its sockets from."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.node import ports
from tests.unit.tidegate.node.test_handover import serve_once
from tidegate.node import activation, census, handover, sockets
from tidegate.node.plan import Address, NodePlan
from tidegate.node.takeover import Orphan, find_orphans, open_listening


def plan(tmp_path: Path, *, workers: int, port: int, admin_port: int) -> NodePlan:
    return NodePlan(
        node_id="gw1",
        config_file="/x.yaml",
        data_dir=str(tmp_path),
        workers=workers,
        shutdown_grace_s=1.0,
        access_log="-",
        listeners=[Address("public", "127.0.0.1", port, "listeners[0].bind")],
        admin=Address("admin", "127.0.0.1", admin_port, "admin.bind"),
        descriptors=100,
        descriptors_must_fit=False,
    )


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[handover.DataDirSockets]:
    opened = handover.DataDirSockets(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def orphan(tmp_path: Path) -> Iterator[Orphan]:
    """A living process that the census names."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = census.start_time(child.pid)
        assert started is not None
        census.write(tmp_path, 1, [census.Resident("worker", 0, child.pid, started)])
        [found] = find_orphans(tmp_path)
        yield found
        child.kill()


def close(listening_sockets: dict[str, list[socket.socket]], admin: socket.socket) -> None:
    for each in (*(each for mine in listening_sockets.values() for each in mine), admin):
        each.close()


def test_without_orphans_every_worker_gets_a_new_socket(tmp_path: Path, directory: handover.DataDirSockets) -> None:
    port, admin_port = ports(2)
    listening = open_listening(plan(tmp_path, workers=3, port=port, admin_port=admin_port), [], directory)
    assert listening.count() == 3
    assert {each.getsockname()[1] for each in listening.slots["public"]} == {port}
    assert listening.admin.getsockname()[1] == admin_port
    assert listening.descriptors() == {"public": [each.fileno() for each in listening.slots["public"]]}
    listening.close_listeners()
    listening.admin.close()


def test_a_taken_port_leaves_nothing_open(tmp_path: Path, directory: handover.DataDirSockets) -> None:
    port, admin_port = ports(2)
    with (
        sockets.listen(Address("other", "127.0.0.1", admin_port, "")),
        pytest.raises(sockets.AddressUnavailable, match=r'"admin" .* change admin.bind'),
    ):
        open_listening(plan(tmp_path, workers=2, port=port, admin_port=admin_port), [], directory)
    sockets.check_free(Address("public", "127.0.0.1", port, ""))


def test_what_an_orphan_hands_over_is_used_and_the_rest_opened_beside(
    tmp_path: Path, directory: handover.DataDirSockets, orphan: Orphan
) -> None:
    port, admin_port = ports(2)
    theirs = sockets.listen(Address("renamed-since", "127.0.0.1", port, ""))
    stranger = sockets.listen(Address("removed-since", "127.0.0.1", ports(1)[0], ""))
    offering = directory.listen(handover.socket_name(orphan.resident.pid))
    thread = serve_once(
        offering,
        {
            handover.Held("renamed-since", 0): theirs.fileno(),
            handover.Held("removed-since", 0): stranger.fileno(),
        },
    )
    listening = open_listening(plan(tmp_path, workers=2, port=port, admin_port=admin_port), [orphan], directory)
    thread.join()
    inode = os.fstat(theirs.fileno()).st_ino
    assert [os.fstat(each.fileno()).st_ino == inode for each in listening.slots["public"]] == [True, False]
    for each in (theirs, stranger, offering):
        each.close()
    close(listening.slots, listening.admin)


def test_more_sockets_than_workers_are_all_kept(
    tmp_path: Path, directory: handover.DataDirSockets, orphan: Orphan
) -> None:
    port, admin_port = ports(2)
    theirs = [sockets.listen(Address("public", "127.0.0.1", port, "")) for _ in range(3)]
    offering = directory.listen(handover.socket_name(orphan.resident.pid))
    thread = serve_once(offering, {handover.Held("public", slot): each.fileno() for slot, each in enumerate(theirs)})
    listening = open_listening(plan(tmp_path, workers=1, port=port, admin_port=admin_port), [orphan], directory)
    thread.join()
    assert listening.count() == 3
    for each in (*theirs, offering):
        each.close()
    close(listening.slots, listening.admin)


def test_an_orphan_is_signalled_by_who_it_is(orphan: Orphan) -> None:
    orphan.signal(signal.SIGKILL)
    os.waitid(os.P_PID, orphan.resident.pid, os.WEXITED | os.WNOWAIT)
    orphan.signal(signal.SIGTERM)
    orphan.close()


def passed(name: str) -> activation.Passed:
    return activation.Passed(name, socket.create_server(("127.0.0.1", 0)))


def inodes(slots: list[socket.socket]) -> list[int]:
    return [os.fstat(each.fileno()).st_ino for each in slots]


def test_what_the_service_manager_passes_is_all_and_every_worker_has_it(
    tmp_path: Path, directory: handover.DataDirSockets
) -> None:
    one, two, admin = passed("public"), passed("public"), passed("admin")
    where = plan(tmp_path, workers=2, port=ports(1)[0], admin_port=ports(1)[0])
    listening = open_listening(where, [], directory, [one, two, admin])
    first, second = inodes([one.socket, two.socket])
    # Slot k is worker k % 2's: each accepts from both.
    assert inodes(listening.slots["public"]) == [first, first, second, second]
    assert len(set(listening.descriptors()["public"])) == 4, "each slot can be closed without the others"
    assert listening.admin is admin.socket
    sockets.check_free(where.listeners[0])
    close(listening.slots, listening.admin)


def test_nothing_is_bound_beside_a_socket_that_orphans_had_from_the_service_manager(
    tmp_path: Path, directory: handover.DataDirSockets, orphan: Orphan
) -> None:
    theirs = socket.create_server(("127.0.0.1", 0))
    offering = directory.listen(handover.socket_name(orphan.resident.pid))
    thread = serve_once(offering, {handover.Held("public", 0): theirs.fileno()})
    where = plan(tmp_path, workers=2, port=theirs.getsockname()[1], admin_port=ports(1)[0])
    listening = open_listening(where, [orphan], directory)
    thread.join()
    assert inodes(listening.slots["public"]) == inodes([theirs, theirs])
    for each in (theirs, offering):
        each.close()
    close(listening.slots, listening.admin)


def test_what_fits_no_listener_leaves_nothing_open(tmp_path: Path, directory: handover.DataDirSockets) -> None:
    port, admin_port = ports(2)
    where = plan(tmp_path, workers=2, port=port, admin_port=admin_port)
    stranger = passed("stranger")
    with pytest.raises(activation.ActivationRefused, match="fits no listener"):
        open_listening(where, [], directory, [stranger])
    two = [passed("admin"), passed("admin")]
    with pytest.raises(activation.ActivationRefused, match="the admin API takes one listening socket"):
        open_listening(where, [], directory, two)
    sockets.check_free(where.listeners[0])
    for each in (stranger, *two):
        each.socket.close()
