from __future__ import annotations

import os

from sync.cipher import Cipher
from sync.core.digests import key_digest
from sync.core.local_batch import Head
from sync.core.op_ids import WINDOW, Done, OpId
from sync.core.versions import KeyState
from sync.postgres.draft import Draft, Known, copied
from tests.harness.replicas import STREAM, Replica, plan

PLAIN = Cipher("note", [], encrypts=False, chance=os.urandom)


def known(**changes: object) -> Known:
    facts: dict[str, object] = {
        "version": 5,
        "origin": "eu:store.aaaa",
        "clock": 0,
        "position": 7,
        "streams": {STREAM: 1},
        "origins": {"eu:store.aaaa": 3},
        "heads": {STREAM: {"eu:store.aaaa": Head(2, b"d" * 32)}},
        "conflict_bytes": 0,
        "held": set(),
    }
    return Known(**{**facts, **changes})  # type: ignore[arg-type]


def test_nothing_of_a_draft_counts_before_it_is_committed() -> None:
    before = known()
    draft = Draft(before)
    assert (draft.origin_id("us:store.aaaa"), draft.origin_id("ap:store.aaaa")) == (4, 5)
    assert draft.origin_id("us:store.aaaa") == 4
    before.own_heads()[STREAM].seq = 99
    assert before.origins == {"eu:store.aaaa": 3}
    assert before.heads[STREAM]["eu:store.aaaa"].seq == 2
    assert draft.finished().of["origin"] == [(4, "us:store.aaaa"), (5, "ap:store.aaaa")]
    assert copied(None).seq == 0


def test_what_is_appended_gets_its_place_in_the_feed_and_is_counted() -> None:
    replica = Replica("us", plan("last_write_wins"))
    replica.write(b"1", now=1000.0)
    replica.write(b"22", now=1000.0)
    log = replica.log[replica.origin]
    draft = Draft(known(), now=1000.0)
    draft.append(log, PLAIN)
    draft.put_states({}, {(STREAM, "k"): replica.state()}, log, [])
    rows = draft.finished()
    assert [row[:4] for row in rows.of["log"]] == [(1, 8, 4, 1), (1, 9, 4, 2)]
    (state,) = rows.of["state"]
    assert state[:4] == (1, 1, 4, 2), "stream, live, and the dot under which its value lies"
    assert state[4:6] == (key_digest("k", replica.state()), b"k")
    assert rows.of["dropped"] == [(1, 4, 1, b"k")]
    (figures,) = rows.of["figures"]
    assert figures == (1, 1, 0, 0, 2, sum(len(one.sealed.head) + len(one.sealed.value) for one in log), 9)


def test_operation_ids_leave_the_window_of_their_client_only() -> None:
    done = Done(b"r", "eu:store.aaaa", 1, 200)
    draft = Draft(known(), now=2.0)
    draft.put_done({OpId("desk", WINDOW + 3): done, OpId("~once", 1): done})
    rows = draft.finished().of
    assert rows["client"] == [("desk", WINDOW + 3)]
    assert rows["below"] == [("desk", 3)]
    assert rows["done"][0] == ("desk", WINDOW + 3, 3, 1, 2000, 200, b"r")


def test_what_a_snapshot_brought_before_the_log_is_not_logged_again() -> None:
    replica = Replica("us", plan("last_write_wins"))
    replica.write(b"1", now=1000.0)
    log = replica.log[replica.origin]
    draft = Draft(known(ahead={(STREAM, replica.origin, 1)}))
    draft.append(log, PLAIN)
    assert (draft.rows.of["log"], draft.position, draft.is_forgetful) == ([], 7, True)
    draft.put_states({(STREAM, "k"): replica.state()}, {(STREAM, "k"): KeyState()}, [], [])
    rows = draft.finished().of
    assert (rows["gone"], rows["state"]) == ([(1, b"k")], [])
    assert rows["figures"] == [(1, -1, 0, 0, 0, 0, 0)]
