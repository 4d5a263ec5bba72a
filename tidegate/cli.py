"""The command line: `tidegate serve | check | schema | explain | status | demo`.

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

from tidegate import commands
from tidegate.commands.remote import DEFAULT_ADMIN

app = typer.Typer(
    help="A multi-region traffic and data-sync gateway that explains every decision it makes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", envvar="TIDEGATE_CONFIG", help="Configuration file.", show_default=True)
]
AdminOption = Annotated[
    str, typer.Option("--admin", envvar="TIDEGATE_ADMIN", help="Admin API of the node, http://host:port.")
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="TIDEGATE_TOKEN", help="Bearer token; better set TIDEGATE_TOKEN, `ps` shows this."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


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
def check(
    file: Annotated[Path, typer.Argument(help="Configuration file.", envvar="TIDEGATE_CONFIG")] = Path("tidegate.yaml"),
    as_json: JsonOption = False,
) -> None:
    """Say everything that is wrong with a configuration."""
    from tidegate.commands.check import check as run  # noqa: PLC0415

    raise typer.Exit(run(file, environ=os.environ, as_json=as_json, out=sys.stdout))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from tidegate.commands.check import schema as run  # noqa: PLC0415

    raise typer.Exit(run(sys.stdout))


@app.command()
def explain(  # noqa: PLR0917 - the words of the command line, in the order of its help
    method: Annotated[str, typer.Argument(help="GET, POST, ...")],
    url: Annotated[str, typer.Argument(help="What is asked for: http://host/path?query.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Ask this configuration, every endpoint assumed healthy.")
    ] = None,
    admin: Annotated[
        str | None, typer.Option("--admin", envvar="TIDEGATE_ADMIN", help="Ask the node at http://host:port.")
    ] = None,
    client_ip: Annotated[str, typer.Option("--client-ip", help="Where the request comes from.")] = "127.0.0.1",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'Name: value', repeatable.")] = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a request would go, and why: every candidate with its reason."""
    from tidegate.commands import explain as explaining  # noqa: PLC0415

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
def demo(
    once: Annotated[bool, typer.Option("--once", help="Unattended: every promise checked, then out.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave configuration and logs behind.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Three regions on this machine, traffic, and what happens when things die."""
    from tidegate.demo.main import run  # noqa: PLC0415

    raise typer.Exit(run(once, keep=keep, as_json=as_json))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        sys.stderr.write(f"-H {text!r}: found no name, expected 'Name: value'\n")
        raise typer.Exit(commands.MISUSED)
    return name.strip(), value.strip()


def main() -> None:
    """The console script."""
    app()
