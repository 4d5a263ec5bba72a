"""What a drill measures, when it is aborted, and that everything is given back. Of a real node: see integration."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tidegate.commands import DONE, FAILED
from tidegate.commands.drill import Aborted, Drill, Report, Settings, tell
from tidegate.commands.remote import Declined


class Node:
    """What a node would answer, with time that passes only by waiting."""

    def __init__(self, *, primary: str = "eu", drained_after_s: float = 3.0) -> None:
        self.now = 0.0
        self.primary = primary
        self.drained_after_s = drained_after_s
        self.asked: list[tuple[str, str]] = []
        self.us_health: Callable[[], str] = lambda: "up"
        self.failed: Callable[[], int] = lambda: 0
        self.declines: set[tuple[str, str]] = set()
        self.exposure_s: Callable[[], float | None] = lambda: 1.0
        self.epoch: int | None = 7
        self.leader: str | None = "gw-eu"
        self.to: str | None = "us"

    def ask(self, method: str, path: str, body: Any) -> Any:
        name = path.partition("?")[0]
        if method != "GET":
            self.asked.append((method, name))
        if (method, name) in self.declines:
            raise Declined(409, "it would leave none")
        if name == "/v1/failover":
            if method == "POST":
                self.primary = body.get("to") or "us"
            return self.failover()
        if name == "/v1/status":
            region = {"region": "us", "health": self.us_health(), "reason": "as set"}
            endpoint = {
                "region": "us",
                "endpoint": "api/us/x:1",
                "attempts": int(100 + self.now * 10),
                "connect_failures": self.failed(),
                "failures": 0,
            }
            return {"regions": [region, {"region": "eu", "health": "up", "reason": ""}], "endpoints": [endpoint]}
        return {"state": "drained" if self.now >= self.drained_after_s else "draining"}

    def failover(self) -> Any:
        seconds = self.exposure_s()
        plan = {
            "to": self.to,
            "would_lose": "not known" if seconds is None else f"up to {seconds} s of writes",
            "would_lose_s": seconds,
            "candidates": [{"region": "us", "objections": [], "with_force": ["its data is 9.0 s behind"]}],
        }
        leads = {"primary": self.primary, "epoch": self.epoch, "leader": self.leader}
        return {**leads, "plan": plan, "objectives": {"rto_s": 5.0, "rpo_s": 2.0}}

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def drill(self, *, hold_s: float = 2.0) -> Report:
        settings = Settings("eu", "1s", within_s=10.0, hold_s=hold_s, max_failed=0.05, reason="drill")
        return Drill(settings, self.ask, clock=lambda: self.now, sleep=self.sleep).run()


GIVEN_BACK = [("DELETE", "/v1/regions/eu/drain"), ("POST", "/v1/failover")]


def test_it_measures_the_time_until_nothing_is_left_and_gives_everything_back() -> None:
    node = Node()
    report = node.drill()
    assert (report.recovery_s, report.meets_rto, report.aborted) == (3.0, True, None)
    assert (report.exposure, report.led_meanwhile, report.is_given_back) == ("up to 1.0 s of writes", "us", True)
    assert node.asked == [("POST", "/v1/regions/eu/drain"), ("POST", "/v1/failover"), *GIVEN_BACK]
    assert node.primary == "eu"
    assert node.now == 5.0, "it held for two seconds"


def test_a_region_that_does_not_lead_is_only_drained() -> None:
    node = Node(primary="us")
    assert node.drill().led_meanwhile is None
    assert node.asked == [("POST", "/v1/regions/eu/drain"), ("DELETE", "/v1/regions/eu/drain")]


def told(report: Report) -> tuple[int, str]:
    """Exit code and text."""
    out = io.StringIO()
    return tell(report, as_json=False, out=out), out.getvalue()


def test_both_objectives_met_is_done() -> None:
    code, text = told(Node().drill())
    assert code == DONE
    assert "within the objective of 5 s" in text
    assert "exposure: up to 1.0 s of writes, within the objective of 2 s" in text


@pytest.mark.parametrize(("exposure_s", "said"), [(2.5, "up to 2.5 s of writes"), (None, "not known")])
def test_more_exposed_than_the_objective_or_nobody_knows_how_much_is_failed(
    exposure_s: float | None, said: str
) -> None:
    node = Node()
    node.exposure_s = lambda: exposure_s
    report = node.drill()
    assert (report.aborted, report.meets_rto, report.meets_rpo) == (None, True, False)
    code, text = told(report)
    assert (code, f"exposure: {said}, beyond the objective of 2 s" in text) == (FAILED, True)
    out = io.StringIO()
    assert tell(report, as_json=True, out=out) == FAILED
    document = json.loads(out.getvalue())
    assert (document["meets_rpo"], document["exposure_s"]) == (False, exposure_s)


@pytest.mark.parametrize(
    ("seen", "worst"), [((1.0, 3.0), 3.0), ((1.5, 0.5), 1.5), ((1.0, None), None), ((None, 1.0), None)]
)
def test_the_worse_moment_counts_and_what_was_not_known_stays_so(
    seen: tuple[float | None, ...], worst: float | None
) -> None:
    node = Node()
    moments = iter((*seen, 0.0, 0.0))
    node.exposure_s = lambda: next(moments)
    assert node.drill().exposure_s == worst


def test_a_region_that_does_not_lead_exposes_nothing() -> None:
    node = Node(primary="us")
    node.exposure_s = lambda: 9.0
    report = node.drill()
    assert report.meets_rpo
    assert "exposure: nothing: eu did not lead, within" in told(report)[1]


@pytest.mark.parametrize(("leader", "said"), [("gw-us", "name gw-us by --admin"), (None, "there is none now")])
def test_nothing_is_drained_where_this_node_cannot_let_another_region_lead(leader: str | None, said: str) -> None:
    node = Node()
    node.epoch, node.leader = None, leader
    with pytest.raises(Aborted, match=said):
        node.drill()
    assert node.asked == []
    assert Node(primary="us").drill().aborted is None, "a region that does not lead needs no leader"


def test_nothing_is_drained_where_no_region_may_follow() -> None:
    node = Node()
    node.to = None
    with pytest.raises(Aborted, match=r"no other may follow: us: its data is 9.0 s behind"):
        node.drill()
    assert node.asked == []


def test_slower_than_the_objective_is_said() -> None:
    assert not Node(drained_after_s=6.0).drill().meets_rto


def test_it_is_aborted_when_another_region_suffers_and_still_gives_back() -> None:
    node = Node()
    node.us_health = lambda: "degraded" if node.now > 1 else "up"
    report = node.drill()
    assert report.aborted == "us is degraded: as set"
    assert report.recovery_s is None
    assert node.asked[-2:] == GIVEN_BACK


def test_it_is_aborted_when_too_many_attempts_fail_elsewhere() -> None:
    node = Node()
    node.failed = lambda: 7 if node.now > 4 else 0
    report = node.drill()
    assert report.aborted == "7 of 45 attempts at the other regions failed"
    assert report.is_given_back


def test_it_is_aborted_when_the_drain_takes_too_long() -> None:
    report = Node(drained_after_s=100.0).drill()
    assert report.aborted == "it was not drained within 10 s"


def test_it_does_not_begin_where_the_others_are_not_well_or_the_drain_is_refused() -> None:
    node = Node()
    node.us_health = lambda: "down"
    with pytest.raises(Aborted, match="us is down"):
        node.drill()
    node = Node()
    node.declines = {("POST", "/v1/regions/eu/drain")}
    with pytest.raises(Declined):
        node.drill()
    assert node.asked == [("POST", "/v1/regions/eu/drain")], "nothing to give back"


def test_what_could_not_be_given_back_is_said_loudly() -> None:
    node = Node()
    node.declines = {("DELETE", "/v1/regions/eu/drain")}
    report = node.drill()
    assert not report.is_given_back
    assert report.aborted is not None
    assert "NOT given back" in report.aborted
    assert node.primary == "eu", "the rest was"


def test_a_person_who_interrupts_gets_everything_back_too() -> None:
    node = Node()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    node.sleep = interrupted  # type: ignore[method-assign]  # Ctrl-C while it waits
    with pytest.raises(KeyboardInterrupt):
        node.drill()
    assert node.asked[-2:] == GIVEN_BACK
