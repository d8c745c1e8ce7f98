"""The article's test, literally: its page in a browser, through the gateway, two instances.

"Open http://localhost:7000/110000.html, click Connect; click Send: only one of the instances gets
the message. Then call the test interface of 8080 and of 8081: whichever instance is asked, the
page receives the message."
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from server import LocalCluster
from server.gateway import Gateway
from tests.support.browser import Page, open_page
from tests.support.processes import until
from tests.support.requirements import requires

pytestmark = [requires("chromium"), pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

GREETINGS = "[...document.querySelectorAll('#rows .body')].map((cell) => cell.innerText)"
CONNECTED = "document.body.dataset.state === 'on'"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster() -> AsyncIterator[LocalCluster]:
    async with LocalCluster(instances=2) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def page() -> AsyncIterator[Page]:
    async with open_page() as page:
        await page.look()
        yield page


async def push(instance_url: str, user: str) -> None:
    """GET /test?username=, as with Postman in the article."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{instance_url}/test", params={"username": user}) as answer,
    ):
        assert (answer.status, await answer.text()) == (200, "")


async def until_greetings(page: Page, *newest_first: str) -> None:
    await page.wait_for(f"{GREETINGS}.length >= {len(newest_first)}")
    assert await page.evaluate(GREETINGS) == list(newest_first)


async def test_the_article(cluster: LocalCluster, page: Page) -> None:
    info = cluster.describe()
    await page.go(f"{info.gateway_url}/110000.html")
    assert await page.text("#state") == "Not connected"
    assert await page.evaluate("document.querySelector('#user').value") == "lijian"

    await page.click("#connect")
    await page.wait_for(CONNECTED)
    assert await page.text("#state") == "Connected as lijian"
    assert await page.text("#instance") in [instance.id for instance in info.instances]

    first, second = info.instances
    await push(first.push_url, "lijian")
    await until_greetings(page, "hello:lijian")
    await push(second.push_url, "lijian")
    await until_greetings(page, "hello:lijian", "hello:lijian")

    await page.fill("#text", "ssss")
    await page.click("#send")
    await until_greetings(page, "hello", "hello:lijian", "hello:lijian")
    assert await page.text("#count") == "3"

    def who_logged() -> list[str]:
        return [
            instance.id
            for instance in info.instances
            for line in cluster.log_of(instance.id)
            if line.endswith("message: ssss")
        ]

    await until(lambda: bool(who_logged()), "an instance has logged the message")
    assert len(who_logged()) == 1  # one line, on one instance
    assert page.complaints == []

    await page.click("#disconnect")
    await page.wait_for("document.body.dataset.state === 'off'")
    assert await page.evaluate("document.querySelector('#error').textContent") == ""


async def test_another_user_in_chinese_on_a_phone(cluster: LocalCluster, page: Page) -> None:
    info = cluster.describe()
    await page.look(width=375, height=740, dark=True, language="zh-CN")
    await page.go(f"{info.gateway_url}/110000.html?user=%E5%BC%A0%E4%B8%89")
    assert await page.text("#connect") == "连接"
    assert await page.evaluate("document.documentElement.lang") == "zh-CN"
    await page.click("#connect")
    await page.wait_for(CONNECTED)
    assert "张三" in await page.text("#state")
    await push(info.instances[0].push_url, "lijian")  # not for us
    await push(info.instances[1].push_url, "张三")
    await until_greetings(page, "hello:张三")
    await page.click("#language")
    assert await page.text("#connect") == "Connect"
    # Nothing is wider than the phone.
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []


async def test_every_field_has_a_name_and_every_image_is_ours(cluster: LocalCluster, page: Page) -> None:
    await page.go(f"{cluster.describe().gateway_url}/110000.html")
    unnamed = await page.evaluate(
        "[...document.querySelectorAll('input, select')].filter((x) => !x.labels.length).map((x) => x.id)"
    )
    assert unnamed == []
    loaded = await page.evaluate(
        "performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)"
    )
    assert set(loaded) <= {cluster.describe().gateway_url}


async def test_no_instance_is_said_in_words(page: Page) -> None:
    async with Gateway() as gateway:
        await page.look()
        await page.go(f"{gateway.url}/110000.html")
        await page.click("#connect")
        await page.wait_for("!document.querySelector('#countdown').hidden")
        assert "503" in await page.text("#error")
        assert await page.text("#state") == "Could not connect"
        assert "no instance of service 'web-socket' is registered" in await page.text("#error")
        assert "Next attempt in" in await page.text("#countdown")
        await page.click("#disconnect")
        assert await page.text("#state") == "Not connected"
        assert await page.evaluate("document.querySelector('#countdown').hidden")
