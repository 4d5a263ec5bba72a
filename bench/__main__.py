"""Tidegate beside nginx, HAProxy, Envoy, Caddy and Traefik, on this machine, doing the same work.

make bench                        everything, about half an hour on two quiet cores
make bench ARGS=--quick           the same in three minutes: to see that it runs, not to be believed
python -m bench --sections requests --only Tidegate,Envoy --rounds 3 --seconds 2
python -m bench --tree ../other   a second Tidegate from another working tree, in the same rounds
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, picture, table
from bench.goals import IDLE_CONNECTIONS, US, judge
from bench.lab import Effort, Lab
from bench.peers.caddy import Caddy
from bench.peers.contestant import Contestant
from bench.peers.envoy import Envoy
from bench.peers.floor import Floor
from bench.peers.haproxy import Haproxy
from bench.peers.nginx import Nginx
from bench.peers.tidegate import Tidegate
from bench.peers.traefik import Traefik
from bench.results import Results
from bench.sections import SECTIONS

RESULTS = Path("bench/results")
FULL = Effort(
    rounds=5, other_rounds=5, seconds=2.0, idle_connections=IDLE_CONNECTIONS, warm_up_s=1.0, everyone_flat=True
)
QUICK = Effort(rounds=2, other_rounds=1, seconds=1.0, idle_connections=1000, warm_up_s=0.0, everyone_flat=False)


def everyone(trees: Sequence[Path], compiled: Path | None = None) -> Sequence[Contestant]:
    """`compiled`: a copy of this tree with its hot modules compiled; it is then the one that goals are judged by."""
    ours = [Tidegate()] if compiled is None else [Tidegate(tree=compiled.resolve()), Tidegate(f"{US} from source")]
    others = [Tidegate(f"{US} {tree.name}", tree.resolve()) for tree in trees]
    return (*ours, *others, Floor(), Nginx(), Haproxy(), Envoy(), Caddy(), Traefik())


def chosen(contestants: Sequence[Contestant], only: str) -> Sequence[Contestant]:
    """Those named, without regard to case. Raises SystemExit for a name that is nobody's."""
    if not only:
        return contestants
    wanted = {name.strip().lower() for name in only.split(",")}
    known = {contestant.name.lower() for contestant in contestants}
    if unknown := wanted - known:
        raise SystemExit(f"bench: found {', '.join(sorted(unknown))}, expected some of {', '.join(sorted(known))}")
    return [contestant for contestant in contestants if contestant.name.lower() in wanted]


def cores() -> tuple[int | None, int | None]:
    """One for the proxy and one for all else; on a machine with a single one, nothing is pinned."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def run(lab: Lab, sections: Sequence[str]) -> None:
    for name in sections:
        began = time.monotonic()
        print(f"bench: {name} ...", end=" ", flush=True)
        SECTIONS[name](lab)
        lab.is_first = False
        print(f"{time.monotonic() - began:.0f} s", flush=True)


def write(lab: Lab, *, directory: Path, name: str, effort: str, now: str) -> Path:
    """Page, picture and every sample; returns the page."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [contestant.name for contestant in lab.contestants]
    versions = {one.name: one.missing() or one.version() for one in lab.contestants}
    facts = machine.facts(now)
    (directory / f"{name}.svg").write_text(picture.svg(lab.results, names))
    document = {
        "facts": facts,
        "versions": versions,
        "effort": effort,
        "samples": [asdict(sample) for sample in lab.results.samples],
        "absent": [[*key, why] for key, why in lab.results.absent.items()],
    }
    (directory / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    path = directory / f"{name}.md"
    commands = {what: shortened(command, lab.directory) for what, command in lab.commands.items()}
    path.write_text(
        table.page(
            lab.results,
            contestants=names,
            facts=facts,
            versions=versions,
            commands=commands,
            effort=effort,
            picture=f"{name}.svg",
        )
    )
    return path


def shortened(command: str, directory: Path) -> str:
    """Without paths of this machine."""
    for path, name in ((str(directory), "RUN"), (f"{Path.cwd()}/", ""), (sys.prefix, ".venv")):
        command = command.replace(path, name)
    return command


def goals(results: Results) -> str:
    return "\n".join(f"{one.verdict:<13} {one.goal}: {one.measured}" for one in judge(results))


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three minutes")
    parser.add_argument("--only", default="", help="contestants, separated by commas")
    parser.add_argument("--sections", default="", help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each load")
    parser.add_argument("--idle-connections", type=int)
    parser.add_argument("--compiled", type=Path, help="a copy of this tree by scripts/compile.py --copy, to be judged")
    parser.add_argument("--tree", type=Path, action="append", default=[], help="another working tree to compare with")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(arguments)


def effort_of(given: argparse.Namespace) -> Effort:
    usual = QUICK if given.quick else FULL
    return Effort(
        rounds=given.rounds or usual.rounds,
        other_rounds=given.rounds or usual.other_rounds,
        seconds=given.seconds or usual.seconds,
        idle_connections=given.idle_connections or usual.idle_connections,
        warm_up_s=usual.warm_up_s,
        everyone_flat=usual.everyone_flat,
    )


def main(arguments: Sequence[str]) -> int:
    given = options(arguments)
    sections = given.sections.split(",") if given.sections else list(SECTIONS)
    if unknown := set(sections) - SECTIONS.keys():
        raise SystemExit(f"bench: found section {', '.join(unknown)}, expected some of {', '.join(SECTIONS)}")
    contestants = chosen(everyone(given.tree, given.compiled), given.only)
    effort = effort_of(given)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    proxy_core, load_core = cores()
    if load_core is not None:
        os.sched_setaffinity(0, {load_core})
    began = time.monotonic()
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-") as directory:
        lab = Lab(Path(directory), proxy_core, load_core, effort, contestants)
        with lab:
            run(lab, sections)
        pins = f"Proxies on core {proxy_core}, load and backend on core {load_core}"
        sentence = (
            f"{effort.rounds} rounds of {effort.seconds:g} s a load, {time.monotonic() - began:.0f} s in all. "
            f"{pins if load_core is not None else 'One core for everything: nothing was pinned'}."
        )
        is_whole = not (given.quick or given.only or given.sections or given.tree or given.rounds or given.seconds)
        path = write(lab, directory=given.output, name="results" if is_whole else "quick", effort=sentence, now=now)
    print(path.read_text() if not is_whole else goals(lab.results))
    print(f"bench: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
