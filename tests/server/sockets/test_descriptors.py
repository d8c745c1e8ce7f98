"""A process that has hardly any descriptors left: the oldest that have said nothing go, nobody else."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any, cast

import pytest

from server.brokers.embedded import EmbeddedBroker
from server.sockets.descriptors import Descriptors
from server.sockets.listener import Listener
from tests.support.upstream import exchange, read_all

logger = logging.getLogger("pushscope.test")
GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Wire:
    """A connection with a descriptor of this number."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cut = False

    def get_extra_info(self, name: str) -> Wire:
        return self

    def fileno(self) -> int:
        return self.number

    def is_closing(self) -> bool:
        return self.cut

    def abort(self) -> None:
        self.cut = True


async def test_the_oldest_that_said_nothing_go_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    descriptors = Descriptors(logger, limit=128)
    wires = [Wire(number) for number in range(96, 112)]
    assert [descriptors.came(wire) for wire in wires] == [True] * 16
    descriptors.spoke(wires[0])
    with caplog.at_level("WARNING"):
        # The numbers of those who went are free: the shortage lasts all the same.
        for number in (112, 113, 1, 2):
            assert descriptors.came(Wire(number))
    assert [wire.cut for wire in wires[:6]] == [False, True, True, True, True, False]
    assert len(caplog.records) == 1
    assert "128 file descriptors" in caplog.text
    descriptors.close()


async def test_who_is_silent_goes_for_what_we_dial_as_well() -> None:
    descriptors = Descriptors(logger, limit=128)
    silent = [Wire(number) for number in range(40, 44)]
    assert all(descriptors.came(wire) for wire in silent)
    descriptors.dialled(Wire(60))  # there is room
    assert not any(wire.cut for wire in silent)
    descriptors.dialled(Wire(112))
    descriptors.dialled(Wire(40))  # its number was that of the one who went
    assert [wire.cut for wire in silent] == [True, True, False, False]
    descriptors.close()


async def test_nobody_who_spoke_is_dropped_for_a_newcomer() -> None:
    descriptors = Descriptors(logger, limit=17)  # more are in use already
    assert not descriptors.came(Wire(500))
    descriptors.close()


async def test_a_server_goes_on_with_those_who_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Descriptors, "_in_use", lambda self: 0)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    async with Listener(hello) as listener:
        server: Any = cast(Any, listener)._server
        server.server_state.descriptors = Descriptors(logger, limit=17)
        idle = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(5)]
        assert (await exchange(listener.port, GET)).endswith(b"ok")
        async with asyncio.timeout(5):
            for reader, _ in idle[:4]:
                with suppress(ConnectionError):
                    assert await read_all(reader) == b""
        for _, writer in idle:
            writer.close()
        server.server_state.descriptors.close()


async def test_the_broker_turns_a_newcomer_away_rather_than_a_peer() -> None:
    async with EmbeddedBroker() as broker:
        reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
        writer.write(b"CONNECT\naccept-version:1.2\nhost:/\n\n\0")
        assert (await reader.readuntil(b"\0")).startswith(b"CONNECTED\n")
        broker.descriptors = Descriptors(logger, limit=17)
        with suppress(ConnectionError):
            assert await exchange(broker.port, b"") == b""
        assert len(broker.peers) == 1
        broker.descriptors.close()
        writer.close()
