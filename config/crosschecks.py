"""What no single value can know: whether the parts of a sound configuration fit together.

    references      every name leads to one thing          config/references.py
    addresses       nothing overlaps, nothing lies open     config/addresses.py
    reachability    routes are reached and reach something  config/reachability.py
    relations       numbers fit each other                  config/relations.py
    named           files, secrets and functions exist      config/named.py
    extras          packages that an option needs are installed  config/extras.py
    certificates    are pairs, and in PEM form              config/certificates.py
    countries       are in the database of geo              config/country_database.py

Each yields findings by path; here they get their places in the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from config import addresses, certificates, country_database, extras, named, reachability, references, relations
from config.document import Document
from config.models import Config
from config.problems import Finding, KeyPath, Problem, problem


def check(
    config: Config, document: Document, *, folder: Path, environ: Mapping[str, str], ignoring: Collection[KeyPath] = ()
) -> Iterator[Problem]:
    """Problems of the whole. What stands around or below a path in `ignoring` was not what the operator wrote."""
    for finding in _findings(config, folder=folder, environ=environ):
        if any(finding.path[: len(path)] == path[: len(finding.path)] for path in ignoring):
            continue
        place = document.key_place(finding.path) if finding.is_key else document.place(finding.path)
        yield problem(place, finding.path, finding.found, finding.expected, finding.severity)


def _findings(config: Config, *, folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    yield from references.check(config)
    yield from addresses.check(config)
    yield from reachability.check(config)
    yield from relations.check(config)
    yield from named.check(config, folder=folder, environ=environ)
    yield from extras.check(config)
    yield from certificates.check(config)
    yield from country_database.check(config)
