"""`tidegate sync members | evict | snapshot | backup | restore`: the data's long life.

All but `restore` ask a running node. `restore` works on the files of a stopped one; `restore --drill` beside a running
one, and changes nothing.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tidegate.commands import DONE, FAILED, MISUSED, REFUSED
from tidegate.commands.remote import Declined, NotReached, ask, code_of

POLL_S = 0.2
_OUTCOMES = {
    "evicted": "waits no longer",
    "already": "did not wait any more",
    "unknown": "knows no such member",
    "alive": "has heard it meanwhile, and waits",
    "failed": "could not",
    "refused": "refused",
    "not_reached": "was not reached",
}
UPKEEP = "/v1/sync/upkeep"
Sleep = Callable[[float], None]


def members(admin: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Who is waited for, how comparisons went, a snapshot under way, the backup."""
    try:
        told = ask(admin, "GET", UPKEEP, token=token)
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        return _dump(told, out)
    console = Console(file=out, highlight=False, soft_wrap=True)
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("collection", "member", "silent", "holds up", "evicted"):
        table.add_column(heading, overflow="fold")
    for one in told["members"]:
        gone = "" if one["evicted"] is None else f"[yellow]{escape(one['evicted']['reason'])}[/]"
        holds = f"{one['holds_up']} operations" if one["holds_up"] else ""
        table.add_row(escape(one["collection"]), escape(one["member"]), f"{one['silent_s']:.0f} s", holds, gone)
    console.print(table)
    for one in told["comparisons"]:
        wrong = f", [red]{one['repaired']} keys repaired[/]" if one["repaired"] else ""
        clean = f"{one['clean_comparisons']} of {one['comparisons']} comparisons clean"
        console.print(f"{escape(one['collection'])}: {clean}{wrong}, {one['forgotten']} operations forgotten")
    if told["snapshot"] is not None:
        console.print(escape(_snapshot_line(told["snapshot"])))
    return DONE


def _snapshot_line(one: Mapping[str, Any]) -> str:
    return f"{one['collection']}: a snapshot from {one['peer']}, {one['keys']} of {one['of_keys']} keys"


def evict(admin: str, member: str, *, reason: str, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    """Wait for a member, or a region's, no longer, on every node. FAILED where one was not reached."""
    try:
        told = ask(admin, "POST", "/v1/sync/evict", token=token, body={"member": member, "because": reason})
    except (NotReached, Declined) as error:
        return code_of(error, err)
    # The nodes of a member that is gone are gone too, perhaps; they need not hear of it.
    left = [
        one
        for one in told["nodes"]
        if one["outcome"] in {"not_reached", "refused", "failed", "alive"} and one["region"] != member.partition(":")[0]
    ]
    if as_json:
        _dump(told, out)
        return FAILED if left else DONE
    for one in told["nodes"]:
        what = f" ({', '.join(one['collections'])})" if one["collections"] else ""
        why = f": {one['detail']}" if one["detail"] else ""
        out.write(f"{one['node']} ({one['region']}): {_OUTCOMES[one['outcome']]}{what}{why}\n")
    if left:
        err.write("a node that did not obey waits on: give the same order again once it is back\n")
    return FAILED if left else DONE


def snapshot(
    admin: str,
    collection: str,
    *,
    region: str | None,
    token: str | None,
    as_json: bool,
    out: TextIO,
    err: TextIO,
    sleep: Sleep = time.sleep,
) -> int:
    """Take one now, and stay until it is there."""
    try:
        asked = {"collection": collection, "region": region}
        before = _taken(ask(admin, "GET", UPKEEP, token=token), collection)
        told = ask(admin, "POST", "/v1/sync/snapshot", token=token, body=asked)
        with _bar(err, MofNCompleteColumn()) as bar:
            task = bar.add_task(f"{collection} from {told['peer']}", total=None)
            while _taken(now := ask(admin, "GET", UPKEEP, token=token), collection) == before:
                under_way = now["snapshot"]
                if under_way is not None and under_way["collection"] == collection:
                    bar.update(task, completed=under_way["keys"], total=max(under_way["keys"], under_way["of_keys"]))
                sleep(POLL_S)
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        return _dump(told | {"taken": True}, out)
    out.write(f"{collection}: a snapshot was taken from {told['peer']}\n")
    return DONE


def _taken(told: Mapping[str, Any], collection: str) -> int:
    return sum(one["snapshots"] for one in told["comparisons"] if one["collection"] == collection)


def backup(admin: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO, sleep: Sleep = time.sleep) -> int:
    """Back up everything that the node holds, and stay until it is done."""
    try:
        told = ask(admin, "POST", "/v1/sync/backup", token=token, body={})
        known = told["last"]
        with _bar(err, DownloadColumn()) as bar:
            task = bar.add_task("backup", total=None)
            sleep(POLL_S)
            while (now := ask(admin, "GET", UPKEEP, token=token)["backup"])["running"]:
                what = f"{now['residency_class']} ({now['classes_done'] + 1} of {now['classes']})"
                bar.update(task, description=what, completed=now["done"], total=now["of"] or None)
                sleep(POLL_S)
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if now["problem"]:
        err.write(f"the backup failed: {now['problem']}\n")
        return FAILED
    done = now["last"]
    if done is None or done == known:
        err.write("the backup was not done; the node's log says why\n")
        return FAILED
    if as_json:
        return _dump(done, out)
    out.write(f"{done['folder']}: {', '.join(done['classes'])}; {done['bytes']} bytes in {done['seconds']:.1f} s\n")
    for old in done["removed"]:
        out.write(f"removed {old}: older than the retention\n")
    return DONE


def restore(
    file: Path,
    folder: Path,
    *,
    is_drill: bool,
    environ: Mapping[str, str],
    as_json: bool,
    out: TextIO,
    err: TextIO,
) -> int:
    """Put a backup back, or show that one could be. REFUSED leaves everything as it was."""
    import msgspec  # noqa: PLC0415 - see the package's docstring

    from config.loader import load_file  # noqa: PLC0415
    from config.mesh_keys import KeysUnusable  # noqa: PLC0415
    from config.problems import ConfigurationError  # noqa: PLC0415
    from config.secrets import SecretUnavailable  # noqa: PLC0415
    from tidegate.node import restoring  # noqa: PLC0415
    from tidegate.node.wall import wall  # noqa: PLC0415

    work = restoring.drill if is_drill else restoring.restore
    try:
        config = load_file(file, environ=environ).config
        with _bar(err, MofNCompleteColumn()) as bar:
            done = work(config, folder, environ=environ, progress=_shown_on(bar))
    except ConfigurationError as error:
        err.write(f"{error}\n")
        return MISUSED
    except (SecretUnavailable, KeysUnusable) as error:
        err.write(f"{error}\n")
        return MISUSED
    except (*restoring.FAULTS, OSError) as error:
        err.write(f"nothing was restored: {error}\n")
        return REFUSED
    objective_s = math.inf if config.disaster_recovery is None else config.disaster_recovery.rto
    seconds = sum(one.seconds for one in done)
    if as_json:
        facts = {"drill": is_drill, "classes": msgspec.to_builtins(done), "seconds": seconds, "rto_s": objective_s}
        return _dump(facts, out)
    for one in done:
        age_h = (wall() - one.made_at) / 3600
        put = "could be put back" if is_drill else "is put back"
        line = f"{one.residency_class}: {put}, {one.keys} keys, {one.bytes} bytes of values, {age_h:.1f} h old"
        out.write(line + (f"; what was there is now {one.put_aside}\n" if one.put_aside else "\n"))
    verdict = "within" if seconds <= objective_s else "above"
    out.write(f"{seconds:.1f} s, {verdict} the objective of {objective_s:g} s\n")
    if not is_drill:
        out.write("start the node: it begins a new incarnation, and gets from its peers what came after the backup\n")
    return DONE if seconds <= objective_s or not is_drill else FAILED


def _shown_on(bar: Progress) -> Callable[[str, str, int, int], None]:
    tasks: dict[tuple[str, str], Any] = {}

    def show(name: str, what: str, done: int, of: int) -> None:
        if (name, what) not in tasks:
            tasks[name, what] = bar.add_task(f"{what} {name}", total=of)
        bar.update(tasks[name, what], completed=done, total=of)

    return show


def _bar(err: TextIO, column: Any) -> Progress:
    """On a terminal; nothing in a log."""
    console = Console(file=err)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), column, console=console, disable=not console.is_terminal
    )


def _dump(told: object, out: TextIO) -> int:
    json.dump(told, out, indent=2, ensure_ascii=False)
    out.write("\n")
    return DONE
