"""One network a region, on one machine: Linux network namespaces on a bridge, made with iproute2.

    rig's namespace    bridge 10.77.255.254/16, clients, PostgreSQL, and the clients' links (10.79.j.1 on lo)
    region i           eth0 10.77.i.1/16 on the bridge; lo with the names of all regions (10.78.j.1), for its links

The rig itself runs in a namespace of its own (`isolated`), so nothing of the machine's network is touched or met, ports
are always the same, and everything is gone with the last process that is in it. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from chaos.mesh.plan import CLIENT_SIDES, NAMES, REGIONS, SWITCH, address

INSIDE = "TIDEGATE_CHAOS_INSIDE"
"""Set for the process that already has a network of its own."""
NAMES_OF_NAMESPACES = "/run/netns"
NEEDS = "needs network namespaces, which this machine does not let it make ({}): run it as root, with iproute2"


class NetworkError(Exception):
    """The machine does not let us."""


def isolated(command: Sequence[str], environ: Mapping[str, str]) -> int | None:
    """Run this program again in a network of its own, and give its exit code; None for whom that is.

    Raises NetworkError where it cannot be had.
    """
    if environ.get(INSIDE):
        return None
    tried = _run(("unshare", "--net", "--mount", "true"))
    if tried is not None:
        raise NetworkError(NEEDS.format(tried))
    inside = ("unshare", "--net", "--mount", sys.executable, *command)
    return subprocess.run(inside, env={**environ, INSIDE: "1"}, check=False).returncode


def open_network() -> None:
    """Everything in the picture above. Once a process; it goes with the process. Raises NetworkError."""
    steps = [
        ("mkdir", "-p", NAMES_OF_NAMESPACES),
        ("mount", "-t", "tmpfs", "tmpfs", NAMES_OF_NAMESPACES),
        ("ip", "link", "set", "lo", "up"),
        ("ip", "link", "add", "br0", "type", "bridge"),
        ("ip", "address", "add", f"{SWITCH}/16", "dev", "br0"),
        ("ip", "link", "set", "br0", "up"),
        *(("ip", "address", "add", f"{side}/32", "dev", "lo") for side in CLIENT_SIDES),
    ]
    for region in REGIONS:
        port = f"to-{region}"
        inside = ("ip", "-n", region)
        steps += [
            ("ip", "netns", "add", region),
            ("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", region),
            ("ip", "link", "set", port, "master", "br0", "up"),
            (*inside, "address", "add", f"{address(region)}/16", "dev", "eth0"),
            (*inside, "link", "set", "eth0", "up"),
            (*inside, "link", "set", "lo", "up"),
            *((*inside, "address", "add", f"{name}/32", "dev", "lo") for name in NAMES),
        ]
    for step in steps:
        if (said := _run(step)) is not None:
            raise NetworkError(NEEDS.format(f"{' '.join(step)}: {said}"))


def within(region: str, command: Sequence[str]) -> tuple[str, ...]:
    """The command, run in a region's network. `nsenter` becomes the command: the process id stays."""
    return ("nsenter", f"--net={NAMES_OF_NAMESPACES}/{region}", *command)


def outside(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for programs under test: nothing of ours, nothing of another Tidegate."""
    return {name: value for name, value in environ.items() if not name.startswith(("TIDEGATE_", "CHAOS_"))}


def _run(command: Sequence[str]) -> str | None:
    """What it said if it failed."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=20, env={**os.environ, "PATH": path}
        )
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"
