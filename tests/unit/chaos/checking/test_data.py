"""Each promise of the data is seen to be broken where it is, and nowhere else."""

from __future__ import annotations

import pytest

from chaos.checking import data
from chaos.traffic.history import Attempt, History, Kept, Seen, Survival
from tests.unit.chaos.histories import holds, well, write

CHECKS = (data.lost, data.phantoms, data.divergence, data.sessions, data.repeated, data.leaks)


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_is_found_where_all_is_well(check: object) -> None:
    assert [*check(well())] == []  # type: ignore[operator]


def test_a_sibling_that_is_gone_in_one_region_is_lost() -> None:
    history = well()
    holds(history, "notes", "heap/1", "a:1", regions=("us-east",))
    assert [*data.lost(history)] == ["b:1 (heap) is not in notes/heap/1 in us-east, which holds ['a:1']"]


def test_the_end_of_a_chain_that_is_gone_is_lost_and_what_it_replaced_is_not() -> None:
    history = well()
    holds(history, "notes", "chain/1", "c:1")
    assert {one.partition(" ")[0] for one in data.lost(history)} == {"c:2"}


def test_a_chain_that_ends_in_a_delete_may_be_forgotten_altogether() -> None:
    history = well()
    history.operations.append(write("c:3", "chain/1", discipline="chain", place=3, value=None, at=13.0))
    for region in history.final.values():
        del region["notes"]["chain/1"]
    assert [*data.lost(history)] == []


def test_a_race_that_neither_stands_nor_was_replaced_nor_is_a_recorded_loser_is_lost() -> None:
    history = well()
    history.losers = {}
    assert {one.partition(" ")[0] for one in data.lost(history)} == {"d:1"}


def test_a_race_that_was_replaced_by_who_had_seen_it_is_not_lost() -> None:
    history = well()
    history.losers = {}
    next(one for one in history.operations if one.op_id == "e:1").vector = {"o": 1, "p": 1}
    assert [*data.lost(history)] == []


def test_an_unanswered_write_may_have_replaced_a_race_only_where_the_region_has_seen_it() -> None:
    history = well()
    history.losers = {}
    unknown = write("f:1", "race/1", discipline="race", collection="settings", at=12.0)
    unknown.acknowledged_at = None
    history.operations.append(unknown)
    assert [*data.lost(history)] != []
    for region in history.final.values():
        kept = region["settings"]["race/1"]
        region["settings"]["race/1"] = Kept(kept.values, kept.versions, {"o": 1})
    assert [*data.lost(history)] == []


def test_what_nobody_wrote_is_a_phantom_whether_it_was_read_or_stands() -> None:
    history = well()
    history.reads.append(Seen("c", "us-east", "notes", "chain/1", 13.0, 200, "x", 1))
    holds(history, "notes", "heap/9", "y", regions=("eu-west",))
    assert len([*data.phantoms(history)]) == 2


def test_regions_that_hold_different_things_diverge_also_when_one_holds_nothing() -> None:
    history = well()
    holds(history, "notes", "heap/1", "a:1", regions=("eu-central",))
    del history.final["us-east"]["settings"]["race/1"]
    assert [*data.divergence(history)] == [
        "eu-west and eu-central differ on notes/heap/1",
        "eu-west and us-east differ on settings/race/1",
    ]


def test_a_session_that_finds_less_than_it_knew_went_back_and_one_that_is_told_to_wait_did_not() -> None:
    history = well()
    history.reads += [
        Seen("c", "eu-central", "notes", "chain/1", 13.0, 200, "c:1", 2),
        Seen("c", "eu-central", "notes", "chain/1", 13.0, 404, None, 2),
        Seen("c", "eu-central", "notes", "chain/1", 13.0, 503, None, 2),
        Seen("c", "eu-central", "notes", "chain/1", 13.0, None, None, 2),
    ]
    assert len([*data.sessions(history)]) == 2


def test_what_was_deleted_and_is_read_again_is_back() -> None:
    history = well()
    history.operations.append(write("c:3", "chain/1", discipline="chain", place=3, value=None, at=13.0))
    history.reads.append(Seen("c", "us-east", "notes", "chain/1", 14.0, 404, None, 3, was_deleted=True))
    assert [*data.sessions(history)] == []
    history.reads.append(Seen("c", "us-east", "notes", "chain/1", 14.0, 200, "c:2", 3, was_deleted=True))
    assert len([*data.sessions(history)]) == 1


def test_one_operation_that_stands_twice_is_repeated() -> None:
    history = well()
    holds(history, "notes", "heap/1", "a:1", "a:1", "b:1", regions=("us-east",))
    assert [*data.repeated(history)] == ["us-east holds 'a:1' 2 times in notes/heap/1"]


def test_what_was_acknowledged_and_is_gone_or_another_after_a_kill_is_forgotten() -> None:
    found = {"v": [], None: ["None"], "w": ["'w'"]}
    for value, said in found.items():
        told = [*data.forgotten([Survival("k", "v", "eu-west", value)])]
        assert told == [f"eu-west acknowledged k, was killed, and holds {one}" for one in said]


def test_personal_data_is_leaked_when_the_forbidden_region_takes_it_or_has_it_in_a_file() -> None:
    history = History()
    one = write("p:1", "x", collection="profiles")
    one.attempts.append(Attempt("us-east", 1.0, 1.1, 201))
    history.operations.append(one)
    history.canaries_found = ["log.sqlite"]
    assert [*data.leaks(history)] == ["p:1 was acknowledged in us-east", "personal data lies in log.sqlite"]
