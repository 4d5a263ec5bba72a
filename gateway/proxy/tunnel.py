"""A WebSocket after its handshake: bytes both ways, as they come, with back-pressure, until either side ends it.

client ──data──> Tunnel ──> endpoint          a side that cannot take more pauses the other's reading;
client <── Tunnel <──data── endpoint          silence for `tunnel_idle` ends both
a cut: both get a Close frame, at the next end of a frame of their own direction
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.core import reasons
from gateway.core.book import EndpointLoad
from gateway.core.frames import Cut, Frames, close_frame


class Side(Protocol):
    """One end of a tunnel."""

    def write(self, data: bytes) -> None: ...
    def finish(self) -> None:
        """Close once what was written has left."""

    def hold(self) -> None:
        """Stop reading."""

    def go_on(self) -> None:
        """Read again."""


class Tunnel:
    """Joins two sides, and counts among the streams of its endpoint."""

    __slots__ = (
        "_client",
        "_cut",
        "_ended",
        "_endpoint",
        "_frames_in",
        "_frames_out",
        "_load",
        "_on_end",
        "bytes_in",
        "bytes_out",
    )

    def __init__(self, client: Side, endpoint: Side, load: EndpointLoad, on_end: Callable[[str], None]) -> None:
        """`on_end` is called once, with the reason where it is one of ours."""
        self._client = client
        self._endpoint = endpoint
        self._load = load
        load.streams += 1
        self._on_end = on_end
        self._ended = False
        self._cut: Cut | None = None
        self._frames_in = Frames()
        self._frames_out = Frames()
        self.bytes_in = 0
        """From the client."""
        self.bytes_out = 0

    def from_client(self, data: bytes) -> None:
        self.bytes_in += len(data)
        self._frames_in.feed(data)
        self._endpoint.write(data)

    def from_endpoint(self, data: bytes) -> None:
        if data:
            end = self._frames_out.feed(data)
            if self._cut is not None and end >= 0:
                data = data[:end]
            self.bytes_out += len(data)
            self._client.write(data)
            if self._cut is not None and end >= 0:
                self._part(self._cut)

    @property
    def is_cut(self) -> bool:
        return self._cut is not None

    def cut(self, cut: Cut) -> None:
        """End it with a Close frame, as soon as the client is not in the middle of another."""
        if self._ended:
            return
        self._cut = cut
        if self._frames_out.is_between:
            self._part(cut)
        elif cut.is_forced:
            self.end(reasons.DRAIN_DEADLINE)

    def _part(self, cut: Cut) -> None:
        self._client.write(close_frame(cut.code, cut.detail))
        if self._frames_in.is_between:
            self._endpoint.write(close_frame(cut.code, cut.detail, cut.key))
        self.end(reasons.DRAIN_DEADLINE)

    def client_full(self) -> None:
        self._endpoint.hold()

    def client_drained(self) -> None:
        self._endpoint.go_on()

    def endpoint_full(self) -> None:
        self._client.hold()

    def endpoint_drained(self) -> None:
        self._client.go_on()

    def end(self, reason: str = "") -> None:
        """Either side closed, or time is up: the other gets what is under way, then closes too."""
        if not self._ended:
            self._ended = True
            self._endpoint.finish()
            self._client.finish()
            self._load.streams -= 1
            self._on_end(reason)
