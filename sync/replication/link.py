"""How does a store reach a peer, and what can go wrong on the way?

The carrier (HTTP between nodes, a simulated network) has authenticated both sides before a byte of ours is read.
"""

from __future__ import annotations

from typing import Final, Protocol

from sync.errors import SyncError


class PeerUnavailable(SyncError):
    """The peer was not reached, or did not answer in time: try again later. Nothing can be said of what it has."""


class OwnAddress(PeerUnavailable):
    """An address among the peers' is this node's own."""


class PeerRefused(SyncError):
    """The peer answered with a refusal: another protocol, not authenticated, another cluster. Says its words."""


class Versions(Protocol):
    """Which version of an operator's function each store merges a stream by (sync/resolving/merging.py)."""

    def version(self, collection: str) -> str:
        """This store's; empty where none merges it."""
        ...

    def heard(self, member: str, collection: str, version: str) -> None:
        """Another store's."""
        ...


class _Unversioned:
    def version(self, collection: str) -> str:
        return ""

    def heard(self, member: str, collection: str, version: str) -> None:
        """No function here to compare with."""


UNVERSIONED: Final[Versions] = _Unversioned()


class Link(Protocol):
    """The way to one peer."""

    name: str
    """For people: its address."""
    region: str
    """Which region it stands in, as the configuration says; the carrier proves it."""

    async def ask(self, frame: bytes, *, timeout_s: float) -> bytes:
        """Bring a question and come back with the frame of its answer. Raises PeerUnavailable or PeerRefused."""
