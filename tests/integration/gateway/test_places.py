"""Rows that workers find by name; and four processes that take and give places as fast as they can."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.core.bulkhead import Bulkhead
from gateway.core.compiling import compile_routing
from gateway.node_memory import NodeMemory, create
from gateway.places import MAX_WORKERS, ROWS, PlaceRow, Places
from gateway.proxy.lane import Lane
from gateway.proxy.roles import Waiter
from tests.harness.routing import config, routed

CAP = 40
HOLDER = """
import fcntl, sys
fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
HAMMER = """
import mmap, random, struct, sys
from gateway.core.sharing import Part
from gateway.node_memory import NodeMemory
descriptor, me, uses = (int(word) for word in sys.argv[1:])
places = NodeMemory.shared(descriptor, me=me, workers=4).places
part = Part(places.row("cap"))
part.adopt(40)
# What is in use by each, beside the table: a sum above the cap, at any moment, is a fault.
used, rng, most = mmap.mmap(uses, 4096), random.Random(me), 0
active = 0
for step in range(20000):
    if rng.random() < (0.9 if step // 500 % 4 == me else 0.4):
        if active < part.usable or (part.grow(1) and active < part.usable):
            active += 1
    elif active:
        active -= 1
    struct.pack_into("<I", used, 4 * me, active)
    most = max(most, sum(struct.unpack_from("<4I", used)))
    if step % 50 == 0:
        part.settle(used=active, busy=active, lack=1 if active >= part.usable else 0)
struct.pack_into("<I", used, 4 * me, 0)
part.leave()
print(most)
"""


def places(descriptor: int, me: int = 0, workers: int = 2) -> Places:
    found = NodeMemory.shared(descriptor, me=me, workers=workers).places
    assert found is not None
    return found


def row(of: Places, name: str) -> PlaceRow:
    found = of.row(name)
    assert found is not None
    return found


def test_all_workers_find_the_same_row_by_its_name() -> None:
    descriptor = create()
    first, second = places(descriptor, 0), places(descriptor, 1)
    row(first, "a").write(3, 1)
    row(second, "b").write(9, 9)
    row(second, "a").write(5, 2)
    assert row(first, "a").read() == ((3, 5), (1, 2))
    os.close(descriptor)


def test_a_row_that_nobody_uses_any_more_serves_another_cap_and_one_in_use_does_not() -> None:
    descriptor = create()
    first, second = places(descriptor, 0), places(descriptor, 1)
    rows = [row(first, f"cap {number}") for number in range(ROWS)]
    assert second.row("one too many") is None
    rows[7].write(0, 0)
    row(second, "one too many").write(4, 0)
    assert first.row("cap 7") is None
    assert row(first, "cap 8").read()[0] == (1, 0)
    os.close(descriptor)


def test_more_workers_than_a_row_has_room_for_share_nothing() -> None:
    descriptor = create()
    assert places(descriptor, 3, MAX_WORKERS + 1).row("a") is None
    assert NodeMemory.shared(descriptor, me=0, workers=1).places is None
    assert NodeMemory.alone().places is None
    os.close(descriptor)


def test_four_processes_never_use_more_than_the_cap_together() -> None:
    descriptor, uses = create(), os.memfd_create("uses")
    os.ftruncate(uses, 4096)
    hammers = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, str(descriptor), str(me), str(uses)],
            pass_fds=[descriptor, uses],
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in range(4)
    ]
    most = [int(hammer.communicate(timeout=60)[0]) for hammer in hammers]
    # Each writes its own figure after it has taken or given: one that has just given may still be counted, a moment.
    assert max(most) <= CAP + 3
    assert max(most) > CAP // 2
    held, _ = row(places(descriptor, 0, 4), "cap").read()
    assert held == (1, 0, 0, 0)
    os.close(descriptor)
    os.close(uses)


def test_a_worker_that_could_not_look_for_its_places_shares_as_soon_as_it_can() -> None:
    descriptor = create()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline()
    bulkhead: Bulkhead[Waiter] = Bulkhead()
    lane = Lane(bulkhead, call_soon=lambda call: None, now=0.0, places=places(descriptor))
    service = {"id": "api", "endpoints": [{"region": "eu", "address": "eu-1:80"}], "concurrency": {"max_requests": 8}}
    plan = compile_routing(config(routed(), services=[service]), digest="d", now=0.0, workers=2).services["api"]
    lane.adopt(plan, workers=2, now=0.0)
    lane.look(0.1)
    assert bulkhead.limit == 4, "an equal share, as long as another holds the lock"
    holder.communicate(timeout=60)
    lane.look(0.2)
    assert row(places(descriptor, 1), "requests of api").read()[0][0] > 0
    entered = 0
    while lane.enter():
        entered += 1
    assert entered == 7, "all but the other worker's own place"
    os.close(descriptor)
