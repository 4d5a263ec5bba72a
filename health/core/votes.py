"""Is that region down for everybody? One vote a region; the accused has none.

    each node    says of every other region: reachable, or down since so long, with what it saw
    each region  votes down when all of its nodes that say anything say so; one that reaches it is enough against
    majority     of all regions that have a vote, silent ones too: who is cut off hears nobody, and decides nothing
    witness      votes beside the regions; its word and that of one region are needed

This verdict governs promotion, DNS and drains only. What this node sends its own requests to is decided by what it
reaches itself (`health/core/region.py`); the two are never mixed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

Says = Literal["down", "reachable"]
WITNESS = "witness"
"""What the witness calls itself where nodes name their region."""
MAX_AGE_S = 10.0
"""A vote that was not repeated for so long is none."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one node says of one region."""

    voter: str
    """The node's region; or the witness's name."""
    node: str
    accused: str
    says: Says
    evidence: str
    """One sentence: what it saw."""
    age_s: float
    """Since it was heard."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """What the votes come to, for one region."""

    accused: str
    is_down: bool
    needed: int
    voted_down: tuple[str, ...]
    voted_reachable: tuple[str, ...]
    silent: tuple[str, ...]
    votes: tuple[Vote, ...]
    """Those that counted, with their evidence."""

    @property
    def sentence(self) -> str:
        said = f"{len(self.voted_down)} of {self.needed} needed votes say that {self.accused} is down"
        against = f", {', '.join(self.voted_reachable)} reach it" if self.voted_reachable else ""
        return said + against + (f", {', '.join(self.silent)} silent" if self.silent else "")


def ballot(
    accused: str,
    votes: Iterable[Vote],
    *,
    voters: Collection[str],
    kind: Literal["majority", "witness"] = "majority",
    witness: str | None = None,
    max_age_s: float = MAX_AGE_S,
) -> Ballot:
    """`voters` are the regions that have nodes; the accused among them is left out."""
    asked = sorted(set(voters) - {accused})
    everybody = [*asked, witness] if kind == "witness" and witness is not None else asked
    counted = [
        one for one in votes if one.accused == accused and one.voter in everybody and 0 <= one.age_s <= max_age_s
    ]
    said = {voter: {one.says for one in counted if one.voter == voter} for voter in everybody}
    down = tuple(voter for voter in everybody if said[voter] == {"down"})
    reachable = tuple(voter for voter in everybody if "reachable" in said[voter])
    silent = tuple(voter for voter in everybody if not said[voter])
    if kind == "witness":
        needed = 2
        is_down = witness in down and len(down) >= needed
    else:
        needed = len(asked) // 2 + 1
        is_down = bool(asked) and len(down) >= needed
    return Ballot(accused, is_down, needed, down, reachable, silent, tuple(counted))
