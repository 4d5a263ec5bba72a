"""What a container engine would make of a compose file and our Dockerfile: resolved services, ready to be run.

Interpolation, merge keys, and the image's own entrypoint, command, environment and health check. Only the keys that our
files use are known; any other is an error, so that this reading cannot silently fall behind the files.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SERVICE_KEYS = frozenset(
    {
        "build",
        "cap_drop",
        "command",
        "depends_on",
        "entrypoint",
        "environment",
        "healthcheck",
        "image",
        "networks",
        "ports",
        "read_only",
        "restart",
        "security_opt",
        "shm_size",
        "stop_grace_period",
        "tmpfs",
        "ulimits",
        "volumes",
        "working_dir",
    }
)
INTERPOLATION = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<rest>[^}]*))?\})")


class ComposeError(Exception):
    """A file that an engine would refuse, or that says something which is not imitated here."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image says where the service does not."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    health_test: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mount:
    target: str
    source: Path | None = None
    """A path beside the file, or None for a named volume."""
    volume: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    host_address: str
    host_port: int
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    image: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    working_dir: str
    address: str
    mounts: tuple[Mount, ...]
    tmpfs: tuple[str, ...]
    published: tuple[Published, ...]
    health_test: tuple[str, ...]
    needs: tuple[str, ...]
    read_only: bool
    max_files: int | None
    stop_grace_s: float


def read_project(file: Path, *, images: Mapping[str, Image], environ: Mapping[str, str]) -> dict[str, Service]:
    """Every service of a compose file, in an order in which each comes after what it depends on."""
    document = interpolate(yaml.safe_load(file.read_text(encoding="utf-8")), environ)
    unordered = {
        name: _service(name, said, file=file, images=images, environ=environ)
        for name, said in document["services"].items()
    }
    ordered: dict[str, Service] = {}

    def place(name: str, below: tuple[str, ...]) -> None:
        if name in below:
            raise ComposeError(f"{' -> '.join((*below, name))} depend on each other")
        for needed in unordered[name].needs:
            place(needed, (*below, name))
        ordered.setdefault(name, unordered[name])

    for name in unordered:
        place(name, ())
    return ordered


def interpolate(value: Any, environ: Mapping[str, str]) -> Any:
    """`${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$` in every string of a document."""
    if isinstance(value, dict):
        return {key: interpolate(part, environ) for key, part in value.items()}
    if isinstance(value, list):
        return [interpolate(part, environ) for part in value]
    if not isinstance(value, str):
        return value

    def replace(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        given = environ.get(found["name"], "")
        if given or found["kind"] is None:
            return given
        if found["kind"] == ":?":
            raise ComposeError(f"{found['name']} is not set: {found['rest']}")
        return found["rest"]

    return INTERPOLATION.sub(replace, value)


def read_image(dockerfile: str) -> Image:
    """The last stage's metadata."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    last_stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    said: dict[str, list[str]] = {}
    for line in last_stage.splitlines():
        instruction, _, rest = line.strip().partition(" ")
        said.setdefault(instruction, []).append(rest.strip())
    environment = dict(pair.split("=", 1) for line in said.get("ENV", []) for pair in shlex.split(line))
    health = said["HEALTHCHECK"][-1].partition("CMD ")[2].strip() if "HEALTHCHECK" in said else ""
    return Image(
        entrypoint=_exec_form(said, "ENTRYPOINT"),
        command=_exec_form(said, "CMD"),
        environment=environment,
        working_dir=said.get("WORKDIR", ["/"])[-1],
        health_test=("CMD", *json.loads(health)) if health else (),
    )


def _exec_form(said: Mapping[str, Sequence[str]], instruction: str) -> tuple[str, ...]:
    if instruction not in said:
        return ()
    line = said[instruction][-1]
    if not line.startswith("["):
        raise ComposeError(f"{instruction} {line} is in shell form, expected a JSON list")
    return tuple(json.loads(line))


def _service(
    name: str, said: Mapping[str, Any], *, file: Path, images: Mapping[str, Image], environ: Mapping[str, str]
) -> Service:
    if unknown := said.keys() - SERVICE_KEYS:
        raise ComposeError(f"service {name} uses {', '.join(sorted(unknown))}, which is not imitated here")
    image_name = said["image"].partition(":")[0]
    image = images[image_name]
    # As Compose has it: who replaces the entrypoint drops the image's command too.
    entrypoint = tuple(said["entrypoint"]) if "entrypoint" in said else image.entrypoint
    command = tuple(said["command"]) if "command" in said else () if "entrypoint" in said else image.command
    environment = {str(key): str(value) for key, value in said.get("environment", {}).items()}
    (network,) = said["networks"].values()
    nofile = said.get("ulimits", {}).get("nofile", {})
    return Service(
        name=name,
        image=image_name,
        argv=(*entrypoint, *command),
        environment={**image.environment, **environment},
        working_dir=said.get("working_dir", image.working_dir),
        address=network["ipv4_address"],
        mounts=tuple(_mount(text, file.parent) for text in said.get("volumes", ())),
        tmpfs=tuple(said.get("tmpfs", ())),
        published=tuple(_published(text) for text in said.get("ports", ())),
        health_test=tuple(said["healthcheck"]["test"]) if "healthcheck" in said else image.health_test,
        needs=tuple(said.get("depends_on", ())),
        read_only=bool(said.get("read_only", False)),
        max_files=nofile.get("soft"),
        stop_grace_s=float(said.get("stop_grace_period", "10s").removesuffix("s")),
    )


def _mount(text: str, beside: Path) -> Mount:
    source, target, *options = text.split(":")
    read_only = options == ["ro"]
    if source.startswith("."):
        return Mount(target, source=(beside / source).resolve(), read_only=read_only)
    return Mount(target, volume=source, read_only=read_only)


def _published(text: str) -> Published:
    address, host_port, port = text.split(":")
    return Published(address, int(host_port), int(port))
