"""The process that runs an operator's resolver: `python -P -m sync.resolving.child FOLDER MODULE:FUNCTION`.

    stdin    frames of siblings          stdout    first a Registered, then one Merged a question

Its own process, for nothing else can be stopped: a function that loops is ended by the kernel (ITIMER_PROF), one that
eats memory by RLIMIT_AS, one that sleeps by whoever waits for it. It is given no secrets and ends with its standard
input. What it prints goes to standard error.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import BinaryIO, Final

import msgspec

from sync.core.resolver_laws import SAMPLES, Resolve, broken_law

CPU_S: Final = 0.25
"""Of one merge. Values have a MiB at most by default; what takes longer would hold up every reader of the key."""
LAWS_CPU_S: Final = 10.0
"""Of loading it and trying its laws: some thousand calls."""
WALL_S: Final = 10.0
LAWS_WALL_S: Final = 60.0
"""Whoever asks gives up far earlier and kills it; this is for one whose parent was killed while it slept."""
MEMORY_BYTES: Final = 1 << 30
LENGTH: Final = struct.Struct(">I")


class Registered(msgspec.Struct, frozen=True, array_like=True):
    """What was loaded; `problem` says why it may not merge."""

    version: str
    problem: str


class Merged(msgspec.Struct, frozen=True, array_like=True):
    """An answer: a value, or why there is none."""

    value: bytes | None
    problem: str


def load(folder: str, name: str) -> tuple[Resolve, str, Sequence[bytes]]:
    """The function, its version and its samples. Raises whatever importing it raises, and LookupError."""
    sys.path.insert(0, folder)
    module_name, _, function = name.partition(":")
    module = importlib.import_module(module_name)
    found = getattr(module, function, None)
    if not callable(found):
        raise LookupError(f"no function {function} in {module_name}")  # noqa: TRY004 - nothing of a type was given
    samples = getattr(module, "SAMPLES", SAMPLES)
    return found, version_of(module), tuple(samples)


def version_of(module: ModuleType) -> str:
    """What the module calls its `VERSION`; else the start of its source's SHA-256."""
    declared = getattr(module, "VERSION", None)
    if isinstance(declared, str | int):
        return str(declared)[:64]
    with open(module.__file__ or "", "rb") as file:  # noqa: PTH123 - before the imports are worth it
        return hashlib.sha256(file.read()).hexdigest()[:12]


def register(folder: str, name: str) -> tuple[Resolve | None, Registered]:
    """Load and try it."""
    try:
        resolve, version, samples = load(folder, name)
    except Exception as error:  # noqa: BLE001 - whatever an operator's module raises, it is said, not thrown
        return None, Registered("", f"it cannot be loaded: {type(error).__name__}: {error}"[:500])
    return resolve, Registered(version, broken_law(resolve, samples) or "")


def merge(resolve: Resolve, siblings: Sequence[bytes]) -> Merged:
    try:
        value: object = resolve(siblings)
    except Exception as error:  # noqa: BLE001 - as above
        return Merged(None, f"it raised {type(error).__name__}: {error}"[:500])
    if not isinstance(value, bytes):  # whatever its signature says
        return Merged(None, f"it gave {type(value).__name__}, expected bytes")
    return Merged(value, "")


def serve(folder: str, name: str, asked: BinaryIO, answers: BinaryIO) -> None:
    """Until the end of `asked`."""
    _limit(cpu_s=LAWS_CPU_S, wall_s=LAWS_WALL_S)
    resolve, registered = register(folder, name)
    _limit(cpu_s=0.0, wall_s=0.0)
    _write(answers, registered)
    decoder = msgspec.msgpack.Decoder(tuple[bytes, ...])
    while (frame := _read(asked)) is not None and resolve is not None:
        _limit(cpu_s=CPU_S, wall_s=WALL_S)
        merged = merge(resolve, decoder.decode(frame))
        _limit(cpu_s=0.0, wall_s=0.0)
        _write(answers, merged)


def _limit(*, cpu_s: float, wall_s: float) -> None:
    """From now on; the kernel ends the process. 0 is no limit."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _read(source: BinaryIO) -> bytes | None:
    header = source.read(LENGTH.size)
    if len(header) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(header)
    frame = source.read(length)
    return frame if len(frame) == length else None


def _write(target: BinaryIO, message: Registered | Merged) -> None:
    frame = msgspec.msgpack.encode(message)
    target.write(LENGTH.pack(len(frame)) + frame)
    target.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The function's own prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.argv[1], sys.argv[2], sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
