"""Which configuration does a process start with, and what is settled by it?

    the file, if it is good        else  the last good text that was read from that file, marked degraded
                                   else  every mistake, and no start

`tidegate serve`, the control process and a worker without control all choose here, so they cannot disagree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.loader import Loaded, load_file, load_text
from config.models import Config
from config.problems import ConfigurationError
from gateway.messages import Publication
from tidegate.node.core.descriptors import descriptors_needed, limits_are_written
from tidegate.node.core.fixed import sentence
from tidegate.node.disk import Disk
from tidegate.node.logs import Log
from tidegate.node.plan import Address, NodePlan

DATA_DIR_VARIABLE = "TIDEGATE_NODE__DATA_DIR"
_DATA_DIR_LINE = re.compile(r"""\bdata_dir\s*:\s*["']?([^"',}\s#]+)""")


@dataclass(frozen=True)
class Chosen:
    """A configuration to start with."""

    loaded: Loaded
    degraded: str | None
    """Why it is not the file's; None when it is."""


def choose(
    file: Path,
    *,
    disk: Disk,
    environ: Mapping[str, str],
    fits: Callable[[Config], str | None] = lambda config: None,
) -> Chosen:
    """The file if it is good and fits, else the last good text. `fits` says why a good configuration cannot be used.

    Raises the file's `ConfigurationError` when there is no last good text either.
    """
    try:
        loaded = load_file(file, environ=environ)
        trouble = fits(loaded.config)
        if trouble is None:
            return Chosen(loaded, None)
        error: ConfigurationError | None = None
    except ConfigurationError as refused:
        error, trouble = refused, "; ".join(mistakes(refused))
    saved = disk.last_good(file)
    if saved is not None:
        try:
            loaded = load_text(saved.text, file=file, environ=environ)
        except ConfigurationError as refused:
            error = error or refused
        else:
            if fits(loaded.config) is None:
                return Chosen(loaded, f"the last good configuration is in force: {trouble}")
    raise error or UnfitConfiguration(trouble)


def mistakes(error: ConfigurationError) -> tuple[str, ...]:
    """What keeps it from being used; warnings, which do not, are left out."""
    return tuple(str(problem) for problem in error.problems if problem.severity == "error")


class UnfitConfiguration(Exception):
    """A good configuration that this node cannot run; the message says why."""


def make_plan(loaded: Loaded) -> NodePlan:
    """What of it is settled for as long as the node runs."""
    config = loaded.config
    workers = config.node.workers if isinstance(config.node.workers, int) else usable_processors()
    return NodePlan(
        node_id=config.node.id,
        config_file=str(loaded.file),
        data_dir=config.node.data_dir,
        workers=workers,
        shutdown_grace_s=config.node.shutdown_grace,
        access_log=config.observability.access_log.path,
        listeners=[
            Address(listener.name, listener.bind.host, listener.bind.port, f"listeners[{index}].bind")
            for index, listener in enumerate(config.listeners)
        ],
        admin=Address("admin", config.admin.bind.host, config.admin.bind.port, "admin.bind"),
        descriptors=descriptors_needed(config, workers=workers),
        descriptors_must_fit=limits_are_written(config),
        has_sync=config.sync is not None,
    )


def likely_data_dir(file: Path, *, environ: Mapping[str, str]) -> Path:
    """Where the last good text would be, of a file that cannot be understood: the best guess at `node.data_dir`."""
    if named := environ.get(DATA_DIR_VARIABLE):
        return file.parent / named
    try:
        found = _DATA_DIR_LINE.search(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = None
    return file.parent / (found.group(1) if found else "data")


def last_publication(file: Path, *, disk: Disk, environ: Mapping[str, str], log: Log) -> Publication | None:
    """What control would publish, from the disk alone; None when that is not possible."""
    saved = disk.last_good(file)
    if saved is None:
        return None
    try:
        loaded = load_text(saved.text, file=file, environ=environ)
    except ConfigurationError as error:
        log.problem("the last good configuration is not good any more", problems=str(error))
        return None
    verdicts = disk.verdicts()
    return Publication(
        version=verdicts.version if verdicts else 0,
        config_digest=loaded.digest,
        config=loaded.config.model_dump_json(),
        endpoints=verdicts.states() if verdicts else {},
        region_rtts=verdicts.region_rtts if verdicts else {},
        resolved=verdicts.resolved if verdicts else {},
        operator=verdicts.operator if verdicts else {},
    )


def usable_processors() -> int:
    """Processors that this process may use: by its affinity, and by the quota of its cgroup."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(allowed, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no cgroup, or the quota is "max"
        return allowed


def settled_differently(plan: NodePlan, config: Config) -> tuple[str, ...]:
    """Options of `config` that a running node's plan contradicts: a control process that starts again must fit it."""
    differs = []
    if (config.node.id, config.node.data_dir) != (plan.node_id, plan.data_dir):
        differs.append("node")
    here = {each.name: (each.host, each.port) for each in plan.listeners}
    if {each.name: (each.bind.host, each.bind.port) for each in config.listeners} != here:
        differs.append("listeners")
    if (config.admin.bind.host, config.admin.bind.port) != (plan.admin.host, plan.admin.port):
        differs.append("admin.bind")
    if (config.sync is not None) != plan.has_sync:
        differs.append("sync")
    return tuple(differs)


def choose_for(plan: NodePlan, *, environ: Mapping[str, str], log: Log) -> Chosen:
    """The configuration, as long as it fits the sockets and processes that are there already."""

    def fits(config: Config) -> str | None:
        differs = settled_differently(plan, config)
        return sentence(differs) if differs else None

    return choose(Path(plan.config_file), disk=Disk(Path(plan.data_dir), log), environ=environ, fits=fits)
