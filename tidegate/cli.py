"""The command line: `tidegate serve | check | explain | status | nodes | drain | undrain | failover | decisions | ...`.

Words in, exit code out (API.md: 0 done, 1 failed, 2 configuration or usage, 3 node unreachable, 4 refused). What a
command does is in `tidegate/commands/`.
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from tidegate import cli_sync, commands
from tidegate.commands.remote import DEFAULT_ADMIN
from tidegate.options import (
    AdminOption,
    ConfigOption,
    EndpointOption,
    JsonOption,
    LocalOption,
    ReasonOption,
    ServiceOption,
    TokenOption,
    WaitOption,
)

app = typer.Typer(
    help="A multi-region traffic and data-sync gateway that explains every decision it makes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_sync.app, name="sync")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tidegate {metadata.version('tidegate')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A multi-region traffic and data-sync gateway that explains every decision it makes."""


@app.command()
def serve(config: ConfigOption = Path("tidegate.yaml")) -> None:
    """Run a node until it is told to stop."""
    from tidegate.commands.serve import serve as run  # noqa: PLC0415 - see tidegate/commands

    raise typer.Exit(run(config, environ=os.environ, err=sys.stderr))


@app.command()
def witness(config: ConfigOption = Path("tidegate.yaml")) -> None:
    """Vote on who is down, and hold a vote for the lease, at a third place without traffic or data."""
    from tidegate.node.witness import main  # noqa: PLC0415

    raise typer.Exit(main(config, environ=os.environ))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Configuration file.", envvar="TIDEGATE_CONFIG")] = Path("tidegate.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with a configuration."""
    from tidegate.commands.check import check as run  # noqa: PLC0415

    raise typer.Exit(run(file, environ=os.environ, as_json=as_json, out=sys.stdout))


@app.command()
def audit(
    config: ConfigOption = Path("tidegate.yaml"),
    verify: Annotated[
        bool, typer.Option("--verify", help="Only say whether the log is as it was written; 1 when it is not.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print what residency refused and what crossed a border, from this machine's own log."""
    from tidegate.commands.audit import audit as run  # noqa: PLC0415

    raise typer.Exit(run(config, verify=verify, as_json=as_json, environ=os.environ, out=sys.stdout, err=sys.stderr))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from tidegate.commands.check import schema as run  # noqa: PLC0415

    raise typer.Exit(run(sys.stdout))


@app.command()
def explain(  # noqa: PLR0917 - the words of the command line, in the order of its help
    method: Annotated[str, typer.Argument(help="GET, POST, ...")] = "",
    url: Annotated[str, typer.Argument(help="What is asked for: http://host/path?query.")] = "",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Ask this configuration, every endpoint assumed healthy.")
    ] = None,
    admin: Annotated[
        str | None, typer.Option("--admin", envvar="TIDEGATE_ADMIN", help="Ask the node at http://host:port.")
    ] = None,
    client_ip: Annotated[
        str, typer.Option("--client-ip", help="Where it comes from: a client, or a trusted proxy with its fields.")
    ] = "127.0.0.1",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'Name: value', repeatable.")] = None,
    token: TokenOption = None,
    explanation_id: Annotated[
        str | None, typer.Option("--id", help="Instead of a request: the Tidegate-Explanation of an answer.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a request would go, and why: every candidate with its reason."""
    from tidegate.commands import debug  # noqa: PLC0415
    from tidegate.commands import explain as explaining  # noqa: PLC0415

    if explanation_id is not None:
        where = admin or DEFAULT_ADMIN
        raise typer.Exit(
            debug.by_id(where, explanation_id, as_json=as_json, token=token, out=sys.stdout, err=sys.stderr)
        )
    if not url:
        sys.stderr.write("found no request, expected METHOD and URL, or --id\n")
        raise typer.Exit(commands.MISUSED)
    headers = [_header(each) for each in header or ()]
    method = method.upper()
    if config is not None:
        code = explaining.offline(
            config,
            method=method,
            url=url,
            headers=headers,
            client_ip=client_ip,
            as_json=as_json,
            environ=os.environ,
            out=sys.stdout,
            err=sys.stderr,
        )
    else:
        code = explaining.online(
            admin or DEFAULT_ADMIN,
            method=method,
            url=url,
            headers=headers,
            client_ip=client_ip,
            as_json=as_json,
            token=token,
            out=sys.stdout,
            err=sys.stderr,
        )
    raise typer.Exit(code)


@app.command()
def status(
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how a running node is doing."""
    from tidegate.commands.status import status as run  # noqa: PLC0415

    raise typer.Exit(run(admin, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def drain(  # noqa: PLR0917 - the words of the command line, in the order of its help
    name: Annotated[str, typer.Argument(help="A region, or a service or endpoint (--service, --endpoint).")],
    is_service: ServiceOption = False,
    is_endpoint: EndpointOption = False,
    over: Annotated[str, typer.Option("--over", help="How long its share takes to fall.")] = "60s",
    deadline: Annotated[
        str | None, typer.Option("--deadline", help="After this long, what still flies is waited for no longer.")
    ] = None,
    reason: ReasonOption = "",
    force: Annotated[bool, typer.Option("--force", help="Even if a residency rule or route is left without.")] = False,
    local: LocalOption = False,
    wait: WaitOption = False,
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the traffic away from a region, a service or an endpoint."""
    from tidegate.commands import drain as draining  # noqa: PLC0415

    body = {"over": over, "deadline": deadline, "reason": reason, "force": force, "local": local}
    path = draining.path_of(_kind(is_service, is_endpoint=is_endpoint), name)
    code = draining.drain(
        admin, path, body=body, wait=wait, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr
    )
    raise typer.Exit(code)


@app.command()
def undrain(  # noqa: PLR0917
    name: Annotated[str, typer.Argument(help="A region, or a service or endpoint (--service, --endpoint).")],
    is_service: ServiceOption = False,
    is_endpoint: EndpointOption = False,
    over: Annotated[str, typer.Option("--over", help="How long its share takes to rise.")] = "30s",
    reason: ReasonOption = "",
    local: LocalOption = False,
    wait: WaitOption = False,
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give the traffic back, slowly."""
    from tidegate.commands import drain as draining  # noqa: PLC0415

    query = {"over": over, "reason": reason, "local": "true" if local else "false"}
    path = draining.path_of(_kind(is_service, is_endpoint=is_endpoint), name)
    code = draining.undrain(
        admin, path, query=query, wait=wait, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr
    )
    raise typer.Exit(code)


@app.command()
def failover(  # noqa: PLR0917
    region: Annotated[str | None, typer.Argument(help="Who is to lead; the plan's choice when left out.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would happen, and what would be lost.")] = False,
    failback: Annotated[bool, typer.Option("--failback", help="Let the first choice lead again.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overrule lag and the minimum of regions, never compliance zones.")
    ] = False,
    reason: ReasonOption = "",
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let another region lead."""
    from tidegate.commands.failover import failover as run  # noqa: PLC0415

    action = "plan" if plan else "failback" if failback else "act"
    body = {"action": action, "to": region, "reason": reason, "force": force}
    raise typer.Exit(run(admin, body=body, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def top(
    once: Annotated[bool, typer.Option("--once", help="One picture, then out.")] = False,
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Watch a running node."""
    from tidegate.commands.top import top as run  # noqa: PLC0415

    raise typer.Exit(run(admin, once=once, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def doctor(
    config: ConfigOption = Path("tidegate.yaml"),
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with this node and its machine."""
    from tidegate.commands.doctor import doctor as run  # noqa: PLC0415
    from tidegate.node.wall import wall  # noqa: PLC0415

    code = run(config, admin, token=token, environ=os.environ, now=wall(), as_json=as_json, out=sys.stdout)
    raise typer.Exit(code)


drills = typer.Typer(help="Rehearse a loss, and compare with the objectives.", no_args_is_help=True)
app.add_typer(drills, name="drill")


@drills.callback()
def drill() -> None:
    """Rehearse a loss, and compare with the objectives."""


@drills.command("region")
def drill_region(  # noqa: PLR0917
    region: Annotated[str, typer.Argument(help="The region to lose for a while.")],
    over: Annotated[str, typer.Option("--over", help="How long its share takes to fall, and to come back.")] = "10s",
    within: Annotated[str, typer.Option("--within", help="Abort when it is not drained after this long.")] = "5m",
    hold: Annotated[str, typer.Option("--hold", help="How long it stays away.")] = "30s",
    max_failed: Annotated[
        float, typer.Option("--max-failed", min=0.0, max=100.0, help="Per cent of attempts elsewhere that may fail.")
    ] = 1.0,
    reason: ReasonOption = "drill",
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drain a region, let another lead, measure, and give everything back."""
    from tidegate.commands import drill as drilling  # noqa: PLC0415

    settings = drilling.Settings(
        region=region,
        over=over,
        within_s=_seconds(within, "--within"),
        hold_s=_seconds(hold, "--hold"),
        max_failed=max_failed / 100,
        reason=reason,
    )
    code = drilling.drill(settings, admin, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr)
    raise typer.Exit(code)


@app.command()
def decisions(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="The latest so many.")] = 20,
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what was decided, by whom, why, and what came of it."""
    from tidegate.commands.decisions import decisions as run  # noqa: PLC0415

    raise typer.Exit(run(admin, limit=limit, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def nodes(
    admin: AdminOption = DEFAULT_ADMIN,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which nodes there are, who leads, and whose configuration differs."""
    from tidegate.commands.nodes import nodes as run  # noqa: PLC0415

    raise typer.Exit(run(admin, token=token, as_json=as_json, out=sys.stdout, err=sys.stderr))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Unattended: every promise checked, then out.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave configuration and logs behind.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Three regions on this machine, traffic, and what happens when things die."""
    from tidegate.demo.main import run  # noqa: PLC0415

    raise typer.Exit(run(once, keep=keep, as_json=as_json))


def _kind(is_service: bool, *, is_endpoint: bool) -> str:
    if is_service and is_endpoint:
        sys.stderr.write("found --service and --endpoint, expected one of them, or none for a region\n")
        raise typer.Exit(commands.MISUSED)
    return "service" if is_service else "endpoint" if is_endpoint else "region"


def _seconds(text: str, name: str) -> float:
    from config.units import Refused, parse_duration  # noqa: PLC0415

    try:
        return parse_duration(text)
    except Refused as error:
        sys.stderr.write(f"{name}: {error}\n")
        raise typer.Exit(commands.MISUSED) from None


@app.command(name="debug-header")
def debug_header(
    admin: AdminOption = DEFAULT_ADMIN,
    valid: Annotated[float, typer.Option("--valid", help="Seconds for which it is good, at most 3600.")] = 600.0,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a field that has requests explained: send it, and read the answer's Tidegate-Explanation."""
    from tidegate.commands.debug import make_header  # noqa: PLC0415

    raise typer.Exit(make_header(admin, valid_s=valid, as_json=as_json, token=token, out=sys.stdout, err=sys.stderr))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        sys.stderr.write(f"-H {text!r}: found no name, expected 'Name: value'\n")
        raise typer.Exit(commands.MISUSED)
    return name.strip(), value.strip()


def main() -> None:
    """The console script."""
    app()
