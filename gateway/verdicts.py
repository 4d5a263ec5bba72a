"""What has been said of endpoints, and how old is it?

publication ──> states, orders, whom names stand for       heartbeat ──> still as said
a trial has passed ──> "untested", until somebody says otherwise
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gateway.messages import EndpointState, OperatorState, Publication, ResolvedEndpoint


class Verdicts:
    """One data plane's. Times are monotonic, in seconds."""

    def __init__(self, *, now: float) -> None:
        self._states: Mapping[str, EndpointState] = {}
        self.orders: Mapping[str, OperatorState] = {}
        """What operators have asked for."""
        self.resolved: dict[str, Sequence[ResolvedEndpoint]] = {}
        """Whom names stand for."""
        self._trials_passed: set[str] = set()
        self._confirmed_at = now

    def hear(self, message: Publication, *, names: Collection[str], now: float) -> None:
        """All anew; but a name of the configuration, one of `names`, that nothing is said of keeps whom it had."""
        self.confirm(now)
        self._states = dict(message.endpoints)
        self.orders = dict(message.operator)
        self._trials_passed.clear()
        self.resolved = {key: found for key, found in self.resolved.items() if key in names} | message.resolved

    def confirm(self, now: float) -> None:
        """They are still being checked."""
        self._confirmed_at = now

    def age_s(self, now: float) -> float:
        """Since somebody confirmed them."""
        return now - self._confirmed_at

    @property
    def states(self) -> Mapping[str, EndpointState]:
        """Of endpoints, by id."""
        if not self._trials_passed:
            return self._states
        passed = {name: EndpointState("untested", "a trial request passed") for name in self._trials_passed}
        return {**self._states, **passed}

    def pass_trial(self, endpoint_id: str) -> bool:
        """It has answered although it was said to be down; False where that is known."""
        if endpoint_id in self._trials_passed:
            return False
        self._trials_passed.add(endpoint_id)
        return True
