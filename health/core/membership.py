"""Who are the acceptors, and how does that change without a moment of two truths?

    nobody admitted anywhere, all configured ones answer          -> form the first set
    a member answers as another incarnation (memory lost)         -> re-admit it
    the configuration names one more, or one less                 -> add or remove that one

All three are one procedure: **seal** a majority of the set in force (it stops, and shows what it has), join what was
shown, **install** the join under a higher generation. Sets differ by one member, so two procedures at a time meet in an
acceptor; there the higher generation wins. An acceptor that lost its memory never counts: of three, both others must be
sealed to re-admit the third, for what it forgot is with at least one of them.

Forming needs *all* configured acceptors: of three, two fresh ones may be a mesh's first start, or the two that lost
what only they and the leader knew. Nobody can tell, so the third is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from health.core.acceptor import Answer, Done, Install, Meta, Refusal, Register, Seal, Shown, merged


class View(msgspec.Struct, frozen=True):
    """The acceptor set as a proposer knows it."""

    generation: int
    members: dict[str, str]

    @property
    def majority(self) -> int:
        return len(self.members) // 2 + 1


class Plan(msgspec.Struct, frozen=True):
    """What should become of the set. `base` is None when there is none yet."""

    base: View | None
    members: dict[str, str]
    above: int
    """Highest generation seen, sealed or installed."""
    why: str


def view_of(abouts: Mapping[str, Meta]) -> View | None:
    """The newest set that any of them belongs to; None when none does."""
    newest = max(abouts.values(), key=lambda about: about.generation, default=None)
    if newest is None or newest.generation == 0:
        return None
    return View(newest.generation, newest.members)


def plan_of(  # noqa: PLR0911 - one step of several, the most urgent first
    configured: Collection[str], abouts: Mapping[str, Meta], *, may_change: bool
) -> Plan | None:
    """The next step towards the configured set; None when there is nothing to do, or nothing that may be done.

    Only the leader adds and removes (`may_change`): while a configuration is rolled out, nodes disagree about the set.
    """
    above = max((max(about.generation, about.sealed) for about in abouts.values()), default=0)
    base = view_of(abouts)
    if base is None:
        if not configured or any(name not in abouts for name in configured):
            return None
        members = {name: abouts[name].incarnation for name in configured}
        return Plan(None, members, above, "first set")
    strange = [name for name in base.members if name in abouts and abouts[name].incarnation != base.members[name]]
    if strange:
        name = min(strange)
        return Plan(base, {**base.members, name: abouts[name].incarnation}, above, f"{name} lost its memory")
    gone = sorted(name for name in base.members if name not in configured)
    new = sorted(name for name in configured if name not in base.members and name in abouts)
    if gone and may_change:
        left = {name: one for name, one in base.members.items() if name != gone[0]}
        if new and len(left) == len(configured) - 1:
            # A replacement: the new one first, so that there is no moment with fewer.
            return _adding(base, new[0], abouts, above)
        return Plan(base, left, above, f"{gone[0]} is not configured any more") if left else None
    if new and may_change:
        return _adding(base, new[0], abouts, above)
    unfinished = any(about.sealed > about.generation for about in abouts.values())
    behind = any(about.generation < base.generation for name, about in abouts.items() if name in base.members)
    if unfinished or behind:
        return Plan(base, dict(base.members), above, "a change of the set was left half done")
    return None


def _adding(base: View, name: str, abouts: Mapping[str, Meta], above: int) -> Plan:
    return Plan(base, {**base.members, name: abouts[name].incarnation}, above, f"{name} is new")


def waits_for(configured: Collection[str], abouts: Mapping[str, Meta]) -> str | None:
    """Why there is no set yet, or no majority of it; None when all is well."""
    base = view_of(abouts)
    if base is None:
        missing = sorted(set(configured) - set(abouts))
        if missing:
            return f"the first set of acceptors needs all of them once: {', '.join(missing)} did not answer"
        return "the first set of acceptors is being formed"
    good = sum(
        about.generation == base.generation
        and about.sealed <= about.generation
        and about.incarnation == base.members[name]
        for name, about in abouts.items()
        if name in base.members
    )
    if good < base.majority:
        return f"{good} of {len(base.members)} acceptors vote, expected at least {base.majority}"
    return None


class Reform:
    """One attempt at one plan, under one generation."""

    def __init__(self, plan: Plan, abouts: Mapping[str, Meta]) -> None:
        self.plan = plan
        self._generation = plan.above + 1
        self._asked = sorted(plan.members if plan.base is None else set(plan.base.members) & set(abouts))
        self._shown: dict[str, Shown] = {}
        self._installing = False
        self._installed: set[str] = set()
        self.is_failed = False

    @property
    def view(self) -> View:
        return View(self._generation, self.plan.members)

    @property
    def is_done(self) -> bool:
        return len(self._installed) >= self.view.majority

    @property
    def is_over(self) -> bool:
        return self.is_done or self.is_failed

    def start(self) -> dict[str, Seal]:
        return {name: Seal(self._generation) for name in self._asked}

    def hear(self, name: str, answer: Answer) -> dict[str, Install]:
        if isinstance(answer, Refusal):
            # Somebody is at it with a higher generation, or something is not as it was seen: look again.
            self.is_failed = not self.is_done
        elif isinstance(answer, Shown) and not self._installing:
            if self._counts(name, answer):
                self._shown[name] = answer
            if self._is_sealed():
                return self._install()
        elif isinstance(answer, Done) and self._installing:
            self._installed.add(name)
        return {}

    def _counts(self, name: str, shown: Shown) -> bool:
        base = self.plan.base
        if base is None:
            if shown.about.generation:
                self.is_failed = True  # there is a set after all
            return shown.about.incarnation == self.plan.members[name]
        if shown.about.generation > base.generation:
            self.is_failed = True  # a newer set than the one this plan starts from
        return shown.about.incarnation == base.members[name]

    def _is_sealed(self) -> bool:
        if self.is_failed:
            return False
        base = self.plan.base
        if base is None:
            return len(self._shown) == len(self.plan.members)
        knows = any(shown.about.generation == base.generation for shown in self._shown.values())
        return knows and len(self._shown) >= base.majority

    def _install(self) -> dict[str, Install]:
        self._installing = True
        registers: dict[str, Register] = merged([shown.registers for shown in self._shown.values()])
        fence = max(shown.about.fence for shown in self._shown.values())
        return {
            name: Install(name, self._generation, self.plan.members, registers, fence) for name in self.plan.members
        }
