"""What must hold of what one client sees, one thing after the other (C4, C5, C6)?"""

from __future__ import annotations

from collections.abc import Iterator

from sync.core.dots import Dot, covers
from tests.harness.mesh_of_stores import MeshOfStores
from tests.simulation.accounts import is_replaced, losers
from tests.simulation.history import History, Seen


def sessions(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C5, C6: in a session nothing seen is unseen again, and nothing that was gone comes back."""
    before: dict[tuple[str, str, str], Seen] = {}
    recorded = losers(mesh) | history.burnt_records
    for seen in history.seen:
        place = (seen.client, seen.stream, seen.key)
        earlier = before.get(place)
        if earlier is not None:
            yield from _backwards(mesh, earlier, seen, recorded)
        before[place] = seen
    for asked in history.acknowledged():
        after = before.get((asked.client, asked.stream, asked.key))
        if after is not None:
            for origin, seq in asked.dots:
                if not covers(after.session, origin, seq) or covers(after.state.context, origin, seq):
                    continue
                if asked.value is None or (origin, seq) in recorded:
                    continue  # what everybody has seen deleted is forgotten
                if not is_replaced(mesh.archive[asked.stream], asked.key, (origin, seq), dict(after.applied)):
                    yield f"{asked.client} did not find its own write {asked.sequence} of {asked.key} in {after.region}"


def _backwards(mesh: MeshOfStores, earlier: Seen, later: Seen, recorded: set[Dot]) -> Iterator[str]:
    archive = mesh.archive.get(later.stream, {})
    for origin, seq in earlier.state.context.items():
        # A delete that everybody has seen is forgotten, and with it what its key had seen.
        if not covers(later.state.context, origin, seq) and not covers(later.applied, origin, seq):
            yield f"{later.client} saw {seq} of {origin} on {later.key} in {earlier.region}, and not in {later.region}"
            return
    for version in earlier.state.versions:
        is_known = any(dot in one.dots for one in later.state.versions for dot in version.dots)
        if is_known or version.is_deleted or covers(later.state.context, *version.dot) or version.dot in recorded:
            continue
        if not is_replaced(archive, later.key, version.dot, dict(later.applied)):
            where = f"seen in {earlier.region} and gone in {later.region}"
            yield f"{version.name} of {later.key} was {where}, replaced by nothing"
    known = {dot for version in earlier.state.versions for dot in version.dots}
    for version in later.state.versions:
        if version.is_deleted or not known.isdisjoint(version.dots):
            continue  # a delete that one region has forgotten may still stand beside a write in another
        if all(covers(earlier.state.context, *dot) for dot in version.dots):
            where = f"gone in {earlier.region} and back in {later.region}"
            yield f"{later.client} saw {version.name} of {later.key} {where}"


def causality(mesh: MeshOfStores, history: History) -> Iterator[str]:
    """C4: nobody sees a write beside what its writer had read."""
    for seen in history.seen:
        archive = mesh.archive.get(seen.stream, {})
        for version in seen.state.versions:
            context = archive[version.dot].vector()
            for other in seen.state.versions:
                if other is not version and covers(context, *other.dot):
                    yield f"{seen.client} saw {version.name} of {seen.key} beside {other.name}, which it had replaced"
