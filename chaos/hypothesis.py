"""What an experiment is: a hypothesis about Tidegate under a fault, what it needs, and how it is shown.

Given a setting, when the faults of the script come, then every promise that the script returns is kept. A script that
waits in vain for an effect has broken the promise that it would come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from chaos.rig import Rig, Setting
from tidegate.demo.promises import Promise
from tidegate.demo.waiting import NotInTimeError


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One experiment, in words and in code."""

    name: str
    given: str
    when: str
    then: str
    setting: Setting
    script: Callable[[Rig], Awaitable[Sequence[Promise]]]

    async def try_on(self, rig: Rig) -> tuple[Promise, ...]:
        """Play the script, and after it what must hold after any: the node still runs, and nothing was held back."""
        try:
            promises = tuple(await self.script(rig))
        except NotInTimeError as late:
            promises = (Promise(late.what, is_kept=False, found=f"not within {late.within_s:.1f} s"),)
        return (*promises, rig.is_whole())
