"""The example with access tokens, in a process of its own as its text says to start it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import aiohttp
import pytest
from websockets.exceptions import InvalidStatus

from ....support.hypercorn_host import needs_fastapi
from ....support.processes import PATIENCE, refuses, until, unused_port
from ....support.raw_stomp import raw_stomp
from ....support.requirements import needs_alias
from ....support.tokens import SECRET

pytestmark = [needs_alias, needs_fastapi]

EXAMPLES = Path(__file__).resolve().parents[4] / "assets" / "examples"


async def test_sign_in_and_connect() -> None:
    port = unused_port()
    url = f"http://127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "tokens:app", "--port", str(port)),
        cwd=EXAMPLES,
        env={**os.environ, "SHOP_SECRET": SECRET},
        stdout=PIPE,
        stderr=PIPE,
    )
    given: list[str] = []
    try:
        await until(lambda: process.returncode is not None or not refuses(url), "uvicorn listens")
        async with aiohttp.ClientSession() as http:
            for user in ("lijian", "maria"):
                async with http.post(f"{url}/sign-in?user={user}&password=sesame") as response:
                    given.append((await response.json())["access_token"])
            async with http.post(f"{url}/sign-in?user=lijian&password=wrong") as response:
                assert response.status == 401
        customer, clerk = given
        async with (
            raw_stomp(url, f"/push/ws?access_token={customer}") as lijian,
            raw_stomp(url, f"/push/ws?access_token={clerk}") as maria,
        ):
            assert (await lijian.connect()).headers["user-name"] == "lijian"
            assert (await maria.connect(login="root")).headers["user-name"] == "maria"
            await lijian.subscribe("/topic/news")
            await maria.send("SEND", {"destination": "/topic/news"}, b"sale")
            assert (await lijian.expect("MESSAGE")).body == b"sale"
            await lijian.send("SEND", {"destination": "/topic/news"}, b"me too")
            assert "clerks only" in (await lijian.expect("ERROR")).headers["message"]
        async with raw_stomp(url, "/push/ws?user=lijian") as nobody:
            await nobody.send("CONNECT", {"accept-version": "1.2"})
            assert "access token is needed" in (await nobody.expect("ERROR")).headers["message"]
        with pytest.raises(InvalidStatus) as refused:
            async with raw_stomp(url, "/push/ws?access_token=none"):
                pass
        assert refused.value.response.status_code == 401
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            said = b"".join(await process.communicate()).decode()
    assert "access_token=***" in said
    for token in given:
        assert token not in said
