"""The README's pictures of the demo page: ``python -m tests.e2e.page_shots --out DIR``, by ``dev.py shots``.

A real cluster, a real browser; an instance is killed on the way, so that there is something to tell.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import aiohttp

from server import LocalCluster
from tests.support.browser import Page, open_page
from tests.support.instances import push

_CONNECTED = "document.body.dataset.state === 'on'"
#: The size in CSS pixels, and what the page is to look like.
_DESKTOP: dict[str, object] = {"width": 800, "height": 780}
_PHONE: dict[str, object] = {"width": 360, "height": 780, "dark": True, "language": "zh-CN"}


async def take(out: Path) -> None:
    """Write ``page.png`` and ``page-phone.png`` into a folder."""
    async with LocalCluster(instances=3) as cluster, open_page() as page, aiohttp.ClientSession() as http:
        for name, look, query in (("page", _DESKTOP, ""), ("page-phone", _PHONE, "?client=sockjs")):
            await page.look(**look)  # type: ignore[arg-type]
            await page.go(f"{cluster.describe().gateway_url}/110000.html{query}")
            await page.wait_for("'loaded' in document.body.dataset")
            await page.click("#connect")
            await page.wait_for(_CONNECTED)
            await _fill(cluster, page, http)
            await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
            await page.screenshot(out / f"{name}.png")
            await page.click("#disconnect")


async def _fill(cluster: LocalCluster, page: Page, http: aiohttp.ClientSession) -> None:
    on = await page.text("#instance")
    await cluster.control("kill", on)
    await page.wait_for(f"{_CONNECTED} && document.querySelector('#instance').innerText !== {on!r}")
    left = [each for each in cluster.describe().instances if each.state == "ready"]
    for turn in range(4):  # the first ones wake things up
        url = left[turn % len(left)].push_url
        async with http.get(f"{url}/test", params={"username": "lijian"}):
            await page.wait_for(f"document.querySelectorAll('#rows tr').length === {turn + 1}")
    await push(http, left[-1].push_url, user="lijian", payload="Order 4711 is on its way. 您的订单已发货。")
    await page.wait_for("document.querySelectorAll('#rows tr').length === 5")
    await page.fill("#text", "ssss")
    await page.click("#send")
    await page.wait_for("document.querySelectorAll('#rows tr').length === 6")


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("assets") / "screenshots")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
