"""`disaster_recovery.drill`: the rehearsal that a person starts by `tidegate drill region`, started by the calendar.

    leading node, time has come ──row `drill/<region>`: running──> Drill, on a thread, by the doors of the admin API
                                └──row: what came of it, for all nodes and the next time ──> journal, GET /v1/failover

Whoever puts the row first rehearses, by its version and epoch. A row that says `running` and was left so (the leader
died in the middle) is found by the next leader, which gives back what the drill had taken.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from config.core import cron
from config.models.failover import Drill as DrillOptions
from health.core.drain import Target
from health.core.rows import StateError
from tidegate.admin import failover, operating
from tidegate.admin.failover import FailoverBody
from tidegate.admin.status import status
from tidegate.commands.drill import Aborted, Drill, Report, Settings, exposed
from tidegate.commands.remote import Declined, NotReached
from tidegate.node.drills import KIND, Rehearsed, drill_options, rehearsed
from tidegate.node.orders import OrderRefused

if TYPE_CHECKING:
    from tidegate.node.control import Control

AUTHOR = "schedule"
LOOK_EVERY_S = 1.0
ANSWER_WITHIN_S = 30.0
"""Of an order to the state store; one that is not answered is asked about again by the next leader."""
OVER, WITHIN_S, HOLD_S, MAX_FAILED = "10s", 300.0, 30.0, 0.01
"""As `tidegate drill region` does it by default."""


class ScheduledDrills:
    """One node's part in it."""

    def __init__(self, control: Control, *, over: str = OVER, hold_s: float = HOLD_S) -> None:
        self._control = control
        self._over = over
        self._hold_s = hold_s

    async def run(self) -> None:
        """For as long as this node leads, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Once: give back what was left, and rehearse what is due."""
        control, options = self._control, drill_options(self._control)
        epoch = control.leadership.epoch
        if epoch is None:
            return
        for region, found in rehearsed(control).items():
            if found.state == "running":
                await self._give_back(region, found, epoch)
        if options is not None:
            before = rehearsed(control).get(options.region)
            last = control.started_at if before is None else before.scheduled
            scheduled = cron.due(options.schedule, last=last, wall=control.wall())
            if scheduled is not None:
                await self._rehearse(options, scheduled, epoch)

    async def _rehearse(self, options: DrillOptions, scheduled: float, epoch: int) -> None:
        control, region = self._control, options.region
        begun = Rehearsed(scheduled, control.wall(), control.plan.node_id, control.run, control.failing_over.primary())
        decision = await control.journal.begin(
            "drill", f"region/{region}", author=AUTHOR, why=f"{options.schedule} (UTC)", epoch=epoch
        )
        if not await self._put(region, begun, epoch):
            await control.journal.end(decision, "failed", "the state store did not take it")
            return
        report = await self._on_thread(region)
        state: Literal["done", "aborted"] = "done" if report.aborted is None else "aborted"
        await self._put(region, msgspec.structs.replace(begun, state=state, report=report.as_json()), epoch)
        await control.journal.end(decision, "done" if report.is_good else "failed", sentence(report))

    async def _on_thread(self, region: str) -> Report:
        """The drill waits as a person's does, so it has a thread; a node that stops lets it give everything back."""
        loop, stopping = asyncio.get_running_loop(), threading.Event()

        def ask(method: str, path: str, body: Any) -> Any:
            asked = asyncio.run_coroutine_threadsafe(self._answer(method, path, body), loop)
            try:
                return asked.result(ANSWER_WITHIN_S)
            except TimeoutError as error:
                asked.cancel()
                raise NotReached(f"{method} {path} was not answered in {ANSWER_WITHIN_S:g} s") from error

        def sleep(seconds: float) -> None:
            if stopping.wait(seconds):
                raise Aborted("the node that rehearses is being stopped")

        settings = Settings(region, self._over, WITHIN_S, self._hold_s, MAX_FAILED, f"scheduled drill of {region}")
        drill = Drill(settings, ask, clock=self._control.clock, sleep=sleep)

        def rehearse() -> Report:
            try:
                return drill.run()
            except (Aborted, Declined, NotReached) as error:
                drill.report.aborted = f"not begun: {error}"
                drill.report.is_given_back = True
                return drill.report

        running = loop.run_in_executor(None, rehearse)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            stopping.set()
            await running
            raise

    async def _answer(self, method: str, path: str, body: Any) -> Any:
        """What the admin API would answer. Raises `Declined`."""
        control = self._control
        name, _, query = path.partition("?")
        try:
            if name == "/v1/status":
                return status(control)
            if name == "/v1/failover":
                if method == "GET":
                    return failover.shown(control)
                return (await failover.post_failover(control, msgspec.convert(body, FailoverBody), author=AUTHOR))[1]
            target = Target("region", name.split("/")[3])
            if method == "POST":
                asked = msgspec.convert(body, operating.DrainBody)
                return (await operating.post_drain(control, target, asked, author=AUTHOR))[1]
            if method == "DELETE":
                return await self._undrain(target, query.partition("=")[2])
            return operating.resource(control, target)
        except OrderRefused as error:
            raise Declined(error.status, str(error)) from error

    async def _undrain(self, target: Target, over: str) -> Any:
        found = await operating.delete_drain(
            self._control, target, over=over or None, reason="end of the drill", is_local=False, author=AUTHOR
        )
        return found[1]

    async def _give_back(self, region: str, found: Rehearsed, epoch: int) -> None:
        """What a drill had taken whose node is gone; or this node's, whose control process died in the middle."""
        control = self._control
        decision = await control.journal.begin(
            "drill",
            f"region/{region}",
            author=AUTHOR,
            why=f"the drill of {found.node} was left in the middle",
            epoch=epoch,
        )
        try:
            await self._answer("DELETE", f"/v1/regions/{region}/drain", None)
            leading = control.failing_over.leading()
            if leading is not None and leading.author == AUTHOR and leading.region != found.home:
                body = {"action": "act", "to": found.home, "reason": "end of the drill", "force": True}
                await self._answer("POST", "/v1/failover", body)
        except Declined as error:
            await control.journal.end(decision, "failed", str(error))
            return
        if await self._put(region, msgspec.structs.replace(found, state="interrupted"), epoch):
            await control.journal.end(decision, "done", "everything is given back")
        else:
            await control.journal.end(decision, "failed", "the state store did not take it")

    async def _put(self, region: str, value: Rehearsed, epoch: int) -> bool:
        control = self._control
        row = control.state.row(KIND, region)
        told: dict[str, Any] = msgspec.to_builtins(value)
        try:
            await control.state.put(KIND, region, told, expected=row.version if row else 0, epoch=epoch)
        except StateError as error:
            control.log.warning("a drill could not be written down", reason=str(error))
            return False
        return True


def sentence(report: Report) -> str:
    if report.aborted is not None:
        return f"aborted: {report.aborted}"
    left = f"all traffic had left after {report.recovery_s:g} s, the objective is {report.rto_s:g} s"
    return f"{left}; exposed was {exposed(report)}, the objective is {report.rpo_s:g} s"
