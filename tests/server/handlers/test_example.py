"""The chat of assets/examples: two processes, as its text says to start them, and real clients."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from server.brokers.embedded import EmbeddedBroker

from ...support.processes import PATIENCE
from ...support.raw_stomp import RawStomp, raw_stomp
from ...support.requirements import needs_alias

pytestmark = needs_alias

CHAT = Path(__file__).resolve().parents[3] / "assets" / "examples" / "chat.py"


@asynccontextmanager
async def chat(id: str, broker: str, history: Path) -> AsyncGenerator[str]:
    """One instance in a process of its own; yields its base URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", str(CHAT), "--id", id, "--port", "0", "--broker", broker),
        *("--history", str(history)),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            line = ""
            while f"instance {id} listens at http" not in line:
                line = (await process.stderr.readline()).decode()
                assert line, "it ended"
        yield line.split()[-1]
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0


async def said(client: RawStomp) -> object:
    return msgspec.json.decode((await client.expect("MESSAGE")).body)


async def say(client: RawStomp, destination: str, text: str, **headers: str) -> None:
    body = msgspec.json.encode({"text": text})
    await client.send("SEND", {"destination": destination, **headers}, body)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is for POSIX")
async def test_it_chats_across_two_processes(tmp_path: Path) -> None:
    async with (
        EmbeddedBroker() as broker,
        chat("chat-1", broker.url, tmp_path / "chat.db") as one,
        chat("chat-2", broker.url, tmp_path / "chat.db") as two,
        raw_stomp(one) as lijian,
        raw_stomp(two) as maria,
    ):
        assert (await lijian.connect(passcode="token-of-lijian")).headers["user-name"] == "lijian"
        await maria.connect(passcode="token-of-maria")
        await lijian.subscribe("/topic/chat.tea", "tea")
        await lijian.subscribe("/user/topic/errors", "errors")
        await maria.subscribe("/user/topic/private", "private")
        await say(maria, "/app/chat/tea/say", "hello")
        assert await said(lijian) == {"by": "maria", "text": "hello"}
        await say(lijian, "/app/chat/tea/say", "welcome")
        assert await said(lijian) == {"by": "lijian", "text": "welcome"}
        await maria.send("SUBSCRIBE", {"id": "h", "destination": "/app/chat/tea/history", "last": "1"})
        assert await said(maria) == [{"by": "lijian", "text": "welcome"}]
        await say(lijian, "/app/tell/maria", "psst", receipt="told")
        assert (await lijian.expect("RECEIPT")).headers["receipt-id"] == "told"
        assert await said(maria) == {"by": "lijian", "text": "psst"}
        await say(lijian, "/app/chat/tea/say", " ")
        assert (await lijian.expect("MESSAGE")).body == b"say something"
        await lijian.send("SEND", {"destination": "/app/chat/tea/say"}, b"no JSON")
        assert b"cannot be read" in (await lijian.expect("MESSAGE")).body
        await maria.subscribe("/user/topic/rooms", "rooms")
        await maria.send("SEND", {"destination": "/app/rooms"}, b"?")
        assert await said(maria) == {"tea": 2}
        await maria.send("SEND", {"destination": "/topic/chat.tea"}, b"around the handlers")
        assert (await maria.expect("ERROR")).headers["message"] == "Access denied"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is for POSIX")
async def test_nobody_comes_in_without_a_token(tmp_path: Path) -> None:
    async with (
        EmbeddedBroker() as broker,
        chat("chat-1", broker.url, tmp_path / "chat.db") as url,
        raw_stomp(url, "/ws?user=lijian") as client,
    ):
        await client.send("CONNECT", {"accept-version": "1.2", "login": "lijian"})
        assert (await client.expect("ERROR")).headers["message"] == "sign in first"
