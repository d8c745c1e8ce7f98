"""Tokens and the logs of servers that are not ours."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import aiohttp
import pytest

from server.access.tokens import HideTokens, TokenSettings
from server.mounted import MountedInstance
from server.settings.instance import InstanceSettings
from server.sockets.listener import Listener

from ....support.raw_stomp import raw_stomp
from ....support.tokens import SECRET, token

NAMES = ("uvicorn.access", "uvicorn.error")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What uvicorn logs, through the filter."""
    text = io.StringIO()
    handler, hide = logging.StreamHandler(text), HideTokens()
    loggers = [logging.getLogger(name) for name in NAMES]
    for logger in loggers:
        logger.addHandler(handler)
        logger.addFilter(hide)
        logger.setLevel(logging.INFO)
    yield text
    for logger in loggers:
        logger.removeHandler(handler)
        logger.removeFilter(hide)


async def test_uvicorn_s_access_log_of_a_mounted_instance(written: io.StringIO) -> None:
    push = MountedInstance(InstanceSettings(tokens=TokenSettings(secret=SECRET)))
    good = token()
    async with (
        Listener(push, lifespan="on", access_log=True, log_level="info") as listener,
        aiohttp.ClientSession() as http,
    ):
        async with raw_stomp(listener.url, f"/ws?user=joe&access_token={good}") as joe:
            await joe.connect()
        async with http.get(f"{listener.url}/ws/info?access_token={good}&t=1") as response:
            assert response.status == 200
    text = written.getvalue()
    assert "/ws?user=joe&access_token=***" in text and "/ws/info?access_token=***&t=1" in text
    assert good not in text


def test_records_of_any_shape() -> None:
    for message, args, shown in (
        ("/?access_token=a", (), "/?access_token=***"),
        ("%s %d", ("/?access_token=a", 1), "/?access_token=*** 1"),
        ("%(path)s", ({"path": "/?access_token=a"},), "/?access_token=***"),
    ):
        record = logging.LogRecord("x", logging.INFO, "", 0, message, args, None)
        assert HideTokens().filter(record)
        assert record.getMessage() == shown
