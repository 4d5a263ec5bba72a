"""`tidegate audit`: what was refused or sent across a border, what people and leaders changed, and is the log sound?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from tidegate.commands import DONE, FAILED, MISUSED

SHOWN = (
    *("kind", "route", "data_types", "source", "destination", "rule", "action", "target", "author", "reason", "epoch"),
    *("outcome", "detail", "decision", "request_id"),
)


def audit(file: Path, *, verify: bool, as_json: bool, environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """Print the records, oldest first; with `verify`, only say whether all chains hold."""
    import msgspec  # noqa: PLC0415 - see the package's docstring

    from config.loader import load_file  # noqa: PLC0415
    from config.problems import ConfigurationError  # noqa: PLC0415
    from tidegate.node.audit_log import folder_of, segments  # noqa: PLC0415
    from tidegate.node.core.audit_chain import faults  # noqa: PLC0415

    try:
        loaded = load_file(file, environ=environ)
    except ConfigurationError as error:
        err.write(f"{error}\n")
        return MISUSED
    folder = folder_of(str(loaded.config.node.data_dir))
    try:
        found = segments(folder)
    except OSError as error:
        err.write(f"{error.filename}: {error.strerror}, expected a log that this user may read\n")
        return FAILED
    wrong = list(faults(found))
    records = sorted(
        (record for one in found.values() for record in one.records if record.get("kind") != "opened"),
        key=lambda record: (record.get("at", 0), record.get("n", 0)),
    )
    torn = [name for name, one in found.items() if one.is_torn]
    if as_json:
        document = {"segments": len(found), "records": records, "faults": wrong, "half_written": torn}
        if verify:
            document["records"] = len(records)
        out.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    else:
        if not verify:
            out.writelines(_line(record) for record in records)
        for fault in wrong:
            err.write(f"{fault}\n")
        if verify:
            told = "not as it was written" if wrong else "as it was written"
            half = f", {len(torn)} end in half a record" if torn else ""
            out.write(f"{len(records)} records in {len(found)} segments, {told}{half}\n")
    return FAILED if wrong else DONE


def _line(record: Mapping[str, Any]) -> str:
    words = [f"{record.get('at', 0):.3f}", str(record.get("node", ""))]
    for name in SHOWN:
        value = record.get(name)
        if value or value == 0:
            words.append(f"{name}={','.join(value) if isinstance(value, list) else _word(str(value))}")
    return " ".join(words) + "\n"


def _word(text: str) -> str:
    """What people wrote may have spaces and more in it; quoted, it can end no word and no line."""
    return text if text.isascii() and text.isprintable() and not set(text) & set(' ="') else json.dumps(text)
