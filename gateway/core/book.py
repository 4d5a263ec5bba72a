"""What has been learnt of each endpoint? The book outlives every snapshot and every reload.

Entries are keyed by endpoint id (service, region, host and port), never by weight or position, so that a re-weighted
endpoint is the same one. Only endpoints that no snapshot names any more are struck out, and only once they are idle.
"""

from __future__ import annotations

from collections.abc import Collection


class EndpointLoad:
    """One endpoint as this worker has seen it."""

    __slots__ = ("attempts", "connect_failures", "failures", "in_flight", "last_failure_at")

    def __init__(self) -> None:
        self.in_flight = 0
        self.attempts = 0
        self.connect_failures = 0
        self.failures = 0
        self.last_failure_at: float | None = None
        """Monotonic seconds."""


class Rotation:
    """Whose turn it is in one region of one service."""

    __slots__ = ("turn",)

    def __init__(self) -> None:
        self.turn = -1


class EndpointBook:
    """Every endpoint's load, and every pool's rotation."""

    def __init__(self) -> None:
        self.loads: dict[str, EndpointLoad] = {}
        self.rotations: dict[str, Rotation] = {}

    def load(self, endpoint_id: str) -> EndpointLoad:
        """The entry of one endpoint, a fresh one where there is none yet."""
        load = self.loads.get(endpoint_id)
        if load is None:
            load = self.loads[endpoint_id] = EndpointLoad()
        return load

    def rotation(self, pool_id: str) -> Rotation:
        """The rotation of one pool, `<service>/<region>`."""
        rotation = self.rotations.get(pool_id)
        if rotation is None:
            rotation = self.rotations[pool_id] = Rotation()
        return rotation

    def forget_all_but(self, endpoint_ids: Collection[str]) -> list[str]:
        """Strike out idle endpoints that are not named; returns their ids."""
        gone = [key for key, load in self.loads.items() if key not in endpoint_ids and not load.in_flight]
        for key in gone:
            del self.loads[key]
        return gone
