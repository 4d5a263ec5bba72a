"""Certificates that change while traffic runs."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import PublicationRefused
from tests.harness.certificates import Authority
from tests.harness.dataplane import Bench, until

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def install(pair: dict[str, str], folder: Path) -> dict[str, str]:
    """Copy a pair to where the configuration expects one."""
    folder.mkdir(exist_ok=True)
    shutil.copy(pair["certificate"], folder / "tls.crt")
    shutil.copy(pair["private_key"], folder / "tls.key")
    return {"certificate": str(folder / "tls.crt"), "private_key": str(folder / "tls.key")}


async def shown(bench: Bench, tls: ssl.SSLContext) -> str:
    """The common name on the certificate that a new connection gets."""
    client = await bench.connect(tls=tls)
    subject = client.writer.get_extra_info("ssl_object").getpeercert()["subject"]
    return next(str(value) for relative in subject for kind, value in relative if kind == "commonName")


async def until_true(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110 - only a new connection can tell
            await asyncio.sleep(0.02)


async def until_shown(bench: Bench, tls: ssl.SSLContext, name: str) -> None:
    async def is_shown() -> bool:
        return await shown(bench, tls) == name

    await until_true(is_shown)


def listener(pair: dict[str, str], **tls: Any) -> dict[str, Any]:
    return {"tls": {"certificates": [pair], **tls}}


async def test_a_renewed_certificate_is_served_while_no_request_fails(authority: Authority, tmp_path: Path) -> None:
    pair = install(authority.issue("localhost", common_name="old"), tmp_path / "live")
    tls = authority.client()
    statuses: list[int] = []
    is_renewed = asyncio.Event()
    async with Bench(listener=listener(pair)) as bench:
        await bench.endpoint()
        await bench.publish()

        async def keep_asking(*, anew: bool) -> None:
            kept = await bench.connect(tls=tls)
            while not is_renewed.is_set():
                if anew:
                    statuses.append((await bench.ask(GET, tls=tls)).status)
                else:
                    await kept.send(GET)
                    statuses.append((await kept.reply()).status)
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for anew in (True, True, False, False):
                group.create_task(keep_asking(anew=anew))
            assert await shown(bench, tls) == "old"
            install(authority.issue("localhost", common_name="new"), tmp_path / "live")
            await until_shown(bench, tls, "new")
            await until(lambda: len(statuses) > 100, "requests before, while and after it was renewed")
            is_renewed.set()
        assert set(statuses) == {200}
        assert {line["status"] for line in bench.log} == {200}


async def test_a_link_that_is_swapped_is_seen(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes renews a mounted secret: `..data` is a link, and is renamed over."""
    for name in ("old", "new"):
        install(authority.issue("localhost", common_name=name), tmp_path / f"..{name}")
    (tmp_path / "..data").symlink_to("..old")
    for file in ("tls.crt", "tls.key"):
        (tmp_path / file).symlink_to(f"..data/{file}")
    pair = {"certificate": str(tmp_path / "tls.crt"), "private_key": str(tmp_path / "tls.key")}
    tls = authority.client()
    async with Bench(listener=listener(pair)) as bench:
        await bench.endpoint()
        await bench.publish()
        assert await shown(bench, tls) == "old"
        (tmp_path / "..swap").symlink_to("..new")
        (tmp_path / "..swap").rename(tmp_path / "..data")
        await until_shown(bench, tls, "new")


async def test_a_bad_file_keeps_the_old_certificate_and_is_logged(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = install(authority.issue("localhost", common_name="old"), tmp_path / "live")
    tls = authority.client()
    with caplog.at_level(logging.ERROR, "gateway.tls"):
        async with Bench(listener=listener(pair)) as bench:
            await bench.endpoint()
            await bench.publish()
            (tmp_path / "live" / "tls.crt").write_text("half a certif")
            await until(lambda: "listener public keeps the certificates that it had" in caplog.text, "it is logged")
            assert await shown(bench, tls) == "old"
            bench.settings["listener"] = {**listener(pair), "timeouts": {"idle": "7s"}}
            await bench.publish()  # of something else: the bad file is no reason to refuse it
            assert await shown(bench, tls) == "old"
            install(authority.issue("localhost", common_name="new"), tmp_path / "live")
            await until_shown(bench, tls, "new")


async def test_a_first_configuration_whose_files_cannot_be_used_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    pair = authority.issue("localhost")
    pair["private_key"] = authority.issue("other")["private_key"]
    async with Bench(listener=listener(pair)) as bench:
        await bench.endpoint()
        with pytest.raises(PublicationRefused, match=r"listener public.*key values mismatch"):
            await bench.publish()


async def test_a_changed_authority_ends_the_sessions_and_the_trust_of_the_one_before(
    authority: Authority, tmp_path: Path
) -> None:
    clients = Authority(tmp_path, "clients")
    trusted = tmp_path / "trusted.pem"
    shutil.copy(clients.file, trusted)
    tls = authority.client(certificate=clients.issue("alice.test"))
    side = listener(authority.issue("localhost"), client_certificate="require", client_ca=str(trusted))
    async with Bench(listener=side) as bench:
        await bench.endpoint()
        await bench.publish()
        assert (await bench.ask(GET, tls=tls)).status == 200
        shutil.copy(Authority(tmp_path, "others").file, trusted)

        async def is_refused() -> bool:
            try:
                await bench.ask(GET, tls=tls)
            except ssl.SSLError:
                return True
            return False

        await until_true(is_refused)


async def test_a_renewed_client_certificate_is_shown_on_new_upstream_connections(
    authority: Authority, tmp_path: Path
) -> None:
    pair = install(authority.issue("gw.test", common_name="old"), tmp_path / "live")
    shown_by_us: list[str] = []

    async def note(connection: Any) -> None:
        subject = connection.writer.get_extra_info("ssl_object").getpeercert()["subject"]
        while True:
            await connection.head()
            shown_by_us.append(next(v for relative in subject for kind, v in relative if kind == "commonName"))
            await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    service = {
        "upstream_tls": {
            "ca": str(authority.file),
            "client_certificate": pair["certificate"],
            "client_key": pair["private_key"],
        }
    }
    async with Bench(service=service) as bench:
        server = authority.server(authority.issue("localhost"), client_ca=authority.file)
        await bench.endpoint(note, name="localhost", tls=server)
        await bench.publish()
        assert (await bench.ask(GET)).status == 200
        install(authority.issue("gw.test", common_name="new"), tmp_path / "live")
        async with asyncio.timeout(10):
            while shown_by_us[-1] != "new":
                assert (await bench.ask(GET)).status == 200
                await asyncio.sleep(0.02)
        assert set(shown_by_us) == {"old", "new"}
