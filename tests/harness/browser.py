"""A real browser without a window, driven over its debugging protocol: what a page shows, and a picture of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PROGRAM = "chromium-headless-shell"
STARTED_WITHIN_S = 30.0
SHOWN_WITHIN_S = 20.0


class Page:
    """One tab."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        """What scripts failed at, and what the page's security policy refused."""

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Raises `AssertionError` when the browser says no."""
        number = next(self._numbers)
        await self._line.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(await self._line.recv())
            if said.get("method") == "Runtime.exceptionThrown":
                self.errors.append(str(said["params"]["exceptionDetails"]))
            elif said.get("method") == "Log.entryAdded" and said["params"]["entry"]["source"] == "security":
                self.errors.append(str(said["params"]["entry"]["text"]))
            if said.get("id") == number:
                assert "error" not in said, said["error"]
                result: dict[str, Any] = said["result"]
                return result

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """A JavaScript expression's value."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Its first value that is true of the page."""
        try:
            async with asyncio.timeout(SHOWN_WITHIN_S):
                while True:
                    if value := await self.evaluate(expression):
                        return value
                    await asyncio.sleep(0.05)
        except TimeoutError:
            shown = await self.evaluate("document.body.innerText")
            raise AssertionError(f"the page never had {expression}; it shows:\n{shown}\n{self.errors}") from None

    async def picture(self, file: Path) -> None:
        answer = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(answer["data"]))


@contextlib.asynccontextmanager
async def browser(directory: Path, *, width: int = 1440, height: int = 1000) -> AsyncIterator[Page]:
    """A browser with a profile of its own, and its one tab."""
    program = shutil.which(PROGRAM)
    assert program is not None, f"{PROGRAM} is missing: run scripts/setup --tests"
    process = await asyncio.create_subprocess_exec(
        program,
        *("--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"),
        *(f"--user-data-dir={directory}", f"--window-size={width},{height}", "about:blank"),
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # what is started is a script, and the browser its children
    )
    try:
        port = await _port(directory / "DevToolsActivePort")
        async with connect(f"ws://127.0.0.1:{port}{await _tab(port)}", max_size=None) as line:
            yield Page(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _port(file: Path) -> int:
    async with asyncio.timeout(STARTED_WITHIN_S):
        while True:
            if "\n" in (text := await asyncio.to_thread(_text, file)):
                return int(text.splitlines()[0])
            await asyncio.sleep(0.02)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def _tab(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /json/list HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        tabs = json.loads(await reader.readexactly(length))
    finally:
        writer.close()
    url: str = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return "/" + url.split("/", 3)[3]
