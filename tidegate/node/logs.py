"""Log lines of every process of a node: one JSON object a line on stderr, or readable ones on a terminal.

    log.warning("worker died", slot=1, signal=9)
    {"ts":"2026-11-24T02:55:29.123Z","level":"warning","event":"worker died","process":"supervisor","pid":7,"slot":1}

Not structlog: importing it takes 0.2 s (it loads rich and attrs), more than all else that a worker's replacement must
do before it serves. What we use of it is `bind` and keyword fields, and that is this page. What libraries tell the
standard `logging` comes out in the same shape. One line is one write, so lines of several processes never mix.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

STDERR = 2
ROOMS = ("config", "gateway", "health", "sync")
"""Their loggers are ours, and are heard from `info` on; everybody else's from `warning` on."""
_COLOURS = {"debug": "2", "info": "36", "warning": "33", "error": "31"}


class Log:
    """A logger with fields; `bind` makes one with more. `problem` is the level `error`."""

    __slots__ = ("_fields", "_write")

    def __init__(self, write: Callable[[dict[str, Any]], None], **fields: Any) -> None:
        self._write = write
        self._fields = fields

    def bind(self, **fields: Any) -> Log:
        return Log(self._write, **{**self._fields, **fields})

    def debug(self, event: str, **fields: Any) -> None:
        self._line("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._line("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._line("warning", event, fields)

    def problem(self, event: str, **fields: Any) -> None:
        self._line("error", event, fields)

    def _line(self, level: str, event: str, fields: dict[str, Any]) -> None:
        failure = fields.pop("exc_info", None)
        if failure is not None:
            fields["error"] = f"{type(failure).__name__}: {failure}"
            fields["traceback"] = "".join(traceback.format_exception(failure))
        ts = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self._write({"ts": ts, "level": level, "event": event, **self._fields, **fields})


def setup(process: str, **fields: Any) -> Log:
    """The log of this process, once, at its start; also takes over the standard `logging`."""
    is_terminal = os.isatty(STDERR)
    log = Log(_write_pretty if is_terminal else _write_json, process=process, pid=os.getpid(), **fields)
    root = logging.getLogger()
    root.handlers[:] = [_StandardLogging(log)]
    root.setLevel(logging.WARNING)
    for room in ROOMS:
        logging.getLogger(room).setLevel(logging.INFO)
    return log


def silent() -> Log:
    """A log that goes nowhere."""
    return Log(lambda line: None)


def to_json(line: dict[str, Any]) -> bytes:
    return msgspec.json.encode(line, enc_hook=str) + b"\n"


def to_text(line: dict[str, Any]) -> bytes:
    fields = dict(line)
    clock = str(fields.pop("ts"))[11:23]
    level, event, process = fields.pop("level"), fields.pop("event"), fields.pop("process", "")
    fields.pop("pid", None)
    trace = fields.pop("traceback", "")
    rest = " ".join(f"\x1b[2m{name}=\x1b[0m{value}" for name, value in fields.items())
    text = f"\x1b[2m{clock}\x1b[0m \x1b[{_COLOURS[level]}m{level:<7}\x1b[0m {process:<10} {event} {rest}\n{trace}"
    return text.encode("utf-8", "backslashreplace")


def _write_json(line: dict[str, Any]) -> None:
    _write(to_json(line))


def _write_pretty(line: dict[str, Any]) -> None:
    _write(to_text(line))


def _write(data: bytes) -> None:
    try:
        os.write(STDERR, data)
    except OSError:
        # Whoever read our stderr is gone. There is nobody left to tell, and serving goes on.
        return


class _StandardLogging(logging.Handler):
    """What libraries log (asyncio's unhandled failures, aiohttp's server errors), in our shape."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        say = self._log.info
        if record.levelno >= logging.WARNING:
            say = self._log.problem if record.levelno >= logging.ERROR else self._log.warning
        failure = record.exc_info[1] if record.exc_info else None
        say(record.getMessage(), logger=record.name, exc_info=failure)
