"""Sayings live as long as they are repeated by who said them."""

from __future__ import annotations

import msgspec

from health.state.soft import MAX_SOFT_ROWS, MAX_TTL_S, Saying, SoftBook


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def book(owner: str = "a/1") -> tuple[SoftBook, Clock]:
    clock = Clock()
    return SoftBook(owner, clock=clock), clock


def test_what_is_said_is_there_until_its_lease_ends() -> None:
    mine, clock = book()
    mine.announce("node", "a", {"region": "eu"}, ttl_s=5)
    clock.now += 4.9
    assert [(row.key, row.value, round(row.age_s, 1)) for row in mine.rows("node")] == [("a", {"region": "eu"}, 4.9)]
    clock.now += 0.1
    assert mine.rows("node") == ()


def test_a_repeated_message_does_not_keep_a_dead_node_alive() -> None:
    mine, clock = book()
    said = Saying("b/1", 1, "node", "b", {}, 5)
    mine.hear([said])
    for _ in range(5):
        clock.now += 1
        mine.hear([said])
    assert mine.rows("node") == ()


def test_a_new_sequence_prolongs_and_an_old_one_changes_nothing() -> None:
    mine, clock = book()
    mine.hear([Saying("b/1", 2, "node", "b", {"n": 2}, 5)])
    clock.now += 4
    mine.hear([Saying("b/1", 3, "node", "b", {"n": 3}, 5), Saying("b/1", 1, "node", "b", {"n": 1}, 5)])
    clock.now += 4
    assert [row.value for row in mine.rows("node")] == [{"n": 3}]


def test_what_is_withdrawn_is_gone_here_and_where_it_is_heard() -> None:
    mine, _ = book("a/1")
    theirs, _ = book("b/1")
    mine.announce("vote", "eu", {"down": True}, ttl_s=5)
    theirs.hear(mine.mine())
    mine.withdraw("vote", "eu")
    assert mine.rows("vote") == ()
    theirs.hear(mine.mine())
    assert theirs.rows("vote") == ()


def test_a_restarted_node_is_believed_over_its_predecessor() -> None:
    mine, clock = book()
    mine.hear([Saying("b/1", 900, "node", "b", {"run": 1}, 60)])
    clock.now += 1
    mine.hear([Saying("b/2", 1, "node", "b", {"run": 2}, 60)])
    assert [row.value for row in mine.rows("node")] == [{"run": 2}]


def test_a_flood_and_endless_leases_are_turned_away_and_counted() -> None:
    mine, _ = book()
    mine.hear(Saying("b/1", 1, "node", str(number), {}, 60) for number in range(MAX_SOFT_ROWS + 3))
    assert len(mine.rows("node")) == MAX_SOFT_ROWS
    assert mine.refused == 3
    mine.hear([Saying("c/1", 1, "other", "x", {}, MAX_TTL_S + 1), Saying("c/1", 1, "other", "x", {}, float("nan"))])
    assert (mine.rows("other"), mine.refused) == ((), 5)


def test_sayings_travel_as_json() -> None:
    said = Saying("b/1", 1, "node", "b", {"region": "eu"}, 5.0)
    assert msgspec.json.decode(msgspec.json.encode(said), type=Saying) == said
