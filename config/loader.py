"""A file in; a configuration that can be trusted, or every mistake at once, out.

    text -> document -> host's defaults -> environment -> models -> secrets, files, cross-checks -> Loaded

All steps report through `Problem`; only the last line raises. Steps that need a sound configuration run on what
remains without the broken values wherever that can be done without inventing follow-up mistakes.
"""

from __future__ import annotations

import copy
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config import crosschecks, environment, faults
from config import document as documents
from config.digests import digest, shared_digest
from config.document import Data, Document
from config.keys import is_single
from config.models import DEFAULT_LISTENER, Config
from config.problems import ConfigurationError, KeyPath, Place, Problem, in_order, problem


@dataclass(frozen=True)
class Loaded:
    """A configuration in force, or about to be."""

    config: Config
    text: str
    """As the operator wrote it; it holds references to secrets, no secrets."""
    file: Path
    warnings: tuple[Problem, ...]
    digest: str
    """SHA-256, hexadecimal, of the effective configuration."""
    shared_digest: str
    """The same of what all nodes of a system have in common."""


def load_file(path: Path, *, environ: Mapping[str, str]) -> Loaded:
    """Raises ConfigurationError with all problems, also when the file cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        place = Place(str(path), 1, 1)
        found = f"a file that cannot be read ({error.strerror})"
        raise ConfigurationError([problem(place, (), found, "a readable file")]) from None
    text, problems = documents.decode(content, file=str(path))
    if problems:
        raise ConfigurationError(problems)
    return load_text(text, file=path, environ=environ)


def load_text(
    text: str,
    *,
    file: Path,
    environ: Mapping[str, str],
    host_name: str | None = None,
) -> Loaded:
    """The same for text that was read already; relative paths start at the folder of `file`."""
    document = documents.parse(text, file=str(file))
    problems = document.problems
    if not isinstance(document.root, dict):
        if not problems:
            problems.append(_not_a_mapping(document))
        raise ConfigurationError(problems)
    _fill_in_listeners(document.root)
    problems.extend(environment.apply(document, environ))
    _fill_in_node(document.root, host_name or socket.gethostname())
    folder = file.absolute().parent
    config, ignoring = _validated(document, folder)
    if config is not None:
        problems.extend(crosschecks.check(config, document, folder=folder, environ=environ, ignoring=ignoring))
    if config is None or any(one.severity == "error" for one in problems):
        raise ConfigurationError(problems)
    return Loaded(config, text, file, in_order(problems), digest(config), shared_digest(config, folder=folder))


def _validated(document: Document, folder: Path) -> tuple[Config | None, list[KeyPath]]:
    """The configuration, and which paths it had to leave out; their problems are added to the document's."""
    try:
        return _as_config(document.root, folder), []
    except ValidationError as error:
        refused = faults.faults(error.errors(include_url=False), document)
    document.problems.extend(faults.problems(refused, document))
    without = _pruned(document.root, [fault.path for fault in refused])
    try:
        return _as_config(without, folder), [fault.path for fault in refused]
    except ValidationError:
        return None, []


def _as_config(root: Data, folder: Path) -> Config:
    return Config.model_validate_json(documents.as_json(root), context={"folder": str(folder)})


def _pruned(root: Data, paths: list[KeyPath]) -> Data:
    """A copy without the refused values, so that the rest can be looked at too.

    Only keys that nobody knows and single values go: without a list, others would seem to refer to nothing.
    """
    pruned = copy.deepcopy(root)
    for path in paths:
        container: Any = pruned
        for part in path[:-1]:
            container = documents.child(container, part)
        if path and isinstance(container, dict) and is_single(path, root):
            container.pop(path[-1], None)
    return pruned


def _not_a_mapping(document: Document) -> Problem:
    found = {list: "a list", type(None): "nothing"}.get(type(document.root), "a single value")
    return problem(document.place(()), (), found, "a mapping with regions, services and routes")


def _fill_in_listeners(root: dict[str, Data]) -> None:
    """Before the environment is asked, so that it may move the listener that a file without `listeners` gets."""
    if root.get("listeners") is None:
        root["listeners"] = [{"name": DEFAULT_LISTENER.name, "bind": str(DEFAULT_LISTENER.bind)}]


def _fill_in_node(root: dict[str, Data], host_name: str) -> None:
    """What the file leaves to the host: its name, the only region."""
    node = root.get("node")
    if node is None:
        node = root["node"] = {}
    if not isinstance(node, dict):
        return
    if node.get("id") is None:
        node["id"] = host_name
    regions = root.get("regions")
    if node.get("region") is None and isinstance(regions, list) and len(regions) == 1 and isinstance(regions[0], dict):
        node["region"] = regions[0].get("id")
