"""Modules with resolvers, good and bad, as operators might write them."""

from __future__ import annotations

from pathlib import Path

GOOD = """
VERSION = {version!r}
def merge(siblings):
    return b"\\n".join(sorted({{line for one in siblings for line in one.split(b"\\n")}}))
"""
TROUBLESOME = """
import sys, time
VERSION = 1
def merge(siblings):
    for one in siblings:
        if one == b"loop":
            while True: pass
        if one == b"sleep":
            time.sleep(3600)
        if one == b"eat":
            bytearray(4 << 30)
        if one == b"raise":
            raise ValueError("not this one")
        if one == b"exit":
            sys.exit(3)
    print("noise on standard output")
    return max(siblings)
"""
LAWLESS = "def merge(siblings): return siblings[0]\n"
BROKEN = "import nothing_of_this_name\n"


def write(folder: Path, name: str, text: str, *, version: int = 1) -> str:
    """The resolver's name."""
    (folder / f"{name}.py").write_text(text.format(version=version) if text is GOOD else text)
    return f"{name}:merge"
