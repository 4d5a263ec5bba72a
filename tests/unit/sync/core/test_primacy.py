"""Who may take a write, from every word that the control process can say."""

from __future__ import annotations

from sync.core.primacy import Elsewhere, Here, NotNow, Primacy, Primary

ALL = ("eu", "us", "ap")


def primacy(*told: Primary) -> Primacy:
    made = Primacy("eu", rpo_s=5.0)
    for one in told:
        made.tell({"eu": one})
    return made


def standing(made: Primacy, *, boot: float = 0.0, regions: tuple[str, ...] = ALL) -> Here | Elsewhere | NotNow:
    return made.standing("catalog", "eu", regions, boot=boot)


def reason(found: Here | Elsewhere | NotNow) -> str:
    assert isinstance(found, NotNow)
    return found.reason


def test_nobody_takes_a_write_before_it_is_known_who_may() -> None:
    assert reason(standing(primacy())) == "primary_unknown"


def test_another_regions_writes_are_carried_there_unless_it_may_not_hold_them() -> None:
    made = primacy(Primary("us"))
    assert standing(made) == Elsewhere("us")
    assert reason(standing(made, regions=("eu", "ap"))) == "no_primary"


def test_a_holder_begins_once_it_has_caught_up_and_ends_with_its_lease() -> None:
    made = primacy(Primary("eu", epoch=3, until=10.0))
    assert reason(standing(made)) == "primary_catching_up"
    made.ready("catalog", 3)
    assert standing(made, boot=9.9) == Here(3)
    assert standing(made, boot=10.0) == Elsewhere("eu"), "to another node of the region, if one holds it"
    assert made.holds("eu", 3, boot=9.9)
    assert not made.holds("eu", 3, boot=10.0)
    made.tell({"eu": Primary("eu", epoch=3, until=20.0)})
    assert standing(made, boot=12.0) == Here(3)


def test_a_new_epoch_catches_up_anew_and_an_older_one_is_a_late_word() -> None:
    made = primacy(Primary("eu", epoch=3, until=10.0))
    made.ready("catalog", 3)
    made.tell({"eu": Primary("eu", epoch=5, until=20.0)})
    assert reason(standing(made)) == "primary_catching_up"
    assert not made.holds("eu", 3, boot=0.0), "what was begun in the epoch before is not acknowledged in this one"
    made.tell({"eu": Primary("eu", epoch=3, until=99.0)})
    assert made.held("eu", boot=50.0) is None


def test_a_control_process_that_starts_anew_does_not_end_what_its_predecessor_held() -> None:
    made = primacy(Primary("eu", epoch=3, until=10.0), Primary("eu"))
    made.ready("catalog", 3)
    assert standing(made, boot=9.0) == Here(3)
    assert standing(made, boot=11.0) == Elsewhere("eu")


def test_what_is_revoked_or_deposed_ends_at_once() -> None:
    held = Primary("eu", epoch=3, until=10.0)
    for last in (Primary("eu", is_revoked=True), Primary("us")):
        made = primacy(held, last)
        made.ready("catalog", 3)
        assert isinstance(standing(made), Elsewhere)
        assert not made.holds("eu", 3, boot=0.0)
        assert made.held("eu", boot=0.0) is None


def test_a_primary_whose_successors_fall_behind_stops_after_the_objective() -> None:
    made = primacy(Primary("eu", epoch=1, until=99.0, eligible=("us",)))

    def lacks(written: int, confirmed: int, now: float) -> str | None:
        members = {"us:store": confirmed, "ap:store": 99, "eu:other": 99}
        return made.lacks_successor("catalog", "eu", ALL, written, members, now=now)

    assert lacks(5, 5, 0.0) is None
    assert lacks(6, 5, 1.0) is None
    assert lacks(7, 5, 6.0) is None, "within the objective of 5 s"
    assert lacks(8, 5, 6.1) == "no region that could follow has confirmed the last 3 writes for 5 s"
    assert lacks(8, 8, 7.0) is None
    assert lacks(9, 8, 20.0) is None, "counted anew"


def test_without_anybody_who_could_follow_there_is_nobody_to_wait_for() -> None:
    made = primacy(Primary("eu", epoch=1, until=99.0, eligible=("us",)))
    for now in (0.0, 60.0):
        assert made.lacks_successor("catalog", "eu", ("eu", "ap"), 9, {}, now=now) is None
