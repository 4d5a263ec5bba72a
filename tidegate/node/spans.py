"""Spans on their way out of a data plane, without ever making a request wait.

    add(spans) ──> bound ──> the SDK's queue and thread ──> collector            (tidegate/node/otlp.py)
                     └─ full, or the collector takes nothing: dropped, and counted

The SDK is imported, and its thread started, on a thread: that takes a tenth of a second, and a reload may ask for it
while requests are served. Spans of the meantime wait, within the same bound. At the end what is left has `FLUSH_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from config.models import Config
from gateway.proxy.tracing import Span
from tidegate.node.logs import Log

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from tidegate.node.otlp import OtlpExporter

MAX_WAITING: Final = 4096
"""Spans on their way, some KiB each: two seconds of a thousand recorded requests a second."""
FLUSH_S: Final = 2.0
"""What a drain gives a collector that is slow."""


class Spans:
    """One data plane's; used from its loop only. `slot` is the worker's number."""

    def __init__(self, *, node_id: str, slot: int, log: Log, loop: asyncio.AbstractEventLoop) -> None:
        self._node_id = node_id
        self._slot = slot
        self._log = log
        self._loop = loop
        self._wanted: tuple[str, str] | None = None
        self._pipe: _Pipe | None = None
        self._retired: list[_Pipe] = []
        """Of configurations before, while they empty themselves."""
        self._dropped = 0

    def adopt(self, config: Config) -> None:
        tracing, region = config.observability.tracing, config.node.region
        wanted = (tracing.exporter, region) if tracing.enabled else None
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if self._pipe is not None:
            self._pipe.retire()
            self._retired.append(self._pipe)
            self._pipe = None
        if wanted is not None:
            self._pipe = _Pipe(
                tracing.exporter,
                node_id=self._node_id,
                instance=f"{self._node_id}/{self._slot}",
                region=region,
                log=self._log,
                loop=self._loop,
            )

    def add(self, spans: list[Span]) -> None:
        if self._pipe is None or not self._pipe.add(spans):
            self._dropped += len(spans)

    def take_dropped(self) -> int:
        pipes = [*self._retired, self._pipe] if self._pipe is not None else list(self._retired)
        dropped = self._dropped + sum(pipe.take_lost() for pipe in pipes)
        self._dropped = 0
        self._retired = [pipe for pipe in self._retired if not pipe.is_over.is_set()]
        return dropped

    async def close(self) -> None:
        """Waits `FLUSH_S` at most."""
        await asyncio.sleep(0)  # connections that were cut a moment ago tell of their requests in this turn
        pipe = self._pipe
        if pipe is not None:
            pipe.retire()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S + 0.5):
                    await pipe.is_over.wait()
            pipe.give_up()


class _Pipe:
    """To one collector. What is counted on the other thread is only read here."""

    def __init__(
        self, url: str, *, node_id: str, instance: str, region: str, log: Log, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._url = url
        self._log = log
        self._loop = loop
        self._handed = 0
        self._lost_told = 0
        self._early: list[Span] = []
        """Until there is somebody to hand them to."""
        self._hand: Callable[[Span], None] | None = None
        self._processor: BatchSpanProcessor | None = None
        self._exporter: OtlpExporter | None = None
        self._is_retired = self._is_given_up = False
        self.is_over = asyncio.Event()
        threading.Thread(
            target=self._build, args=(node_id, instance, region), name="tracing starts", daemon=True
        ).start()

    def add(self, spans: list[Span]) -> bool:
        """False where too many are on their way already, or it is too late."""
        done = self._exporter.done if self._exporter is not None else 0
        if self._is_retired or self._handed - done + len(spans) > MAX_WAITING:
            return False
        self._handed += len(spans)
        if self._hand is None:
            self._early.extend(spans)
        else:
            for span in spans:
                self._hand(span)
        return True

    def take_lost(self) -> int:
        """Since the last call; all that is still on its way, once it is given up."""
        if self._is_given_up:
            done, lost = (self._exporter.done, self._exporter.lost) if self._exporter is not None else (0, 0)
            total = self._handed - done + lost
        else:
            total = self._exporter.lost if self._exporter is not None else 0
        before, self._lost_told = self._lost_told, total
        return total - before

    def retire(self) -> None:
        """Nothing new: what is on its way has `FLUSH_S`, then `is_over` is set."""
        self._is_retired = True
        if self._processor is not None:
            threading.Thread(target=self._end, name="tracing ends", daemon=True).start()

    def give_up(self) -> None:
        """Whatever has not arrived never will."""
        self._is_given_up = True

    # -- on threads

    def _build(self, node_id: str, instance: str, region: str) -> None:
        try:
            from tidegate.node import otlp  # noqa: PLC0415 - an extra, and slow to import

            of, by = otlp.resource(node_id=node_id, instance=instance, region=region), otlp.scope()
            exporter = otlp.OtlpExporter(self._url, on_change=self._tell)
            processor = otlp.processor(exporter, max_waiting=MAX_WAITING)
        except Exception as error:  # noqa: BLE001 - whatever it is, traffic goes on without traces
            self._log.problem("tracing cannot start", error=repr(error))
            self._call_soon(self.is_over.set)
            return

        def hand(span: Span) -> None:
            processor.on_end(otlp.readable(span, of, by))

        self._call_soon(self._built, exporter, processor, hand)

    def _end(self) -> None:
        exporter, processor = self._exporter, self._processor
        if exporter is None or processor is None:
            return
        exporter.hurry()
        last_moment = threading.Timer(FLUSH_S, exporter.cut)
        last_moment.daemon = True
        last_moment.start()
        processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's
        last_moment.cancel()
        self._call_soon(self.is_over.set)

    def _tell(self, fault: str) -> None:
        if fault:
            self._log.warning("traces do not arrive, and are dropped", collector=self._url, reason=fault)
        else:
            self._log.info("traces arrive again", collector=self._url)

    def _call_soon(self, what: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before us
            self._loop.call_soon_threadsafe(what, *arguments)

    # -- on the loop, from threads

    def _built(self, exporter: OtlpExporter, processor: BatchSpanProcessor, hand: Callable[[Span], None]) -> None:
        self._exporter, self._processor, self._hand = exporter, processor, hand
        early, self._early = self._early, []
        for span in early:
            hand(span)
        if self._is_retired:
            self.retire()
