"""Can every address be listened on beside the others, and is nothing open that should not be?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from config.core.residency import compile_policy
from config.models import Bind, Config
from config.models.values import is_ip_address
from config.problems import Finding, KeyPath


def check(config: Config) -> Iterator[Finding]:
    yield from _overlaps(config)
    yield from _open_admin(config)
    yield from _open_peer(config)


def overlap(one: Bind, other: Bind) -> bool:
    """Whether both cannot be listened on at the same time."""
    if one.port != other.port:
        return False
    if one.host == other.host or "::" in (one.host, other.host):
        # Linux gives a socket on [::] the IPv4 addresses too.
        return True
    if one.is_wildcard or other.is_wildcard:
        return all(_may_be_version_4(bind) for bind in (one, other))
    if "localhost" in (one.host, other.host):
        return one.is_loopback and other.is_loopback
    return False


def _may_be_version_4(bind: Bind) -> bool:
    return not is_ip_address(bind.host) or ipaddress.ip_address(bind.host).version == 4


def _overlaps(config: Config) -> Iterator[Finding]:
    taken: list[tuple[str, Bind]] = []
    for path, name, bind in _binds(config):
        for other_name, other in taken:
            if overlap(bind, other):
                found = f"{bind}, which overlaps {other} of {other_name}"
                yield Finding(path, found, f"an address and port of its own for {name}")
                break
        taken.append((name, bind))


def _binds(config: Config) -> Iterator[tuple[KeyPath, str, Bind]]:
    for index, listener in enumerate(config.listeners):
        yield ("listeners", index, "bind"), f"the listener {listener.name}", listener.bind
    yield ("admin", "bind"), "admin", config.admin.bind
    if config.peer is not None:
        yield ("peer", "bind"), "peer", config.peer.bind


def _open_admin(config: Config) -> Iterator[Finding]:
    if not config.admin.bind.is_loopback and not config.admin.tokens:
        found = f"{config.admin.bind}, which other machines reach, without tokens"
        yield Finding(("admin", "bind"), found, "a loopback address such as 127.0.0.1:9900, or admin.tokens")


def _open_peer(config: Config) -> Iterator[Finding]:
    """Signed requests can be read on their way: fine on this machine, or where every region may hold everything."""
    if config.peer is None or config.peer.secret is None or config.peer.bind.is_loopback:
        return
    policy = compile_policy(config)
    for rule in config.residency.rules:
        for region in config.regions:
            verdict = policy.may(rule.data_type, source="", destination=region.id, purpose="replication", now=0.0)
            if not verdict.allowed:
                found = f"a secret in place of tls, although {region.id} may not hold {rule.data_type}"
                yield Finding(("peer", "secret"), found, "peer.tls, or a loopback address")
                return
