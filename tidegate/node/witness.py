"""`tidegate witness`: a voter and an acceptor at a third place, without traffic and without data.

    own probes ──vote, as region `witness`──> all nodes (failover.quorum: {kind: witness, witness: URL})
    acceptor.sqlite <── one register among the majority (election.acceptors: [..., {url: URL, witness: true}])

Two regions are no majority of each other when one is lost; a witness makes them three. It reads the nodes' file, stands
at `peer.bind` with an identity of its own (`node.id`, a certificate for its URL's host or for the name `witness`), and
never leads. Its file is read again on SIGHUP; what it says of itself shows in `tidegate nodes`.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from config.certificates import CertificateUnusable
from config.loader import Loaded, load_file
from config.mesh_keys import KeysUnusable
from config.problems import ConfigurationError
from config.secrets import SecretUnavailable
from health.core.failover import MANUAL
from health.core.votes import MAX_AGE_S, WITNESS
from health.core.watching import Watching
from health.discovery.names import Names
from health.peering.gossip import PATH as GOSSIP_PATH
from health.peering.gossip import Gossip
from health.prober import Prober
from health.state.soft import SoftBook
from health.targets import bounds, names, targets
from tidegate.node import census
from tidegate.node.control_process import make_resolver
from tidegate.node.failing_over import VOTE, Said
from tidegate.node.logs import Log, setup
from tidegate.node.nodes import KIND, TTL_S, Announced
from tidegate.node.peers import Peers
from tidegate.node.sockets import AddressUnavailable
from tidegate.node.startup import mistakes
from tidegate.node.tasks import Ending, Tasks
from tidegate.node.wall import wall

ANNOUNCE_EVERY_S = 1.0


class WitnessRefused(Exception):
    """It cannot start; the message says why."""


class Witness:
    """One run of it."""

    def __init__(self, loaded: Loaded, *, environ: Mapping[str, str], log: Log) -> None:
        """Raises `WitnessRefused`, and what `Peers` raises."""
        config = loaded.config
        if config.peer is None:
            raise WitnessRefused("found no `peer`, expected the address at which the nodes ask the witness")
        self._loaded = loaded
        self._environ = environ
        self._log = log
        self._run = f"{config.node.id}/{secrets.token_hex(4)}"
        self._started_at = wall()
        self._watching = Watching()
        self._book = SoftBook(self._run, clock=time.monotonic)
        self.peers = Peers(config.peer, config, environ=environ, log=log, is_witness=True)
        self._gossip = Gossip(
            self._book,
            self.peers.client,
            self.peers.urls,
            node=config.node.id,
            revision=lambda: 0,
            hint=lambda: None,
        )
        self.peers.server.mount(GOSSIP_PATH, self._gossip.answer)
        # Spreads probes and lookups in time; no secret hangs on it.
        self._prober = Prober(node_id=config.node.id, on_change=lambda: None, rng=random.Random(), wall=wall)  # noqa: S311
        self._names = Names(
            on_change=self._reconcile,
            rng=random.Random(),  # noqa: S311 - as above
            wall=wall,
            clock=time.monotonic,
            make_resolver=make_resolver,
        )
        self._adopt(loaded)

    def _adopt(self, loaded: Loaded) -> None:
        self._loaded = loaded
        config = loaded.config
        self._names.reconcile(list(names(config)), resolvers=config.discovery.resolvers, bounds=bounds(config))
        self._reconcile()

    def _reconcile(self) -> None:
        self._prober.reconcile(targets(self._loaded.config, self._names.found()))

    def start(self, tasks: Tasks) -> None:
        self.peers.start(tasks)
        tasks.keep("gossip", self._gossip.run)
        tasks.keep("prober", self._prober.run)
        tasks.keep("names", self._names.run)
        tasks.keep("votes", self._vote)

    async def reload(self) -> None:
        """The file again; what it says of this witness's own address and keys waits for a restart."""
        try:
            loaded = await asyncio.to_thread(load_file, self._loaded.file, environ=self._environ)
        except ConfigurationError as error:
            self._log.problem("configuration refused, the old one stays", problems=list(mistakes(error)))
            return
        self._adopt(loaded)
        self._log.info("configuration adopted", digest=loaded.shared_digest)

    async def close(self) -> None:
        await self.peers.close()

    async def _vote(self) -> None:
        while True:
            config = self._loaded.config
            settings = config.failover or MANUAL
            votes = self._watching.votes(
                self._prober.regions(), timeout_s=settings.detection.timeout, now=time.monotonic()
            )
            self._book.announce(VOTE, config.node.id, _told(Said(WITNESS, votes)), ttl_s=MAX_AGE_S)
            self._book.announce(KIND, config.node.id, _told(self._announcement()), ttl_s=TTL_S)
            await asyncio.sleep(min(ANNOUNCE_EVERY_S, settings.detection.interval))

    def _announcement(self) -> Announced:
        own = self._loaded.config.node.id
        return Announced(
            region=WITNESS,
            version=metadata.version("tidegate"),
            config=self._loaded.shared_digest,
            run=self._run,
            started_at=self._started_at,
            address=next((url for url, node in self._gossip.reached.items() if node == own), ""),
        )


def _told(said: msgspec.Struct) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(said)
    return told


async def run(loaded: Loaded, *, environ: Mapping[str, str], log: Log) -> int:
    """Until SIGTERM; the exit code."""
    loop = asyncio.get_running_loop()
    ending = Ending()
    tasks = Tasks(log, on_fatal=lambda _: ending.end(1))
    witness = Witness(loaded, environ=environ, log=log)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.end, 0)
    loop.add_signal_handler(signal.SIGHUP, tasks.start, "reload", witness.reload)
    witness.start(tasks)
    log.info(
        "the witness is there",
        node=loaded.config.node.id,
        regions=sorted({region.id for region in loaded.config.regions}),
    )
    code = await ending.wait()
    await tasks.close()
    await witness.close()
    log.info("stopped")
    return code


def main(file: Path, *, environ: Mapping[str, str]) -> int:
    """What the command does; the exit code."""
    log = setup("witness", node=environ.get("TIDEGATE_NODE__ID", ""))
    try:
        loaded = load_file(file.absolute(), environ=environ)
        lock = census.take_lock(Path(loaded.config.node.data_dir))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(run(loaded, environ=environ, log=log))
        os.close(lock)
    except ConfigurationError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return 2
    except CANNOT_START as error:
        log.problem("cannot start", reason=str(error))
        return 1
    return code


CANNOT_START = (
    WitnessRefused,
    census.AlreadyRunning,
    census.DataDirUnusable,
    AddressUnavailable,
    SecretUnavailable,
    KeysUnusable,
    CertificateUnusable,
)
"""Their messages say what to do."""
