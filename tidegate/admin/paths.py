"""Which entry of the table is meant by this path? Exact ones first, then those with `{id}`.

An id may hold slashes, colons and brackets (`api/eu/[::1]:80`), written as they are or percent-encoded: what stands
between the fixed parts of a template is the id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def template_of(path: str, templates: Iterable[str]) -> tuple[str, str] | None:
    """The template that a decoded path fits, and the id in it ("" where it has none); None when it fits none."""
    known = set(templates)
    if path in known:
        return path, ""
    for template in sorted(known, key=len, reverse=True):
        found = _pattern(template).fullmatch(path) if "{id}" in template else None
        if found is not None:
            return template, found.group(1)
    return None


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    before, after = template.split("{id}")
    return re.compile(re.escape(before) + r"([^\x00-\x20\x7f?#]{1,200})" + re.escape(after))
