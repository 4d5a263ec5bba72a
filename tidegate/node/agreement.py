"""What this node and the others agree on: the state store, who leads, and what each says of itself.

    no peers, embedded        state.sqlite, and this node leads itself
    peers, embedded           an acceptor on one node a region, asked over the peer channel; a copy in agreed.sqlite
    redis, postgres           acceptors there; the same copy; what nodes say of themselves hangs there too
    <data_dir>/local.sqlite   what this node decided for itself alone, with or without the others

A node that cannot open its files does not start its control process: deciding without a memory would undo what was
decided.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from config.models import Config
from health.core.lease import Lease, LeaseSettings
from health.election import Election, boot_time, why_no_clock
from health.leadership import Alone, Leadership
from health.peering.gossip import PATH as GOSSIP_PATH
from health.peering.gossip import Gossip
from health.quorum.acceptors import Acceptor
from health.quorum.quorum import Quorum
from health.state.agreed import AgreedStore
from health.state.board import Boards
from health.state.embedded import EmbeddedStore
from health.state.store import StateStore
from tidegate.node.acceptors import lease_acceptors, state_acceptors
from tidegate.node.boards import state_boards
from tidegate.node.logs import Log
from tidegate.node.peers import Peers
from tidegate.node.tasks import Tasks


@dataclass
class Agreement:
    """Stores and election of one control process."""

    state: StateStore
    local_state: StateStore
    leadership: Leadership
    run: str
    """This run of this node: what soft rows and leases are owned by."""
    peers: Peers | None = None
    gossip: Gossip | None = None
    boards: Boards | None = None
    election: Election | None = None
    quorums: list[Quorum] = field(default_factory=list)
    write_election: Callable[[str], Election] | None = None
    """A lease of its own, by name, for who takes writes; None where nobody else could."""

    @property
    def unreached(self) -> dict[str, str]:
        """Peers and boards that did not answer when this node last spoke to them, by address, and why."""
        return {
            **(self.gossip.unreached if self.gossip is not None else {}),
            **(self.boards.unreached if self.boards is not None else {}),
        }

    def start(self, tasks: Tasks) -> None:
        if self.peers is not None:
            self.peers.start(tasks)
        if self.gossip is not None:
            tasks.keep("gossip", self.gossip.run)
        if self.boards is not None:
            tasks.keep("boards", self.boards.run)
        if isinstance(self.state, AgreedStore):
            tasks.keep("agreed state", self.state.run)
            tasks.keep("hints", self.state.listen)
        if self.election is not None:
            tasks.keep("election", self.election.run)
            tasks.keep("acceptors", self.election.look_around)

    async def close(self) -> None:
        if self.election is not None:
            await self.election.release()
        await self.state.close()
        await self.local_state.close()
        for quorum in self.quorums:
            await quorum.close()
        if self.boards is not None:
            await self.boards.close()
        if self.peers is not None:
            await self.peers.close()


def make_agreement(config: Config, *, environ: Mapping[str, str], log: Log) -> Agreement:
    """Raises what `Peers` raises, and `Unavailable`, naming the file, when a store cannot be opened."""
    data_dir = Path(config.node.data_dir)
    run = f"{config.node.id}/{secrets.token_hex(4)}"
    peers = None if config.peer is None else Peers(config.peer, config, environ=environ, log=log)
    local = open_file(data_dir / "local.sqlite", owner=run, log=log)
    voting = state_acceptors(config, peers, environ=environ)
    if not voting:
        state = open_file(data_dir / "state.sqlite", owner=run, log=log)
        return _with_gossip(
            Agreement(state, local, Alone(config.node.id, fence=state.fence), run, peers), config, state
        )
    copy = open_file(data_dir / "agreed.sqlite", owner=run, log=log)
    rows = _quorum(voting, run, log)
    agreed = AgreedStore(rows, copy)
    own = lease_acceptors(config, peers, environ=environ)
    leases = rows if own is None else _quorum(own, run, log)
    election = _election(config, run, quorum=leases, rows=rows, store=agreed, copy=copy, log=log)
    made = Agreement(agreed, local, election, run, peers, election=election)
    made.write_election = lambda name: write_election(config, run, leases, name, log)
    made.quorums = [] if leases is rows else [leases]
    boards = state_boards(config, environ=environ)
    if boards:
        made.boards = Boards(copy.soft_book, boards, say=lambda sentence: log.info("board", what=sentence))
    return _with_gossip(made, config, copy)


def _election(
    config: Config, run: str, *, quorum: Quorum, rows: Quorum, store: AgreedStore, copy: EmbeddedStore, log: Log
) -> Election:
    """`quorum` keeps the lease and `rows` the state: the same, or not."""
    options = config.election
    lease_s, renew_s = (options.lease, options.renew) if options is not None else (10.0, 3.0)
    lease = Lease(
        run=run,
        node=config.node.id,
        settings=LeaseSettings(ttl_s=lease_s, renew_s=renew_s, poll_s=min(1.0, renew_s / 2)),
        rng=random.Random(),  # noqa: S311 - spreads contenders in time; no secret hangs on it
        now=boot_time(),
    )
    lease.raise_floor(copy.fence)
    lease.abstains = why_no_clock()
    no_promotion = None
    if 2 in {len(quorum.names), len(rows.names)}:
        no_promotion = (
            "two acceptors: whichever region is lost, no majority is left; add a witness (election.acceptors)"
        )
    return Election(
        lease,
        quorum,
        fence=store.raise_fence,
        clock=boot_time,
        say=lambda sentence: log.info("election", what=sentence),
        no_promotion=no_promotion,
        beside=() if rows is quorum else (rows,),
    )


def write_election(config: Config, run: str, quorum: Quorum, name: str, log: Log) -> Election:
    """Who takes writes for the collections of one primary region. Nothing of the state hangs on it, so no store of the
    state is fenced: the holder's own sync process refuses what comes after the lease."""

    async def fence(epoch: int) -> None:
        """The sync process is told the epoch with the lease."""

    options = config.election
    lease_s, renew_s = (options.lease, options.renew) if options is not None else (10.0, 3.0)
    lease = Lease(
        run=run,
        node=config.node.id,
        settings=LeaseSettings(ttl_s=lease_s, renew_s=renew_s, poll_s=min(1.0, renew_s / 2)),
        rng=random.Random(),  # noqa: S311 - spreads contenders in time; no secret hangs on it
        now=boot_time(),
    )
    lease.abstains = why_no_clock()
    return Election(
        lease,
        quorum,
        fence=fence,
        clock=boot_time,
        say=lambda sentence: log.info("write lease", of=name, what=sentence),
        register=f"write {name}",
    )


def _quorum(acceptors: Mapping[str, Acceptor], run: str, log: Log) -> Quorum:
    return Quorum(
        acceptors,
        run=run,
        rng=random.Random(),  # noqa: S311 - spreads retries in time
        say=lambda sentence: log.info("quorum", what=sentence),
    )


def _with_gossip(made: Agreement, config: Config, store: EmbeddedStore) -> Agreement:
    peers = made.peers
    if peers is not None and peers.urls:
        state = made.state
        made.gossip = Gossip(
            store.soft_book,
            peers.client,
            peers.urls,
            node=config.node.id,
            revision=lambda: state.revision,
            hint=state.hint if isinstance(state, AgreedStore) else lambda: None,
        )
        peers.server.mount(GOSSIP_PATH, made.gossip.answer)
    return made


def open_file(path: Path, *, owner: str, log: Log) -> EmbeddedStore:
    """A store in one file; what is wrong with it is said."""
    store = EmbeddedStore(path, owner=owner, clock=time.monotonic)
    if store.set_aside is not None:
        log.problem("the state file is damaged, starting with none", file=str(path), kept_as=str(store.set_aside))
    for trouble in store.troubles():
        log.warning("a row of the state is contained", reason=str(trouble))
    return store
