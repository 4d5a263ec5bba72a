"""`tidegate sync status | lag | conflicts | resolve | quarantine`: the clients' data, as one node sees it.

A resolution names what was looked at: without `--context` that is what the node holds at that moment, and it is shown.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TextIO
from urllib.parse import quote, urlencode

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tidegate.commands import DONE, FAILED, REFUSED
from tidegate.commands.remote import Declined, NotReached, ask, code_of

_COLOURS = {"ok": "green", "warning": "yellow", "critical": "red", "unknown": "dim"}
SHOWN_BYTES = 200
"""Of a value, on a terminal."""

Shows = Callable[[Mapping[str, Any], Console], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resolution: `choose` one of the versions, or a `value` of its own."""

    collection: str
    key: str
    choose: str | None
    value: bytes | None
    content_type: str
    context: str | None
    reason: str


def status(admin: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    return _told(admin, "/v1/sync", _show_status, token=token, as_json=as_json, out=out, err=err)


def lag(admin: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    """FAILED when a line is critical."""
    is_critical = False

    def show(told: Mapping[str, Any], console: Console) -> None:
        console.print(_lag_table(told))

    def judge(told: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal is_critical
        is_critical = any(line["level"] == "critical" for line in told["lag"])
        return {"node": told["node"], "lag": told["lag"]}

    code = _told(admin, "/v1/sync", show, token=token, as_json=as_json, out=out, err=err, judge=judge)
    return FAILED if code == DONE and is_critical else code


def conflicts(
    admin: str,
    collection: str,
    *,
    query: Mapping[str, str],
    token: str | None,
    as_json: bool,
    out: TextIO,
    err: TextIO,
) -> int:
    path = f"/v1/sync/collections/{quote(collection, safe='')}/conflicts?{urlencode(query)}"
    return _told(admin, path, _show_conflicts, token=token, as_json=as_json, out=out, err=err)


def versions(
    admin: str, collection: str, key: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO
) -> int:
    return _told(admin, _conflict_path(collection, key), _show_versions, token=token, as_json=as_json, out=out, err=err)


def resolve(admin: str, wanted: Wanted, *, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    context = wanted.context
    superseded: list[str] = []
    try:
        if context is None:
            found = ask(admin, "GET", _conflict_path(wanted.collection, wanted.key), token=token)
            context = found["context"]
            superseded = [one["version"] for one in found["siblings"]] + found["deletes"]
        body: dict[str, Any] = {"key": wanted.key, "context": context, "reason": wanted.reason}
        if wanted.value is None:
            body["choose"] = wanted.choose
        else:
            body |= {"value_base64": base64.b64encode(wanted.value).decode(), "content_type": wanted.content_type}
        path = f"/v1/sync/collections/{quote(wanted.collection, safe='')}/conflict"
        told = ask(admin, "POST", path, token=token, body=body)
    except (NotReached, Declined) as error:
        code = code_of(error, err)
        return REFUSED if isinstance(error, Declined) and error.reason == "not_in_conflict" else code
    told["superseded"] = superseded
    if as_json:
        _dump(told, out)
        return DONE
    console = Console(file=out, highlight=False, soft_wrap=True)
    instead = f" in place of {', '.join(superseded)}" if superseded else ""
    console.print(escape(f"{wanted.collection}/{wanted.key}: resolved{instead}"))
    if told["pending"]:
        console.print("[yellow]durable here, not yet as widely as the collection asks[/]")
    return DONE


def quarantine(
    admin: str, *, query: Mapping[str, str], token: str | None, as_json: bool, out: TextIO, err: TextIO
) -> int:
    path = f"/v1/sync/quarantine?{urlencode(query)}"
    return _told(admin, path, _show_quarantine, token=token, as_json=as_json, out=out, err=err)


def retry(admin: str, *, body: Mapping[str, Any], token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    def show(told: Mapping[str, Any], console: Console) -> None:
        peers = f"; asked again: {', '.join(told['asked_again'])}" if told["asked_again"] else ""
        mended = f"{told['mended']} sound copies came, " if told["mended"] else ""
        console.print(
            escape(f"{told['collection']}: {mended}{told['applied']} applied, {told['held']} still wait{peers}")
        )

    return _told(
        admin, "/v1/sync/quarantine", show, token=token, as_json=as_json, out=out, err=err, method="POST", body=body
    )


def release(admin: str, *, body: Mapping[str, Any], token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    def show(told: Mapping[str, Any], console: Console) -> None:
        console.print(escape(f"{told['collection']}: goes on without {told['released']}, {told['held']} still wait"))

    return _told(
        admin, "/v1/sync/quarantine", show, token=token, as_json=as_json, out=out, err=err, method="POST", body=body
    )


def _told(
    admin: str,
    path: str,
    show: Shows,
    *,
    token: str | None,
    as_json: bool,
    out: TextIO,
    err: TextIO,
    judge: Callable[[Mapping[str, Any]], Any] = lambda told: told,
    method: str = "GET",
    body: Mapping[str, Any] | None = None,
) -> int:
    """Ask, then print for a person or as JSON; `judge` may look at the answer and cut it down."""
    try:
        told = judge(ask(admin, method, path, token=token, body=None if body is None else dict(body)))
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        _dump(told, out)
    else:
        show(told, Console(file=out, highlight=False, soft_wrap=True))
    return DONE


def _conflict_path(collection: str, key: str) -> str:
    return f"/v1/sync/collections/{quote(collection, safe='')}/conflict?{urlencode({'key': key})}"


def _dump(told: Any, out: TextIO) -> None:
    json.dump(told, out, indent=2, ensure_ascii=False)
    out.write("\n")


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)  # names are copied whole
    return table


def _show_status(told: Mapping[str, Any], console: Console) -> None:
    console.print(f"{escape(told['node'])}, store {escape(told['member'] or 'alone')}")
    table = _table("collection", "kept in", "conflict", "keys", "in conflict", "held", "log", "state")
    for one in told["collections"]:
        figures = one["figures"]
        counts = ("keys", "in_conflict", "held", "log_operations")
        numbers = ["-"] * len(counts) if figures is None else [str(figures[name]) for name in counts]
        state = "[green]ok[/]" if one["here"] else "[dim]not kept here[/]"
        if one["fault"]:
            state = f"[red]{escape(one['fault'])}[/]"
        resolver = one["resolver"]
        if resolver is not None and (resolver["problem"] or resolver["differing"]) and not one["fault"]:
            why = resolver["problem"] or "another version elsewhere"
            state = f"[yellow]{escape(resolver['function'])} does not merge: {escape(why)}[/]"
        conflict = one["conflict"] if one["strategy"] == "multi_master" else f"{one['conflict']}, primary"
        table.add_row(escape(one["collection"]), escape(", ".join(one["regions"])), conflict, *numbers, state)
    console.print(table)
    _show_quarantined(told, console)
    for one in told["primaries"]:
        held = "" if one["epoch"] is None else f", by this node's lease of epoch {one['epoch']}"
        console.print(escape(f"{one['leads']} takes the writes of primary {one['primary']}{held}"))
    for peer in told["peers"]:
        where = escape(peer["peer"])
        if peer["reached"]:
            offset = peer["clock_offset_s"]
            clock = "" if offset is None else f", its clock {offset * 1000:+.0f} ms"
            console.print(f"peer {where}: [green]reached[/], {peer['operations']} operations from it{clock}")
        else:
            console.print(f"peer {where}: [red]not reached[/]: {escape(peer['problem'] or 'not asked yet')}")
        for name, why in peer["refused_collections"].items():
            console.print(f"  [yellow]refuses {escape(name)}:[/] {escape(why)}")
        for one in peer["distrusted"]:
            console.print(f"  [red]{escape(one['collection'])} of {escape(one['origin'])}:[/] {escape(one['why'])}")
    if told["lag"]:
        console.print(_lag_table(told))


def _show_quarantined(told: Mapping[str, Any], console: Console) -> None:
    for one in told["collections"]:
        count = 0 if one["figures"] is None else one["figures"].get("quarantined", 0)
        if count:
            name = escape(one["collection"])
            console.print(f"[red]{count} operations of {name} are quarantined[/]: tidegate sync quarantine {name}")


def _lag_table(told: Mapping[str, Any]) -> Table:
    table = _table("behind", "region", "collection", "operations", "seconds", "level")
    for line in told["lag"]:
        seconds = "never heard" if line["seconds"] is None else f"{line['seconds']:.1f}"
        level = f"[{_COLOURS[line['level']]}]{line['level']}[/]" + (" (stalled)" if line["stalled"] else "")
        table.add_row(
            escape(line["peer"]),
            escape(line["region"]),
            escape(line["collection"]),
            str(line["operations"]),
            seconds,
            level,
        )
    return table


def _show_conflicts(told: Mapping[str, Any], console: Console) -> None:
    if not told["items"]:
        console.print("[green]no conflicts[/]")
        return
    table = _table("key", "state", "versions")
    for one in told["items"]:
        names = one["versions"] if one["state"] == "unresolved" else [f"{one['lost']} lost to {one['won']}"]
        table.add_row(escape(one["key"]), one["state"], escape(", ".join(names)))
    console.print(table)
    if told["next"] is not None:
        console.print(f"more: --after {escape(str(told['next']))}", style="dim")


def _show_versions(told: Mapping[str, Any], console: Console) -> None:
    table = _table("version", "written", "type", "value")
    for one in told["siblings"]:
        table.add_row(escape(one["version"]), one["written_at"], escape(one["content_type"]), escape(_readable(one)))
    for name in told["deletes"]:
        table.add_row(escape(name), "", "", "[dim]deleted[/]")
    console.print(table)


def _readable(one: Mapping[str, Any]) -> str:
    if one["value_base64"] is None:
        return "(erased)"
    value = base64.b64decode(one["value_base64"])
    text = value[:SHOWN_BYTES].decode("utf-8", "replace")
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return shown if len(value) <= SHOWN_BYTES else f"{shown}... ({len(value)} bytes)"


def _show_quarantine(told: Mapping[str, Any], console: Console) -> None:
    if not told["held"] and not told["distrusted"]:
        console.print("[green]nothing waits[/]")
        return
    table = _table("version", "collection", "key", "reason", "visible at")
    for one in told["held"]:
        table.add_row(
            escape(one["version"]),
            escape(one["collection"]),
            escape(one["key"]),
            one["reason"],
            one["visible_at"] or "-",
        )
    console.print(table)
    for one in told["held"]:
        if one.get("why") is not None:
            console.print(escape(f"{one['version']} from {one['peer']} at {one['since']}: {one['why']}"))
    for one in told["distrusted"]:
        console.print(
            f"[red]nothing is taken[/] of {escape(one['origin'])} in {escape(one['collection'])} "
            f"from {escape(one['peer'])}: {escape(one['why'])}"
        )
