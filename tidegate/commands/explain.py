"""`tidegate explain METHOD URL`: where would this request go, and why?

Offline (`--config`) the configuration answers, with every endpoint assumed healthy; a running node (`--admin`) answers
with what it knows. Both call the function that decides live requests.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tidegate.commands import DONE, MISUSED
from tidegate.commands.remote import Declined, NotReached, ask, code_of


def offline(
    file: Path,
    *,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    client_ip: str,
    as_json: bool,
    environ: Mapping[str, str],
    out: TextIO,
    err: TextIO,
) -> int:
    """By the configuration alone."""
    from config.loader import load_file  # noqa: PLC0415 - see the package's docstring
    from config.problems import ConfigurationError  # noqa: PLC0415
    from gateway.admission.door import Door  # noqa: PLC0415
    from gateway.core.compiling import compile_routing  # noqa: PLC0415
    from gateway.core.explain import explain  # noqa: PLC0415
    from gateway.core.senders import Senders  # noqa: PLC0415
    from gateway.core.snapshot import assumed, build_snapshot  # noqa: PLC0415
    from gateway.errors import RequestRefused  # noqa: PLC0415
    from gateway.locator import Source  # noqa: PLC0415
    from tidegate.node.wall import wall  # noqa: PLC0415

    try:
        loaded = load_file(file.absolute(), environ=environ)
        routing = compile_routing(loaded.config, digest=loaded.digest, now=wall())
        door = Door(environ=environ, now=time.monotonic, wall=wall)
        door.adopt(loaded.config)
        countries = Source(loaded.config.geo.database)
        snapshot = build_snapshot(
            routing,
            version=0,
            endpoints={},
            region_rtts={},
            resolved=assumed(routing),
            locate=countries.place_of,
        )
        explanation = explain(
            snapshot,
            method=method,
            url=url,
            headers=headers,
            client_ip=client_ip,
            country=countries.country_of,
            senders=Senders.of(loaded.config),
            assumed_healthy=True,
            admission=door.explain,
            wall=wall(),
        )
    except ConfigurationError as error:
        for problem in error.problems:
            err.write(f"{problem}\n")
        return MISUSED
    except (RequestRefused, ValueError) as error:
        err.write(f"such a request is refused: {error}\n")
        return MISUSED
    show(explanation, as_json=as_json, out=out)
    return DONE


def online(
    admin: str,
    *,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    client_ip: str,
    as_json: bool,
    token: str | None,
    out: TextIO,
    err: TextIO,
) -> int:
    """By a running node."""
    body = {"method": method, "url": url, "headers": dict(headers), "client_ip": client_ip}
    try:
        explanation = ask(admin, "POST", "/v1/explain", token=token, body=body)
    except (NotReached, Declined) as error:
        return code_of(error, err)
    show(explanation, as_json=as_json, out=out)
    return DONE


def show(explanation: Mapping[str, Any], *, as_json: bool, out: TextIO) -> None:
    """Print it: as it came, or for people."""
    if as_json:
        json.dump(explanation, out, indent=2, ensure_ascii=False)
        out.write("\n")
        return
    console = Console(file=out, highlight=False, soft_wrap=True)
    decision = explanation["decision"]
    if decision.get("endpoint"):
        console.print(f"[bold green]{escape(decision['endpoint'])}[/] in region {escape(decision['region'])}", end=": ")
    else:
        console.print(f"[bold red]answered by the gateway with {decision.get('status')}[/]", end=": ")
    console.print(escape(str(decision.get("detail") or decision["reason"])))
    console.print(f"route {escape(str(explanation['route'] or 'none'))}", end="")
    client = explanation.get("client")
    console.print(f", client {escape(client['ip'])} ({_country(client)})" if client else "")
    for skipped in explanation["skipped"]:
        console.print(f"  [dim]skipped {escape(skipped['route'])}: {escape(skipped['reason'])}[/]")
    if explanation["candidates"]:
        console.print(_candidates(explanation["candidates"]))
    for policy in explanation["policies"]:
        console.print(f"{escape(policy['name'])}: {escape(policy['outcome'])} [dim]({escape(policy['reason'])})[/]")
    if "assumed" in explanation:
        console.print(f"[dim]{escape(explanation['assumed'])}[/]")


def _country(client: Mapping[str, Any]) -> str:
    by = client.get("country_by", "address")
    return (client["country"] or "country unknown") + ("" if by == "address" else escape(f" by {by}"))


def _candidates(candidates: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("", "region", "endpoint", "score", "reason"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("endpoint", "region"))  # ids are copied whole
    for candidate in candidates:
        score = "" if candidate["score"] is None else f"{candidate['score']:g}"
        table.add_row(
            ">" if candidate["chosen"] else "",
            escape(candidate["region"]),
            escape(candidate["endpoint"] or "-"),
            score,
            escape(candidate["reason"]),
            style="bold" if candidate["chosen"] else "",
        )
    return table
