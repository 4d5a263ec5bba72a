"""A real node whose key files change under it: what the data API gives out and takes is by the keys as they are now."""

from __future__ import annotations

from pathlib import Path

from config.core.signing import Signer
from health.core.session_token import HEADER, unseal_header
from tests.harness.node import Answer, Backend, Node, fetch


def write(files: list[Path], *keys: str) -> None:
    """The last one first: no key is missing in between."""
    for path, key in reversed(list(zip(files, keys, strict=True))):
        fresh = path.with_suffix(".new")
        fresh.write_text(key * 32)
        fresh.replace(path)


def is_by(token: str, key: str) -> bool:
    return unseal_header(token, Signer([(key * 32).encode()])) is not None


async def test_tokens_outlive_a_rotation_of_the_key_files_and_end_with_their_key(tmp_path: Path) -> None:
    files = [tmp_path / "signing.key", tmp_path / "before.key"]
    write(files, "b", "a")
    async with Backend() as backend, Node(tmp_path, backend.address, workers=1) as node:
        node.config["secrets"] = {"signing_keys": [f"file:{path}" for path in files]}
        node.config["sync"] = {"collections": [{"name": "notes", "data_type": "note", "conflict": "last_write_wins"}]}
        node.config["residency"] = {"rules": [{"data_type": "note", "allowed_regions": "*"}]}
        node.config["routes"] = [
            {
                "id": "data",
                "match": {"path": "/data/v1/*"},
                "service": "builtin:data",
                "consistency": "read_your_writes",
            }
        ]
        await node.start()

        async def put() -> Answer:
            return await fetch("PUT", f"{node.url}/data/v1/notes/n", body=b"v")

        async def token() -> str:
            found = ""

            async def is_written() -> bool:
                nonlocal found
                found = (await put()).headers.get(HEADER.title(), "")
                return bool(found)

            await node.until(is_written, "a write is taken", within_s=30)
            return found

        async def get(session: str) -> int:
            return (await node.get("/data/v1/notes/n", headers={HEADER: session})).status

        first = await token()
        assert is_by(first, "b")
        write(files, "c", "b")

        async def signs_anew() -> bool:
            return is_by(await token(), "c")

        await node.until(signs_anew, "the data API signs with the new key")
        second = await token()

        async def takes(session: str, status: int) -> bool:
            return await get(session) == status

        # The worker reads the files by itself, a moment before or after.
        await node.until(lambda: takes(second, 200), "the worker knows the new key")
        assert await get(first) == 200
        write(files, "d", "c")
        await node.until(lambda: takes(first, 400), "the first key is known no more")
        assert await get(second) == 200
