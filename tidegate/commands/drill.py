"""`tidegate drill region REGION`: rehearse its loss, measure, give everything back, compare with the objectives.

    before   all other regions are well, nothing stands against the drain, and where the region leads another may
             follow and the node that is asked may move the role; else nothing is begun
    drain    and, where the region leads, let another lead       recovery time: until nothing of it is left there
    hold     for a while, and look
    back     whatever happened, also after Ctrl-C: undrain, and the role back where it was moved

It is aborted when another region is not well any more, when more attempts at endpoints of the others fail than
`max_failed`, or when the drain takes too long. The data exposure is what a loss would have cost before the drain
or when the role moves, whichever is worse: the lag of the region that follows.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape

from tidegate.commands import DONE, FAILED, REFUSED
from tidegate.commands.drain import path_of
from tidegate.commands.remote import Declined, NotReached, ask, code_of

POLL_S = 0.5
Ask = Callable[[str, str, Any], Any]
"""Method, path, body -> answer; raises `NotReached` and `Declined`."""


class Aborted(Exception):
    """The message says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is done."""

    region: str
    over: str
    within_s: float
    """The drain takes longer: aborted."""
    hold_s: float
    max_failed: float
    """Share of attempts at the other regions' endpoints, while it lasts."""
    reason: str


@dataclass(slots=True)
class Report:
    """What came of it."""

    region: str
    aborted: str | None = None
    recovery_s: float | None = None
    exposure: str | None = None
    exposure_s: float | None = None
    """None: not known, or nothing was exposed because the region did not lead (`did_lead`)."""
    did_lead: bool = False
    rto_s: float = 0.0
    rpo_s: float = 0.0
    attempts: int = 0
    failed: int = 0
    led_meanwhile: str | None = None
    is_given_back: bool = False

    @property
    def meets_rto(self) -> bool:
        return self.recovery_s is not None and self.recovery_s <= self.rto_s

    @property
    def meets_rpo(self) -> bool:
        """What is not known does not meet it."""
        return not self.did_lead or (self.exposure_s is not None and self.exposure_s <= self.rpo_s)

    @property
    def is_good(self) -> bool:
        return self.aborted is None and self.meets_rto and self.meets_rpo

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "meets_rto": self.meets_rto, "meets_rpo": self.meets_rpo}


class Drill:
    """One rehearsal. `clock` is monotonic, `sleep` waits."""

    def __init__(
        self, settings: Settings, ask: Ask, *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._clock = clock
        self._sleep = sleep
        self._path = path_of("region", settings.region)
        self.report = Report(settings.region)

    def run(self) -> Report:
        """Raises `NotReached`, `Declined` and `Aborted` where it could not even begin."""
        before = self._ask("GET", "/v1/failover", None)
        objectives = before["objectives"]
        self.report.rto_s, self.report.rpo_s = objectives["rto_s"], objectives["rpo_s"]
        self.report.did_lead = before["primary"] == self._settings.region
        counts = self._look(None)
        if self.report.did_lead:
            self._check_may_move(before)
            self._expose(before["plan"])
        began = self._clock()
        self._ask("POST", self._path, {"over": self._settings.over, "reason": self._settings.reason})
        is_moved = False
        try:
            if self.report.did_lead:
                self._expose(self._ask("GET", "/v1/failover", None)["plan"])
                moved = self._ask("POST", "/v1/failover", {"action": "act", "reason": self._settings.reason})
                is_moved, self.report.led_meanwhile = True, moved["primary"]
            self._until_drained(began, counts)
            self.report.recovery_s = round(self._clock() - began, 2)
            self._hold(counts)
        except (Aborted, Declined, NotReached) as error:
            self.report.aborted = str(error)
        finally:
            self._give_back(is_moved=is_moved, home=before["primary"])
        return self.report

    def _check_may_move(self, told: Mapping[str, Any]) -> None:
        """Raises `Aborted` while nothing is drained yet."""
        region = self._settings.region
        if told["epoch"] is None:
            leader = told["leader"]
            whom = f"name {leader} by --admin" if leader else "and there is none now"
            raise Aborted(f"{region} leads the regions, and only the node that decides can let another lead: {whom}")
        plan = told["plan"]
        if plan["to"] is None:
            against = [f"{one['region']}: {(one['objections'] + one['with_force'])[0]}" for one in plan["candidates"]]
            raise Aborted(
                f"{region} leads the regions, and no other may follow: {'; '.join(against) or 'there is none'}"
            )

    def _expose(self, plan: Mapping[str, Any]) -> None:
        """The worst that was seen; once it is not known, it stays so."""
        report, seconds = self.report, plan["would_lose_s"]
        is_first = report.exposure is None
        if is_first or seconds is None or (report.exposure_s is not None and seconds > report.exposure_s):
            report.exposure, report.exposure_s = plan["would_lose"] or "not known: no region may follow", seconds

    def _until_drained(self, began: float, counts: Mapping[str, tuple[int, int]]) -> None:
        while self._ask("GET", self._path, None)["state"] != "drained":
            if self._clock() - began > self._settings.within_s:
                raise Aborted(f"it was not drained within {self._settings.within_s:g} s")
            self._look(counts)
            self._sleep(POLL_S)

    def _hold(self, counts: Mapping[str, tuple[int, int]]) -> None:
        until = self._clock() + self._settings.hold_s
        while self._clock() < until:
            self._look(counts)
            self._sleep(POLL_S)
        self._look(counts)

    def _look(self, counts: Mapping[str, tuple[int, int]] | None) -> dict[str, tuple[int, int]]:
        """Attempts and failures of the other regions' endpoints. Raises `Aborted` when all is not well with them."""
        told = self._ask("GET", "/v1/status", None)
        others = [one for one in told["regions"] if one["region"] != self._settings.region]
        unwell = [f"{one['region']} is {one['health']}: {one['reason']}" for one in others if one["health"] != "up"]
        if unwell or not others:
            raise Aborted("; ".join(unwell) or "there is no other region")
        found = {
            one["endpoint"]: (one["attempts"], one["connect_failures"] + one["failures"])
            for one in told["endpoints"]
            if one["region"] != self._settings.region
        }
        if counts is not None:
            since = [
                (a - counts.get(name, (0, 0))[0], f - counts.get(name, (0, 0))[1]) for name, (a, f) in found.items()
            ]
            self.report.attempts = sum(max(0, attempts) for attempts, _ in since)
            self.report.failed = sum(max(0, failed) for _, failed in since)
            if self.report.failed > self._settings.max_failed * max(1, self.report.attempts):
                raise Aborted(f"{self.report.failed} of {self.report.attempts} attempts at the other regions failed")
        return found

    def _give_back(self, *, is_moved: bool, home: str) -> None:
        """Every part of it, whatever becomes of the others."""
        troubles = []
        steps: list[tuple[str, str, Any]] = [("DELETE", f"{self._path}?over={self._settings.over}", None)]
        if is_moved:
            body = {"action": "act", "to": home, "reason": self._settings.reason, "force": True}
            steps.append(("POST", "/v1/failover", body))
        for step in steps:
            try:
                self._ask(*step)
            except (Declined, NotReached) as error:
                troubles.append(f"{step[0]} {step[1]}: {error}")
        self.report.is_given_back = not troubles
        if troubles:
            given = f"NOT given back, do it by hand: {'; '.join(troubles)}"
            self.report.aborted = f"{self.report.aborted}; {given}" if self.report.aborted else given


def drill(settings: Settings, admin: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    def asking(method: str, path: str, body: Any) -> Any:
        return ask(admin, method, path, token=token, body=body)

    try:
        report = Drill(settings, asking, clock=time.monotonic, sleep=time.sleep).run()
    except (NotReached, Declined) as error:
        return code_of(error, err)
    except Aborted as error:
        err.write(f"not begun: {error}\n")
        return REFUSED
    return tell(report, as_json=as_json, out=out)


def tell(report: Report, *, as_json: bool, out: TextIO) -> int:
    """Print it; FAILED where an objective is missed, as where it was aborted."""
    if as_json:
        json.dump(report.as_json(), out, indent=2, ensure_ascii=False)
        out.write("\n")
    else:
        _show(report, Console(file=out, highlight=False, soft_wrap=True))
    return DONE if report.is_good else FAILED


def exposed(report: Report) -> str:
    """What a loss would have cost, in words."""
    return (report.exposure or "not known") if report.did_lead else f"nothing: {report.region} did not lead"


def _show(report: Report, console: Console) -> None:
    name = escape(report.region)
    if report.aborted is not None:
        console.print(f"[red]the drill of {name} was aborted:[/] {escape(report.aborted)}")
    if report.recovery_s is not None:
        colour, word = ("green", "within") if report.meets_rto else ("red", "beyond")
        console.print(
            f"recovery: all traffic had left {name} after [{colour}]{report.recovery_s:.1f} s[/], "
            f"{word} the objective of {report.rto_s:g} s"
        )
    colour, word = ("green", "within") if report.meets_rpo else ("red", "beyond")
    console.print(f"exposure: [{colour}]{escape(exposed(report))}[/], {word} the objective of {report.rpo_s:g} s")
    console.print(f"{report.failed} of {report.attempts} attempts at the other regions failed meanwhile")
    if report.led_meanwhile:
        console.print(f"{escape(report.led_meanwhile)} led meanwhile")
    console.print("everything is given back" if report.is_given_back else "[red]NOT everything is given back[/]")
