"""Do the checkers see? A build with known bugs, tried like any other: each bug must break the promise that it breaks.

    python -m chaos --planted        exit 0 when every planted bug was found

The product's sources are copied and changed in the copy; the nodes run the copy. A bug whose place is gone from the
sources is an error, not a bug less.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos import faults, upon_acknowledgement
from chaos.experiment import Bounds, Experiment
from chaos.mesh.links import Links
from chaos.mesh.plan import FORBIDDEN, HOME
from tidegate.demo.promises import Promise

PACKAGES = ("config", "gateway", "health", "sync", "tidegate")


class PlaceGone(Exception):
    """The sources have changed where a bug was to be planted."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One bug: what stands in a file, what stands there instead, and the starts of the promises that it breaks."""

    name: str
    file: str
    good: str
    bad: str
    breaks: tuple[str, ...]


BUGS = (
    Planted(
        "whatever was sent is sent again",
        "gateway/core/retries.py",
        "return error.status in self.statuses and method in self.methods",
        "return True",
        ("nothing is executed twice that may not be",),
    ),
    Planted(
        "every region may hold everything",
        "config/core/residency.py",
        'if allowed is not None and allowed != "*" and region.id not in allowed:',
        "if allowed is None and region.id == region:",
        ("nothing leaves the regions it is bound to", "C8"),
    ),
    Planted(
        "a limit lets everybody pass",
        "gateway/core/gcra.py",
        "return fresh, wait_s if wait_s > EPSILON_S else 0.0",
        "return now, 0.0",
        ("limits are exceeded",),
    ),
    Planted(
        "every retry leaks descriptors",
        "gateway/core/retries.py",
        "        self._balance -= 1.0\n",
        '        self._balance -= 1.0\n        [__import__("os").dup(1) for _ in range(40)]\n',
        ("nodes hold what they held before",),
    ),
    Planted(
        "a session is not waited for",
        "sync/api/records.py",
        "if session is None or plan.name not in session.seen:",
        "if session is None or plan.name:",
        ("C5, C6",),
    ),
    Planted(
        "an operation that was sent to two regions is two",
        "sync/core/versions.py",
        "        if self.dot == other.dot:\n            return True\n",
        "        if self.dot != other.dot or self.dot == other.dot:\n            return self.dot == other.dot\n",
        ("C7",),
    ),
    Planted(
        "... also where the other dot is known already",
        "sync/core/merging.py",
        "    elif alias is None or not covers(state.context, *alias):\n",
        "    elif twin is None:\n",
        (),
    ),
    Planted(
        "a concurrent write drops what it has not seen",
        "sync/core/merging.py",
        "kept = [known for known in state.versions if known is not twin and not known.is_covered(context)]",
        "kept = [known for known in state.versions[:12] if known is not twin and not known.is_covered(context)]",
        ("C1", "C3"),
    ),
    Planted(
        "a session wanders as if it had no endpoint",
        "gateway/core/sticky.py",
        '            return self._told(bound, reasons.SESSION_KEPT, "")',
        '            return self._told(self._anew(forward, world, tried, key) or bound, reasons.SESSION_KEPT, "")',
        ("a session stays with its endpoint",),
    ),
    Planted(
        "now and then a request is sent with the fields of the one before",
        "gateway/core/forwarding.py",
        "            head.forwarded_fields,\n            lines,\n",
        "            (lambda seen: seen.append(head.forwarded_fields) or seen[-2 if len(seen) % 40 == 0 else -1])\n"
        '            (globals().setdefault("SEEN", [b""]))\n'
        '            if head.method == "GET" and not head.is_websocket else head.forwarded_fields,\n'
        "            lines,\n",
        ("no answer reaches another client",),
    ),
    Planted(
        "a limit that nodes count together lets everybody pass",
        "gateway/core/leases.py",
        "        if lease.tokens > 0:\n            if spend:\n",
        "        if lease.tokens > -(10**9):\n            if spend:\n",
        ("a limit of all nodes is exceeded",),
    ),
    Planted(
        "some of what arrives has lost what its writer had read",
        "sync/core/arrivals.py",
        "settled = arrive(self.plan.conflict, state, version, operation.vector(), alias=",
        "settled = arrive(self.plan.conflict, state, version, operation.vector() if operation.seq % 3 else {}, alias=",
        ("C4",),
    ),
    Planted(
        "what will be sworn by is acknowledged a second before it is written",
        "sync/api/records.py",
        "        (result,) = await self.store.write([write], now=self.wall())\n",
        "        is_early = write.key.startswith('sworn/')\n"
        "        structs = __import__('msgspec').structs\n"
        "        early = structs.replace(write, key='early', op_id=None) if is_early else write\n"
        "        (result,) = await self.store.write([early], now=self.wall())\n"
        "        if early is not write:\n"
        "            later = lambda: asyncio.ensure_future(self.store.write([write], now=self.wall()))\n"
        "            asyncio.get_running_loop().call_later(1.0, later)\n",
        ("C10",),
    ),
    Planted(
        "audit records are padded with what nobody reads",
        "tidegate/node/audit_log.py",
        'self._waiting.append({"n": self._number, ',
        'self._waiting.append({"pad": "x" * 200_000, "n": self._number, ',
        ("C12",),
    ),
    Planted(
        "not every crossing of a border is recorded",
        "gateway/proxy/exchange.py",
        "if route.is_audited and endpoint.region != self._snapshot.routing.region:",
        "if route.is_audited and self.request_id[-1] % 3 and endpoint.region != self._snapshot.routing.region:",
        ("C13: what crosses",),
    ),
    Planted(
        "a line of the audit log vouches for itself alone",
        "tidegate/node/core/audit_chain.py",
        "    hashed = hashlib.sha256(previous.encode() + text).hexdigest()\n    return",
        "    hashed = hashlib.sha256(text).hexdigest()\n    return",
        ("C13: audit logs",),
    ),
)


def _answers_lost(links: Links) -> Links:
    return links.of_kind("backends").chosen(lambda plan: plan.target in HOME)


EXPERIMENT = Experiment(
    name="planted",
    when="answers of two regions' backends are swallowed, the third region is alone and its store killed upon each "
    "acknowledgement, and links between regions are late, under a build with bugs",
    must="each bug breaks the promise that it breaks",
    fault=faults.together(
        faults.toxic(_answers_lost, "timeout", timeout=0),
        faults.toxic(lambda links: links.between_regions().of_kind("peers"), "latency", latency=300),
        upon_acknowledgement.killed(FORBIDDEN),
    ),
    bounds=Bounds(
        converge_within_s=3.0, settle_within_s=10.0
    ),  # they will not; and without a kill C10 would say nothing
)


def build(root: Path, target: Path, bugs: Sequence[Planted] = BUGS) -> Path:
    """A copy of the product with the bugs in it. Raises PlaceGone."""
    for package in PACKAGES:
        shutil.copytree(root / package, target / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for bug in bugs:
        file = target / bug.file
        text = file.read_text()
        if text.count(bug.good) != 1:
            raise PlaceGone(f"{bug.name}: found {text.count(bug.good)} places in {bug.file}, expected one")
        file.write_text(text.replace(bug.good, bug.bad))
    return target


def missed(promises: Sequence[Promise], bugs: Sequence[Planted] = BUGS) -> Iterator[str]:
    """Bugs that a promise was to find and did not."""
    broken = [promise.text for promise in promises if not promise.is_kept]
    for bug in bugs:
        for start in bug.breaks:
            if not any(text.startswith(start) for text in broken):
                yield f"{bug.name}: not seen by the promise {start!r}"
