"""What may stand in no committed file: a path of somebody's machine, a host that packages come from, a note to self.

A clone must work on any machine and behind any mirror, so where packages come from is the machine's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import files

# Written in pieces, so that this file does not hold what it forbids.
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:" + "|".join(("work", "root", "home", "Users")) + r")/")
REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("proxy", "golang", "org"),
            ("sum", "golang", "org"),
            ("deb", "debian", "org"),
            ("docker", "io"),
            ("quay", "io"),
        )
    )
    + r"|--(?:extra-)?index-url[ =]\S+://|--find-links[ =]\S+"
)
NOTES_TO_SELF = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")

FORBIDDEN = (
    (MACHINE_PATHS, "a path of one machine", "a path relative to the repository"),
    (REGISTRY_HOSTS, "where packages come from", "no host: that is configured on the machine"),
    (NOTES_TO_SELF, "a note to self", "the thing done, or an issue"),
)


def traces(root: Path) -> Iterator[str]:
    for path in files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            for pattern, what, expected in FORBIDDEN:
                if match := pattern.search(line):
                    where = f"{path.relative_to(root)}:{number}"
                    yield f"{where} holds {what}, {match.group(0)!r}, expected {expected}"
