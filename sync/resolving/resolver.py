"""This side of a resolver's process: one question at a time; killed when it does not answer, started again when needed.

merge(siblings) ──> the process ──> a value
     │                  ├─ ended, or silent for `wall_s`: killed; ResolverFailed
     │                  └─ broke a law, cannot be loaded: refused until the node starts again; ResolverRefused
     └─ failed lately: not asked for `rest_s`, which doubles with each failure to `REST_MAX_S`
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

import msgspec

from sync.resolving.child import LENGTH, Merged, Registered

START_S: Final = 30.0
"""To load it and try its laws, on a busy machine."""
WALL_S: Final = 2.0
"""For one answer: its CPU time is bounded far below, so who takes longer sleeps."""
REST_S: Final = 0.5
REST_MAX_S: Final = 30.0
MAX_ANSWER: Final = 1 << 30

Message = TypeVar("Message", Registered, Merged)


class ResolverFailed(Exception):
    """No merged value now; the versions are all there. Says why."""


class ResolverRefused(ResolverFailed):
    """Never, as it is: it breaks a law, or cannot be loaded."""


class Resolver:
    """One function, in one process. `now` is monotonic seconds."""

    def __init__(
        self, name: str, *, folder: Path, now: Callable[[], float], wall_s: float = WALL_S, rest_s: float = REST_S
    ) -> None:
        """`name` is module:function, looked for in `folder` first."""
        self.name = name
        self.version = ""
        """Known once it has been loaded."""
        self.problem = ""
        """Why it does not merge, as far as that is known."""
        self.failures = 0
        self._folder = folder
        self._now = now
        self._wall_s = wall_s
        self._first_rest_s = self._rest_s = rest_s
        self._rests_until = 0.0
        self._is_refused = False
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Load it and try its laws. Raises ResolverFailed."""
        async with self._lock:
            await self._started()

    async def merge(self, siblings: Sequence[bytes]) -> bytes:
        """Raises ResolverFailed."""
        async with self._lock:
            process = await self._started()
            merged = await self._ask(process, siblings)
        if merged.value is None:
            self.failures += 1
            self.problem = merged.problem
            raise ResolverFailed(merged.problem)
        self.problem, self._rest_s = "", self._first_rest_s
        return merged.value

    async def close(self) -> None:
        async with self._lock:
            await self._end()

    async def _started(self) -> asyncio.subprocess.Process:
        if self._is_refused:
            raise ResolverRefused(self.problem)
        process = self._process
        if process is not None and process.returncode is None:
            return process
        if self._now() < self._rests_until:
            raise ResolverFailed(self.problem)
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "sync.resolving.child",
            str(self._folder),
            self.name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_without_secrets(),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(START_S):
                registered = await self._read(process, Registered)
        except (TimeoutError, EOFError, msgspec.DecodeError) as error:
            await self._failed("it did not start: too slow, or too much memory, before the first merge")
            raise ResolverFailed(self.problem) from error
        self.version, self.problem = registered.version, registered.problem
        if registered.problem:
            self._is_refused = True
            await self._end()
            raise ResolverRefused(registered.problem)
        return process

    async def _ask(self, process: asyncio.subprocess.Process, siblings: Sequence[bytes]) -> Merged:
        frame = msgspec.msgpack.encode(siblings)
        try:
            async with asyncio.timeout(self._wall_s):
                to_it = cast(asyncio.StreamWriter, process.stdin)
                to_it.write(LENGTH.pack(len(frame)) + frame)
                await to_it.drain()
                return await self._read(process, Merged)
        except (TimeoutError, EOFError, ConnectionError, msgspec.DecodeError) as error:
            why = "it did not answer in time" if isinstance(error, TimeoutError) else "it used up its time or memory"
            await self._failed(why)
            raise ResolverFailed(why) from error
        except asyncio.CancelledError:
            await self._end()  # whoever asks next must not get this answer
            raise

    async def _read(self, process: asyncio.subprocess.Process, kind: type[Message]) -> Message:
        from_it = cast(asyncio.StreamReader, process.stdout)
        (length,) = LENGTH.unpack(await from_it.readexactly(LENGTH.size))
        if length > MAX_ANSWER:
            raise EOFError
        return msgspec.msgpack.decode(await from_it.readexactly(length), type=kind)

    async def _failed(self, why: str) -> None:
        self.failures += 1
        self.problem = why
        self._rests_until = self._now() + self._rest_s
        self._rest_s = min(REST_MAX_S, self._rest_s * 2)
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _without_secrets() -> dict[str, str]:
    """A function that merges bytes needs none of what this process was given."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    return {name: os.environ[name] for name in kept if name in os.environ}
