"""Is this the file that this store wrote last? If not, it writes under a new incarnation.

    data_dir/sync/store           the store's name, made once; knows its inode: a copy of the folder is another store
    data_dir/sync/<class>.opened  how often the file was opened; the file itself counts too

A file put back from a backup counts fewer openings than its companion, or has another inode than it remembers. Either
way it may not go on under the old origin: sequences after the backup were given out already, and would be given again.
A false alarm costs one more name in vectors; a missed one costs a write. What slips through (a snapshot of the whole
machine) is told by the peers, who remember higher sequences.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sync.companion import openings, write_durably
from sync.core.dots import chance_word, origin_name, region_of, store_of


def store_name(folder: Path, *, chance: Callable[[int], bytes]) -> str:
    """The name of the store in this folder, made at the first time. Raises OSError."""
    path = folder / "store"
    try:
        name, _, inode = path.read_text(encoding="ascii").strip().partition(" ")
    except FileNotFoundError:
        name, inode = "", ""
    if name and inode == str(path.stat().st_ino):
        return name
    name = chance_word(chance)
    write_durably(path, lambda number: f"{name} {number}\n")
    return name


def origin_of_file(
    connection: sqlite3.Connection, path: Path, *, region: str, store: str, chance: Callable[[int], bytes]
) -> tuple[str, str, int]:
    """The origin to write under; why it is a new one, empty when it is the old; openings. Call inside a transaction.

    The caller commits, and then calls `companion.confirm_opening` with what the file counts now.
    """
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    origin, inode = str(meta.get("origin", "")), path.stat().st_ino
    opened = int(meta.get("opened", 0))
    why = ""
    if not origin:
        why = "a new file"
    elif store_of(origin) != f"{region}:{store}":
        why = f"a file of {store_of(origin)}" if region_of(origin) == region else f"a file from {region_of(origin)}"
    elif meta.get("inode") != inode:
        why = "a copy of the file, or one that was put back"
    elif openings(path) > opened:
        why = f"a file opened {opened} times, expected {openings(path)}: it was put back"
    if why:
        origin = origin_name(region, store, chance_word(chance))
    opened = max(opened, openings(path)) + 1
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)", [("origin", origin), ("inode", inode), ("opened", opened)]
    )
    return origin, why, opened
