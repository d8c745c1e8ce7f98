"""A headless Chromium driven over the DevTools protocol: no driver binary, no library."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from cli.packages import SYSTEM_NEEDS, find_program

_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


class BrowserError(AssertionError):
    """A page did something else than the test expected; the text says what."""


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[str] = []

    async def read(self) -> None:
        """Take in what the browser says until the connection ends."""
        async for text in self._connection:
            message: dict[str, Any] = json.loads(text)
            waiting = self._waiting.pop(message.get("id", 0), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one DevTools command and return its result."""
        number = next(self._ids)
        self._waiting[number] = answer = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        message = await answer
        if "error" in message:
            raise BrowserError(f"{method}: {message['error']}")
        return cast("dict[str, Any]", message["result"])

    async def prepare(self) -> None:
        """Switch on the events that the page object needs."""
        for domain in ("Page", "Runtime", "Log"):
            await self.command(f"{domain}.enable")

    async def look(
        self,
        *,
        width: int = 1000,
        height: int = 800,
        scale: float = 1,
        dark: bool = False,
        language: str = "en-US",
    ) -> None:
        """Set the size, the colour scheme and the language; before :meth:`go`."""
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.command("Emulation.setEmulatedMedia", features=[scheme])
        await self.command("Emulation.setUserAgentOverride", userAgent="test", acceptLanguage=language)

    async def go(self, url: str) -> None:
        """Open an address and wait until it has loaded."""
        self._loaded.clear()
        result = await self.command("Page.navigate", url=url)
        if result.get("errorText"):
            raise BrowserError(f"{url}: {result['errorText']}")
        await self._loaded.wait()

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        result = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    async def wait_for(self, condition: str, *, seconds: float = 10) -> None:
        """Wait until a JavaScript condition holds in the page."""
        held = await self.evaluate(
            f"""new Promise((done) => {{
                const end = Date.now() + {seconds * 1000};
                const look = () => {{
                    if ({condition}) done(true);
                    else if (Date.now() > end) done(false);
                    else setTimeout(look, 10);
                }};
                look();
            }})"""
        )
        if not held:
            text = await self.evaluate("document.body.innerText")
            raise BrowserError(f"after {seconds:g} s not yet: {condition}\nthe page says:\n{text}")

    async def text(self, selector: str) -> str:
        """The visible text of an element."""
        return str(await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def click(self, selector: str) -> None:
        """Click the middle of an element, with the mouse."""
        box = await self.evaluate(
            f"""(() => {{
                const node = document.querySelector({json.dumps(selector)});
                node.scrollIntoView({{block: "center"}});
                const box = node.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2, node.disabled === true];
            }})()"""
        )
        x, y, disabled = cast("tuple[float, float, bool]", tuple(box))
        if disabled:
            raise BrowserError(f"{selector} is disabled")
        for kind in ("mousePressed", "mouseReleased"):
            await self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def fill(self, selector: str, text: str) -> None:
        """Replace an input's text by typing."""
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.command("Input.insertText", text=text)

    async def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Write a PNG of what is seen, or of the whole page."""
        result = await self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(result["data"]))


@asynccontextmanager
async def open_page() -> AsyncGenerator[Page]:
    """A fresh Chromium with one tab; it is gone afterwards, profile and all."""
    names = SYSTEM_NEEDS["chromium"].programs[0].split("|")
    program = next(found for name in names if (found := find_program(name)))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = await asyncio.create_subprocess_exec(
            program,
            *_SWITCHES,
            f"--user-data-dir={profile}",
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert browser.stderr is not None
        drain: asyncio.Task[None] | None = None
        try:
            port = await _debugging_port(browser.stderr)
            drain = asyncio.create_task(_drain(browser.stderr))
            async with (
                connect(await _first_tab(port), max_size=None, proxy=None, compression=None) as connection,
                asyncio.TaskGroup() as group,
            ):
                page = Page(connection)
                reading = group.create_task(page.read())
                await page.prepare()
                yield page
                reading.cancel()
        finally:
            if browser.returncode is None:
                browser.kill()
            await browser.wait()
            if drain is not None:
                await drain


async def _debugging_port(stderr: asyncio.StreamReader) -> int:
    said: list[str] = []
    async with asyncio.timeout(30):
        async for line in stderr:
            text = line.decode(errors="replace")
            said.append(text)
            if "DevTools listening on ws://" in text:
                return int(text.rsplit(":", 1)[1].split("/")[0])
    raise BrowserError(f"Chromium did not start:\n{''.join(said)}")


async def _drain(stderr: asyncio.StreamReader) -> None:
    async for _ in stderr:
        pass


async def _first_tab(port: int) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/json/list") as answer,
    ):
        tabs = cast("list[dict[str, str]]", await answer.json())
    return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
