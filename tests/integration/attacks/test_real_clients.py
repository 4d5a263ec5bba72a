"""The clients that people use, each in its own way, through the data plane to a real server: bytes in, bytes out."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
from aiohttp import web

from tests.harness.dataplane import Bench

LARGE = 8 * 1024 * 1024
BODY = bytes(range(256)) * (LARGE // 256)
DIGEST = hashlib.sha256(BODY).hexdigest()
PAGE = """<!doctype html><title>waiting</title><link rel=stylesheet href=/style.css><img src=/image.svg>
<script>
fetch("/echo", {method: "POST", body: "hello"}).then(r => r.json()).then(r => {
  document.title = [r.method, r.size, getComputedStyle(document.body).color].join(" ");
});
</script>"""


async def _echo(request: web.Request) -> web.Response:
    digest, size = hashlib.sha256(), 0
    async for piece in request.content.iter_any():
        digest.update(piece)
        size += len(piece)
    coding = request.headers.get("Transfer-Encoding", "")
    return web.json_response(
        {"method": request.method, "size": size, "digest": digest.hexdigest(), "coding": coding},
        headers={"X-Client": request.headers.get("User-Agent", "")},
    )


async def _download(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    if "chunked" in request.query:
        response.enable_chunked_encoding()
    else:
        response.content_length = LARGE
    await response.prepare(request)
    if request.method != "HEAD":
        for at in range(0, LARGE, 65536):
            await response.write(BODY[at : at + 65536])
    await response.write_eof()
    return response


async def _page(request: web.Request) -> web.Response:
    types = {"/": ("text/html", PAGE), "/style.css": ("text/css", "body { color: rgb(1, 2, 3) }")}
    kind, text = types.get(request.path, ("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>"))
    return web.Response(text=text, content_type=kind)


@contextlib.asynccontextmanager
async def through_the_gateway() -> AsyncIterator[tuple[str, Bench]]:
    app = web.Application()
    app.router.add_route("*", "/echo", _echo)
    app.router.add_get("/download", _download)
    app.router.add_get("/{path:.*}", _page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with Bench() as bench:
            bench.add_address(f"127.0.0.1:{runner.addresses[0][1]}")
            await bench.publish()
            yield f"http://127.0.0.1:{bench.port}", bench
            assert {entry["status"] for entry in bench.log} <= {200}
    finally:
        await runner.cleanup()


async def run(*command: str | Path, within_s: float = 30) -> str:
    """A program's output; fails with its complaints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within_s):
            out, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    return out.decode()


def installed(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"{program} is not installed: scripts/setup --tests")
    return path


async def test_aiohttp() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, LARGE, 100_000):
            yield BODY[at : at + 100_000]

    async with through_the_gateway() as (url, _), aiohttp.ClientSession() as session:
        for _ in range(20):
            async with session.get(f"{url}/echo") as response:
                assert (await response.json())["size"] == 0
        async with session.post(f"{url}/echo", data=io.BytesIO(BODY)) as response:
            assert (await response.json())["digest"] == DIGEST
        async with session.put(f"{url}/echo", data=pieces()) as response:
            answer = await response.json()
            assert (answer["digest"], answer["coding"]) == (DIGEST, "chunked")
        async with session.post(f"{url}/echo", data=io.BytesIO(BODY), expect100=True) as response:
            assert (await response.json())["digest"] == DIGEST
        for query in ("", "?chunked"):
            async with session.get(f"{url}/download{query}") as response:
                assert await response.read() == BODY
        async with session.head(f"{url}/download") as response:
            assert (response.headers["Content-Length"], await response.read()) == (str(LARGE), b"")


def _with_requests(url: str) -> None:
    with requests.Session() as session:
        for _ in range(20):
            assert session.get(f"{url}/echo", timeout=10).json()["size"] == 0
        assert session.post(f"{url}/echo", data=BODY, timeout=10).json()["digest"] == DIGEST
        pieces = (BODY[at : at + 100_000] for at in range(0, LARGE, 100_000))
        answer = session.put(f"{url}/echo", data=pieces, timeout=10).json()
        assert (answer["digest"], answer["coding"]) == (DIGEST, "chunked")
        for query in ("", "?chunked"):
            assert session.get(f"{url}/download{query}", timeout=10).content == BODY
        assert session.head(f"{url}/download", timeout=10).headers["Content-Length"] == str(LARGE)


async def test_requests() -> None:
    async with through_the_gateway() as (url, _):
        await asyncio.to_thread(_with_requests, url)


async def test_httpx() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, LARGE, 100_000):
            yield BODY[at : at + 100_000]

    async with through_the_gateway() as (url, _), httpx.AsyncClient(trust_env=False) as client:
        for _ in range(20):
            assert (await client.get(f"{url}/echo")).json()["size"] == 0
        assert (await client.post(f"{url}/echo", content=BODY)).json()["digest"] == DIGEST
        answer = (await client.put(f"{url}/echo", content=pieces())).json()
        assert (answer["digest"], answer["coding"]) == (DIGEST, "chunked")
        for query in ("", "?chunked"):
            assert (await client.get(f"{url}/download{query}")).content == BODY
        assert (await client.head(f"{url}/download")).headers["Content-Length"] == str(LARGE)


async def test_curl(tmp_path: Path) -> None:
    curl = (installed("curl"), "-sS", "--fail", "--noproxy", "*")
    (tmp_path / "body").write_bytes(BODY)
    async with through_the_gateway() as (url, bench):
        await run(*curl, *(f"{url}/echo" for _ in range(20)))
        assert len({entry["client"] for entry in bench.log if "client" in entry}) <= 1
        for fields in (("-H", "Expect: 100-continue"), ("-H", "Transfer-Encoding: chunked"), ("--http1.0",)):
            out = await run(*curl, *fields, "--data-binary", f"@{tmp_path / 'body'}", f"{url}/echo")
            assert json.loads(out)["digest"] == DIGEST
        assert json.loads(await run(*curl, "-T", tmp_path / "body", f"{url}/echo"))["method"] == "PUT"
        for query in ("", "?chunked"):
            for version in ("--http1.1", "--http1.0"):
                await run(*curl, version, "-o", tmp_path / "got", f"{url}/download{query}")
                assert (tmp_path / "got").read_bytes() == BODY
        assert f"content-length: {LARGE}" in (await run(*curl, "-I", f"{url}/download")).lower()
        out = await run(*curl, "--http2", f"{url}/echo")  # asks for h2c, and must do with what it gets
        assert json.loads(out)["size"] == 0


NODE = """
const [url, size] = [process.argv[2], Number(process.argv[3])];
const body = Buffer.alloc(size); for (let i = 0; i < size; i++) body[i] = i % 256;
const same = (bytes) => Buffer.compare(Buffer.from(bytes), body) === 0;
const out = {};
for (let i = 0; i < 20; i++) out.empty = (await (await fetch(url + "/echo")).json()).size;
out.post = (await (await fetch(url + "/echo", {method: "POST", body})).json()).digest;
const stream = new ReadableStream({start(c) {
  for (let at = 0; at < size; at += 100000) c.enqueue(body.subarray(at, at + 100000)); c.close();
}});
out.stream = await (await fetch(url + "/echo", {method: "PUT", body: stream, duplex: "half"})).json();
out.download = same(await (await fetch(url + "/download")).arrayBuffer());
out.chunked = same(await (await fetch(url + "/download?chunked")).arrayBuffer());
out.head = (await fetch(url + "/download", {method: "HEAD"})).headers.get("content-length");
out.many = (await Promise.all(Array.from({length: 50}, () => fetch(url + "/echo").then(r => r.status))))
  .every(status => status === 200);
console.log(JSON.stringify(out));
"""


async def test_fetch_of_node(tmp_path: Path) -> None:
    node = installed("node")
    (tmp_path / "client.mjs").write_text(NODE)
    async with through_the_gateway() as (url, _):
        out = json.loads(await run(node, tmp_path / "client.mjs", url, str(LARGE)))
    assert (out["stream"]["digest"], out["stream"]["coding"]) == (DIGEST, "chunked")
    del out["stream"]
    assert out == {
        "empty": 0,
        "post": DIGEST,
        "download": True,
        "chunked": True,
        "head": str(LARGE),
        "many": True,
    }


async def test_a_browser_loads_a_page_with_all_its_parts(tmp_path: Path) -> None:
    chromium = installed("chromium-headless-shell")
    async with through_the_gateway() as (url, bench):
        dumped = await run(
            chromium,
            "--no-sandbox",
            "--disable-gpu",
            "--no-proxy-server",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            f"{url}/",
        )
        assert "<title>POST 5 rgb(1, 2, 3)</title>" in dumped
        paths = {entry["path"] for entry in bench.log}
        assert {"/", "/style.css", "/image.svg", "/echo"} <= paths
