"""The demo page beyond the article: reconnection, SockJS with stompjs, folds, bounds, tokens.

The article's own test of it is :mod:`.test_article`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio

from core.environment import InstanceInfo
from server import LocalCluster
from server.gateway import Gateway, GatewaySettings
from server.handlers import ClientFrame, Denied
from server.instance import Instance
from server.settings.instance import InstanceSettings
from server.settings.tokens import TokenSettings
from tests.support.browser import Page, open_page
from tests.support.instances import push
from tests.support.requirements import requires
from tests.support.tokens import SECRET, token

pytestmark = [
    requires("chromium", "page"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]

#: How the page connects: its query, and the transport that it then says.
CARRIERS = {
    "plain": ("", "WebSocket, no library"),
    "websocket": ("client=sockjs", "websocket, SockJS"),
    "xhr-streaming": ("client=sockjs&transport=xhr-streaming", "xhr-streaming, SockJS"),
    "eventsource": ("client=sockjs&transport=eventsource", "eventsource, SockJS"),
    "xhr-polling": ("client=sockjs&transport=xhr-polling", "xhr-polling, SockJS"),
}
AWKWARD = '100% é \u2028 😀 %E0 </script> <b>&amp; \\ "'
CONNECTED = "document.body.dataset.state === 'on'"
NEWEST = "document.querySelector('#rows .body').textContent"
#: What a proxy that knows no WebSockets does to a page.
NO_WEBSOCKETS = """window.WebSocket = class {
  constructor() { setTimeout(() => this.onclose?.({ code: 1006, reason: "", wasClean: false })); }
  send() {}
  close() {}
};"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cluster() -> AsyncIterator[LocalCluster]:
    async with LocalCluster(instances=2) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Page]:
    async with open_page() as page:
        await page.look()
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Page) -> AsyncIterator[Page]:
    browser.complaints.clear()
    yield browser
    await browser.go("about:blank")


@pytest_asyncio.fixture(loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


async def load(page: Page, cluster: LocalCluster, query: str) -> None:
    await page.go(f"{cluster.describe().gateway_url}/110000.html?{query}")
    await page.wait_for("'loaded' in document.body.dataset")


async def connect(page: Page) -> str:
    """Click Connect; returns the instance."""
    await page.click("#connect")
    await page.wait_for(CONNECTED, seconds=20)
    return await page.text("#instance")


def other_than(cluster: LocalCluster, id: str) -> InstanceInfo:
    return next(each for each in cluster.describe().instances if each.id != id and each.state == "ready")


async def until_newest(page: Page, text: str) -> None:
    await page.wait_for(f"document.querySelector('#rows .body') && {NEWEST} === {json.dumps(text)}")


async def push_past(http: aiohttp.ClientSession, cluster: LocalCluster, on: str, user: str, text: str) -> str:
    """Push through an instance that the page is not on; returns which."""
    via = other_than(cluster, on)
    status, _ = await push(http, via.push_url, user=user, payload=text)
    assert status == 202
    return via.id


@asynccontextmanager
async def without_websockets(page: Page) -> AsyncGenerator[None]:
    added = await page.command("Page.addScriptToEvaluateOnNewDocument", source=NO_WEBSOCKETS)
    yield
    await page.command("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])


@pytest.mark.parametrize("carrier", CARRIERS)
async def test_send_and_receive(
    cluster: LocalCluster, page: Page, http: aiohttp.ClientSession, carrier: str
) -> None:
    query, transport = CARRIERS[carrier]
    await load(page, cluster, f"user={carrier}&{query}")
    on = await connect(page)
    assert await page.text("#state") == f"Connected as {carrier}"
    assert await page.text("#transport") == transport

    await page.fill("#text", AWKWARD)
    await page.click("#send")
    await until_newest(page, "hello")
    await page.wait_for(f"document.querySelector('#sent').innerText.includes('confirmed by {on} after')")

    via = await push_past(http, cluster, on, carrier, AWKWARD)
    await until_newest(page, AWKWARD)
    assert await page.text("#rows .via") == via
    assert float(await page.text("#rows .latency")) > -1  # two clocks of one machine, rounded

    large = AWKWARD * 7000
    assert len(large.encode()) > 200_000
    await push_past(http, cluster, on, carrier, large)
    await page.wait_for("document.querySelector('#rows .fold')")
    assert len(await page.text("#rows .body")) < 300
    await page.click("#rows .fold")
    await until_newest(page, large)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.complaints == []

    await page.click("#disconnect")
    await page.wait_for("document.body.dataset.state === 'off'")


@pytest.mark.parametrize("carrier", ["plain", "websocket", "fallback"])
async def test_a_killed_instance_is_survived(
    cluster: LocalCluster, page: Page, http: aiohttp.ClientSession, carrier: str
) -> None:
    """Connected, received through the other instance, killed, back by itself, received again."""
    user = f"kill-{carrier}"
    if carrier == "fallback":
        async with without_websockets(page):
            await load(page, cluster, f"user={user}&client=sockjs")
    else:
        await load(page, cluster, f"user={user}&{CARRIERS[carrier][0]}")
    on = await connect(page)
    transport = await page.text("#transport")
    assert transport == CARRIERS["xhr-streaming" if carrier == "fallback" else carrier][1]
    await push_past(http, cluster, on, user, "before")
    await until_newest(page, "before")
    await page.evaluate(
        """(() => {
          window.seen = [];
          const countdown = document.querySelector("#countdown");
          const see = () => seen.push([document.body.dataset.state, countdown.innerText]);
          new MutationObserver(see).observe(document.body, { attributes: true });
        })()"""
    )

    await cluster.control("kill", on)
    await page.wait_for(f"document.querySelector('#event').innerText.includes('instead of {on}')", seconds=30)
    assert await page.evaluate(CONNECTED)
    back_on = await page.text("#instance")
    assert back_on != on
    assert await page.text("#transport") == transport
    seen: list[list[str]] = await page.evaluate("seen")
    assert next(state for state, _ in seen if state in ("waiting", "on")) == "waiting"
    assert any("Next attempt in" in countdown for _, countdown in seen)
    await cluster.control("remove", on)
    await cluster.control("add")
    await push_past(http, cluster, back_on, user, "after")
    await until_newest(page, "after")


async def test_more_than_can_be_shown(cluster: LocalCluster, page: Page, http: aiohttp.ClientSession) -> None:
    await load(page, cluster, "user=many")
    on = await connect(page)
    url = other_than(cluster, on).push_url
    for number in range(520):
        await push(http, url, user="many", payload=str(number))
    await until_newest(page, "519")
    assert await page.text("#count") == "520 · newest 500 shown"
    assert await page.evaluate("document.querySelectorAll('#rows tr').length") == 500
    order: list[str] = await page.evaluate(
        "[...document.querySelectorAll('#rows .body')].map((node) => node.textContent)"
    )
    assert order == [str(number) for number in range(519, 19, -1)]
    await page.click("#clear")
    assert "Nothing has come yet" in await page.text("#empty")


#: What its frames become in any two pieces, each outcome once.
PIECES = """(async (text) => {
  const { Parser } = await import("./110000.stomp.js");
  const bytes = new TextEncoder().encode(text);
  const outcomes = new Set();
  for (let at = 0; at <= bytes.length; at += 1) {
    const parser = new Parser();
    const pieces = [bytes.slice(0, at).buffer, bytes.slice(at).buffer];
    outcomes.add(JSON.stringify(pieces.flatMap((piece) => parser.feed(piece))));
  }
  outcomes.add(JSON.stringify(new Parser().feed(text)));
  return [...outcomes];
})(%s)"""
FRAMES = (
    "\n\r\nMESSAGE\na\\cb:c\\cd\\\\\\n\nempty:\n\né\u2028😀 100%\nx\0\n"
    "MESSAGE\r\nk:first\r\nk:second\r\ncontent-length:3\r\n\r\na\0b\0RECEIPT\n\n\0\n"
)


async def test_the_page_s_own_stomp_takes_any_pieces(cluster: LocalCluster, page: Page) -> None:
    await load(page, cluster, "")
    (outcome,) = await page.evaluate(PIECES % json.dumps(FRAMES))
    assert json.loads(outcome) == [
        {"command": "MESSAGE", "headers": {"a:b": "c:d\\\n", "empty": ""}, "body": "é\u2028😀 100%\nx"},
        {"command": "MESSAGE", "headers": {"k": "first", "content-length": "3"}, "body": "a\0b"},
        {"command": "RECEIPT", "headers": {}, "body": ""},
    ]


async def test_a_token_stays_out_of_address_and_storage(cluster: LocalCluster, page: Page) -> None:
    await load(page, cluster, "user=joe&access_token=s3cret%2B1&client=sockjs&transport=xhr-polling")
    assert await page.evaluate("location.search") == "?user=joe&client=sockjs&transport=xhr-polling"
    assert await page.evaluate("document.querySelector('#token').value") == "s3cret+1"
    await page.click("#language")
    await page.click("#language")
    await connect(page)
    kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
    assert "s3cret" not in kept
    assert "pushscope.lang" in kept
    asked = await page.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    (info,) = (name for name in asked if "/ws/info?" in name)
    assert "user=joe&access_token=s3cret%2B1" in info
    await page.evaluate("localStorage.clear()")


@pytest.mark.parametrize("query", ["", "client=sockjs"])
async def test_a_refused_token_is_said_and_not_tried_again(page: Page, query: str) -> None:
    settings = InstanceSettings(tokens=TokenSettings(secret=SECRET), allowed_origins=("*",))
    async with (
        Instance(settings) as instance,
        Gateway(GatewaySettings(services={"web-socket": (f"127.0.0.1:{instance.port}",)})) as gateway,
    ):
        await page.go(f"{gateway.url}/110000.html?access_token=nonsense&{query}")
        await page.wait_for("'loaded' in document.body.dataset")
        await page.click("#connect")
        await page.wait_for("document.body.dataset.state === 'refused'", seconds=20)
        assert "401" in await page.text("#error")
        assert "Check the access token" in await page.text("#error")
        assert await page.evaluate("document.querySelector('#countdown').hidden")
        await page.fill("#token", token("joe"))
        await connect(page)
        assert await page.text("#state") == "Connected as joe"
        assert await page.evaluate("document.querySelector('#error').hidden")


@pytest.mark.parametrize("query", ["", "client=sockjs"])
async def test_what_the_server_denies_is_said_in_its_words(page: Page, query: str) -> None:
    def nobody(frame: ClientFrame) -> None:
        raise Denied("closed on Mondays")

    settings = InstanceSettings(allowed_origins=("*",))
    async with (
        Instance(settings, interceptors=[nobody]) as instance,
        Gateway(GatewaySettings(services={"web-socket": (f"127.0.0.1:{instance.port}",)})) as gateway,
    ):
        await page.go(f"{gateway.url}/110000.html?{query}")
        await page.wait_for("'loaded' in document.body.dataset")
        await page.click("#connect")
        await page.wait_for("document.body.dataset.state === 'refused'", seconds=20)
        assert await page.text("#state") == "Could not connect"
        assert "closed on Mondays" in await page.text("#error")
        assert await page.evaluate("document.activeElement.id") == "connect"


async def test_without_the_libraries_the_choice_says_how_to_get_them(
    cluster: LocalCluster, page: Page
) -> None:
    await page.command("Network.enable")
    await page.command("Network.setBlockedURLs", urls=["*libraries.json"])
    await load(page, cluster, "client=sockjs")
    await page.command("Network.disable")
    assert await page.evaluate("document.querySelector('#client').value") == "plain"
    assert await page.evaluate("document.querySelector('#client').options[1].disabled")
    assert "python3 dev.py page" in await page.text("#unbuilt")


async def test_dark_and_light_by_hand(cluster: LocalCluster, page: Page) -> None:
    await load(page, cluster, "theme=dark")
    background = "getComputedStyle(document.body).backgroundColor"
    assert await page.evaluate(background) == "rgb(22, 23, 26)"
    await page.click("#theme")  # auto; the browser's own is light
    assert await page.text("#theme") == "Colours: auto"
    assert await page.evaluate(background) == "rgb(245, 246, 248)"
    await page.evaluate("localStorage.clear()")
