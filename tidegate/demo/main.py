"""`tidegate demo`: start the regions, play the acts, and leave nothing behind.

    start -> ready -> [traffic, watch, audience] + acts one after the other -> (traffic goes on until Ctrl-C) -> stop

Whatever ends it - the last act, Ctrl-C, SIGTERM, a failure - everything that was started is stopped, and that is
checked. A second Ctrl-C kills instead of waiting. The directory with configuration and logs is removed unless something
failed, or `--keep` was given.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from tidegate.demo import report
from tidegate.demo.audience import Audience, Reader, Spectator
from tidegate.demo.cluster import Cluster, ClusterFailedError
from tidegate.demo.picture import TREND_COLUMNS, Picture, Scene, picture
from tidegate.demo.play import ACTS
from tidegate.demo.promises import Promise
from tidegate.demo.report import Played
from tidegate.demo.stage import Act, Stage, perform
from tidegate.demo.traffic import Traffic
from tidegate.demo.waiting import NotInTimeError, until
from tidegate.demo.watch import Watch
from tidegate.node.wall import wall

EXIT_DONE = 0
EXIT_FAILED = 1
TRUSTED_WITHIN_S = 20.0


def run(once: bool, *, keep: bool = False, as_json: bool = False, acts: tuple[Act, ...] = ACTS) -> int:
    """Play it; return the exit code: 1 when a promise was broken, something did not start, or `--once` was cut short.

    once: unattended, lines instead of a picture, ends after the last act. as_json: the outcome as a JSON document on
    stdout, all else on stderr.
    """
    console = Console(stderr=as_json)
    is_picture = not once and not as_json and console.is_terminal
    audience = Spectator(console) if is_picture else Reader(console)
    directory = Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    demo = Demo(directory, audience, acts)
    has_failed = False
    try:
        asyncio.run(demo.play(once=once))
    except* ClusterFailedError as failures:
        has_failed = True
        for failure in failures.exceptions:
            audience.tell(str(failure))
    finally:
        demo.cluster.kill_all()  # does nothing after a stop in order
    if demo.played:
        audience.tell(report.verdict(demo.played))
    if as_json:
        sys.stdout.write(report.document(demo.played, is_complete=demo.is_complete) + "\n")
    is_well = not has_failed and all(act.is_kept for act in demo.played) and (demo.is_complete or not once)
    if keep or not is_well:
        audience.tell(f"configuration and logs are in {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return EXIT_DONE if is_well else EXIT_FAILED


@dataclass
class Demo:
    """One run of the demo."""

    directory: Path
    audience: Audience
    acts: tuple[Act, ...]
    clock: Callable[[], float] = time.monotonic
    played: list[Played] = field(default_factory=list)
    is_complete: bool = False
    """Whether the last act was played and everything stopped."""

    def __post_init__(self) -> None:
        self._rng = random.Random()  # noqa: S311  ports and the order of requests are no secrets
        self.cluster = Cluster(self.directory, rng=self._rng, environ=os.environ)
        self._watch = Watch(self.cluster.plan, token=self.cluster.token)
        gateways = {node.region: f"http://{node.public}" for node in self.cluster.plan.nodes}
        self._traffic = Traffic(gateways, rng=self._rng)
        self._began = self.clock()
        self._step = ""
        self._number = 1

    async def play(self, *, once: bool) -> None:
        """From the start to the stop; raises `ClusterFailedError` when a process does not start."""
        is_over = False
        try:
            with self._interruptible():
                await self.cluster.start(self.audience.tell)
                async with asyncio.TaskGroup() as group:
                    watching = group.create_task(self._watch.run(), name="watch")
                    await self._trusted()
                    asking = group.create_task(self._traffic.run(), name="traffic")
                    following = group.create_task(self.audience.follow(self._look), name="audience")
                    await self._acts()
                    is_over = True
                    if not once:
                        await self._linger()
                    for task in (following, asking, watching):
                        task.cancel()
        except asyncio.CancelledError:
            self.audience.tell("stopping")
            if (interrupted := asyncio.current_task()) is not None:
                interrupted.uncancel()  # the signal has been heeded; what follows is the stop in order
        finally:
            await self._stop(is_over)

    async def _trusted(self) -> None:
        """Wait until every node trusts every backend and has measured every region."""

        def is_trusted() -> bool:
            views = self._watch.views.values()
            measured = all(len(view.rtts) == len(self._watch.views) for view in views)
            return measured and all(self._watch.all_say(one.endpoint, "up") for one in self.cluster.plan.backends)

        try:
            took = await until(is_trusted, within_s=TRUSTED_WITHIN_S, what="every node trusts every backend")
        except NotInTimeError as late:
            raise ClusterFailedError(f"{late}. The logs are in {self.cluster.logs}") from None
        self.audience.tell(f"every node trusts every backend and has measured every region, after {took:.1f} s")

    async def _acts(self) -> None:
        stage = Stage(self.cluster, self._traffic, self._watch, wall, self.clock, self._set_step)
        for number, act in enumerate(self.acts, start=1):
            self._number = number
            self.audience.begin(act, number=number, of=len(self.acts))
            began = self.clock()
            outcome = await perform(act, stage)
            played = Played(act.title, outcome.sentence, outcome.promises, self.clock() - began)
            self.played.append(played)
            self.audience.end(played)
            self._step = ""
            await self.audience.digest()

    def _set_step(self, step: str) -> None:
        self._step = step

    async def _linger(self) -> None:
        for hint in self.hints():
            self.audience.tell(hint)
        await asyncio.get_running_loop().create_future()  # until Ctrl-C

    async def _stop(self, is_over: bool) -> None:
        began = self.clock()
        with self._interruptible(self.cluster.kill_all):
            stubborn = await self.cluster.stop()
        left = self.cluster.remains()
        if is_over:
            found = f"had to be killed: {', '.join(stubborn)}" if stubborn else f"processes {left}"
            is_kept = not stubborn and not left
            promise = Promise("everything stops when told to, nothing is left running", is_kept, found)
            if is_kept:
                promise = Promise(promise.text, is_kept, f"{len(self.cluster.programs)} programs")
            played = Played("The end", "all processes stopped", (promise,), self.clock() - began)
            self.played.append(played)
            self.audience.end(played)
            self.is_complete = True

    @contextlib.contextmanager
    def _interruptible(self, act: Callable[[], object] | None = None) -> Iterator[None]:
        """Ctrl-C and SIGTERM cancel what runs within, or do something else."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a coroutine runs in a task
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, act or task.cancel)
        try:
            yield
        finally:
            for one in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(one)

    def hints(self) -> tuple[str, ...]:
        """What a person may try while the regions run."""
        nodes = self.cluster.plan.nodes
        return (
            *(f"curl -i http://{node.public}/feed/1      # a client in {node.region}" for node in nodes[:2]),
            f"curl -i http://{nodes[1].public}/profile/1   # may only be held in eu-west",
            f"http://{nodes[0].admin}/ in a browser   # dashboard; token {self.cluster.token}.   Ctrl-C ends the demo",
        )

    def _look(self) -> Picture:
        now = self.clock()
        answers = self._traffic.answers(since=now - TREND_COLUMNS - 1)
        return picture(
            now=now,
            began=self._began,
            scene=Scene(
                number=self._number,
                titles=tuple(act.title for act in self.acts),
                what=self.acts[self._number - 1].what,
                step=self._step,
                kept=tuple(act.is_kept for act in self.played),
                sentences=tuple(act.sentence for act in self.played),
                hints=self.hints(),
            ),
            planned=self.cluster.plan,
            views=self._watch.views,
            answers=answers,
            events=tuple(self._watch.events),
            total=self._traffic.ended,
            refused=self._traffic.refused,
            failed=self._traffic.failed,
        )
