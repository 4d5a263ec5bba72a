"""The dashboard of a real node in a real browser."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tests.harness.browser import browser
from tests.harness.node import Backend, Node, fetch

TOKENS = [{"name": "ops", "role": "operator", "token": "env:OPS"}]
REGIONS = [
    {"id": "eu", "name": "Ireland", "location": {"latitude": 53.3, "longitude": -6.3}},
    {"id": "us", "name": "Virginia", "location": {"latitude": 39.0, "longitude": -77.5}},
]
HOSTILE = "/<svg/onload=document.title='owned'>"


async def test_a_person_signs_in_sees_the_regions_and_drains_one(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    async with (
        Backend() as backend,
        Backend() as other,
        Node(tmp_path / "node", backend.address, environ={"OPS": "s3cret"}) as node,
    ):
        node.config["regions"] = REGIONS
        node.config["admin"]["tokens"] = TOKENS
        node.config["services"][0]["endpoints"] = [
            {"region": "eu", "address": backend.address},
            {"region": "us", "address": other.address},
        ]
        node.write()
        node.launch()
        await node.until(partial(is_ready, node), "the node is ready", within_s=60)
        async with browser(tmp_path / "profile") as page:
            await page.open(f"{node.admin}/")
            await page.until("!!document.querySelector('input[type=password]')")
            await page.evaluate(_typed("input[type=password]", "wrong"))
            await page.until("document.body.innerText.includes('not configured')")
            await page.evaluate(_typed("input[type=password]", "s3cret"))
            await page.until("document.querySelectorAll('.card').length === 2")
            assert await page.evaluate("document.querySelectorAll('.world .spot').length") == 2

            await page.until("/Service api ● up\\s+2 of 2 endpoints up/.test(document.body.innerText)")

            for _ in range(20):
                assert (await fetch("GET", node.url + "/hello")).status == 200
            await page.until("document.body.innerText.includes('eu 100 %')")

            await page.evaluate(_typed("[aria-label='URL or path']", HOSTILE))
            await page.until("!!document.querySelector('.explained')")

            await page.evaluate("[...document.querySelectorAll('.card button')].at(-1).click()")
            await page.until("!!document.querySelector('.dialog')")
            await page.evaluate(_typed(".dialog label:nth-of-type(2) input", "new kernel"))
            await page.until("/drain(ing|ed): /.test(document.querySelectorAll('.card')[1].innerText)")
            await page.until("document.body.innerText.includes('ops: new kernel')")
            assert await page.evaluate("document.title") == "Tidegate"
            if (shown := os.environ.get("DASHBOARD_PICTURE")) is not None:
                await page.picture(Path(shown))
            assert page.errors == [], "no script failed, nothing was loaded that may not be"


async def is_ready(node: Node) -> bool:
    """With tokens there is nothing else to ask without one."""
    try:
        return (await fetch("GET", f"{node.admin}/readyz")).status == 200
    except OSError:
        return False


def _typed(field: str, text: str) -> str:
    """Type into a field and submit its form, as Preact hears it."""
    return f"""(async () => {{
        const field = document.querySelector({field!r});
        field.value = {text!r};
        field.dispatchEvent(new Event("input", {{ bubbles: true }}));
        await new Promise((done) => setTimeout(done));
        field.form.requestSubmit();
        return true;
    }})()"""
