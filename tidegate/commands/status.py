"""`tidegate status`: what a running node says about itself, for a person or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tidegate.commands import DONE
from tidegate.commands.drain import sentence
from tidegate.commands.remote import Declined, NotReached, ask, code_of

_COLOURS = {"up": "green", "degraded": "yellow", "down": "red", "untested": "dim", "ready": "green"} | {
    "ok": "green",
    "critical": "red",
}


def status(admin: str, *, token: str | None, as_json: bool, out: TextIO, err: TextIO) -> int:
    try:
        told = ask(admin, "GET", "/v1/status", token=token)
    except (NotReached, Declined) as error:
        return code_of(error, err)
    if as_json:
        json.dump(told, out, indent=2, ensure_ascii=False)
        out.write("\n")
    else:
        _show(told, Console(file=out, highlight=False, soft_wrap=True))
    return DONE


def _show(told: Mapping[str, Any], console: Console) -> None:
    console.print(
        f"{escape(told['node'])} in {escape(told['region'])}: {_coloured(told['state'])}, snapshot {told['version']}, "
        f"tidegate {escape(told['tidegate'])}"
    )
    for reason in told["degraded"]:
        console.print(f"[yellow]degraded:[/] {escape(reason)}")
    last = told["config"]["last_reload"]
    if last is not None and not last["ok"]:
        console.print(f"[red]last reload refused[/] at {last['at']}:")
        for problem in last["problems"]:
            console.print(f"  {escape(problem)}")
    for warning in told["config"]["warnings"]:
        console.print(f"[yellow]warning:[/] {escape(warning)}")
    children = [
        f"{child['role']}{' ' + str(child['slot']) if child['role'] == 'worker' else ''} "
        f"(pid {child['pid'] or 'waiting to start'}, {child['restarts']} restarts)"
        for child in told["processes"]["children"]
    ]
    console.print(f"processes: {escape(', '.join(children))}")
    leadership = told["leadership"]
    console.print(
        f"region {escape(told['primary'])} leads; decisions are taken by {escape(leadership['leader'] or 'nobody')}"
        + (f", [yellow]frozen: {escape(leadership['frozen'])}[/]" if leadership["frozen"] else "")
    )
    for drain in told["drains"]:
        console.print(f"[cyan]{escape(sentence(drain))}[/]")
    console.print(_regions(told))
    if told["service_health"]:
        console.print(_services(told))
    data = told.get("sync")
    if data is not None:
        if data["problem"]:
            console.print(f"[red]the sync process does not answer:[/] {escape(data['problem'])}")
        if data["regions"]:
            console.print(_lags(data["regions"]))
    console.print(_endpoints(told))


def _regions(told: Mapping[str, Any]) -> Table:
    table = _table("region", "health", "endpoints up", "round trip", "reason")
    for region in told["regions"]:
        table.add_row(
            escape(region["region"]),
            _coloured(region["health"]),
            f"{region['healthy']}/{region['total']}",
            _milliseconds(region["rtt_s"]),
            escape(region["reason"]),
        )
    return table


def _services(told: Mapping[str, Any]) -> Table:
    table = _table("service", "health", "endpoints up", "by region", "reason")
    for service in told["service_health"]:
        by_region = [
            f"{escape(one['region'])} {_coloured(one['health'])} {one['healthy']}/{one['total']}"
            for one in service["regions"]
        ]
        table.add_row(
            escape(service["service"]),
            _coloured(service["health"]),
            f"{service['healthy']}/{service['total']}",
            ", ".join(by_region) or "-",
            escape(service["reason"]),
        )
    return table


def _lags(pairs: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("region", "behind", "seconds", "operations", "level", "reason")
    for pair in pairs:
        table.add_row(
            escape(pair["region"]),
            escape(pair["behind"]),
            "-" if pair["seconds"] is None else f"{pair['seconds']:.1f}",
            str(pair["operations"]),
            _coloured(pair["level"]),
            escape(pair["reason"]),
        )
    return table


def _endpoints(told: Mapping[str, Any]) -> Table:
    table = _table("endpoint", "health", "in flight", "attempts", "failed", "reason")
    for endpoint in told["endpoints"]:
        table.add_row(
            escape(endpoint["endpoint"]),
            _coloured(endpoint["health"]),
            str(endpoint["in_flight"]),
            str(endpoint["attempts"]),
            str(endpoint["connect_failures"] + endpoint["failures"]),
            escape(endpoint["reason"]),
        )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in headings:
        is_id = heading in ("endpoint", "region", "service")
        table.add_column(heading, overflow="fold", no_wrap=is_id)  # ids are copied whole
    return table


def _coloured(word: str) -> str:
    return f"[{_COLOURS.get(word, 'yellow')}]{escape(word)}[/]"


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
