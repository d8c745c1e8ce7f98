"""The embedded broker as a stranger over TCP sees it: words of errors, receipts, transactions, limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from core.errors import PortTakenError, UsageError
from server.brokers.embedded import EmbeddedBroker
from server.brokers.embedded_limits import BrokerLimits

from ...support.processes import until
from ...support.stomp_tcp import tcp_stomp


@pytest.fixture
async def broker() -> AsyncGenerator[EmbeddedBroker]:
    async with EmbeddedBroker() as broker:
        yield broker


async def test_unknown_versions_are_refused(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url, connect=False) as client:
        client.send("CONNECT", {"accept-version": "2.0"})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Version mismatch"
        assert error.body == b"Supported versions are 1.0,1.1,1.2\n"


async def test_a_duplicate_subscription_is_refused_with_the_receipt_id(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a"})
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/b", "receipt": "r"})
        error = await client.expect("ERROR")
        assert error.headers["message"] == "Duplicated subscription identifier"
        assert error.headers["receipt-id"] == "r"


async def test_receipts_come_after_what_they_confirm(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a", "receipt": "sub"})
        client.send("SEND", {"destination": "/topic/a", "receipt": "sent"}, b"x")
        client.send("DISCONNECT", {"receipt": "bye"})
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "sub"
        message = await client.expect("MESSAGE")
        assert message.headers["subscription"] == "1"
        assert "receipt" not in message.headers
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "sent"
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "bye"
        assert await client.frame() is None


async def test_transactions_are_all_or_nothing(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/a"})
        for name, end in (("t", "ABORT"), ("u", "COMMIT")):
            client.send("BEGIN", {"transaction": name})
            client.send("SEND", {"destination": "/topic/a", "transaction": name}, f"{name}1".encode())
            client.send("SEND", {"destination": "/topic/a", "transaction": name}, f"{name}2".encode())
            client.send(end, {"transaction": name, "receipt": name})
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "t"
        assert [(await client.expect("MESSAGE")).body for _ in range(2)] == [b"u1", b"u2"]
        assert (await client.expect("RECEIPT")).headers["receipt-id"] == "u"


async def test_a_transaction_may_not_hold_everything() -> None:
    async with (
        EmbeddedBroker(limits=BrokerLimits(transaction=1400)) as broker,
        tcp_stomp(broker.url) as client,
    ):
        client.send("BEGIN", {"transaction": "t"})
        for _ in range(2):
            client.send("SEND", {"destination": "/topic/a", "transaction": "t"}, b"x" * 600)
        assert (await client.expect("ERROR")).headers["message"] == "Bad transaction"
        client.send("COMMIT", {"transaction": "t", "receipt": "r"})
        await client.expect("RECEIPT")
        assert broker.messages == 1


async def test_a_bare_name_is_a_queue(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as client:
        client.send("SUBSCRIBE", {"id": "1", "destination": "/queue/work"})
        client.send("SEND", {"destination": "work"}, b"x")
        assert (await client.expect("MESSAGE")).headers["destination"] == "/queue/work"


async def test_who_leaves_is_unsubscribed_and_others_go_on(broker: EmbeddedBroker) -> None:
    async with tcp_stomp(broker.url) as stays:
        stays.send("SUBSCRIBE", {"id": "1", "destination": "/queue/work", "receipt": "r"})
        await stays.expect("RECEIPT")
        async with tcp_stomp(broker.url) as leaves:
            leaves.send("SUBSCRIBE", {"id": "1", "destination": "/queue/work", "receipt": "r"})
            await leaves.expect("RECEIPT")
            leaves.writer.transport.abort()
        await until(lambda: broker.exchange.bindings == 1, "the other has gone")
        for number in range(4):
            stays.send("SEND", {"destination": "/queue/work"}, str(number).encode())
        assert [(await stays.expect("MESSAGE")).body for _ in range(4)] == [b"0", b"1", b"2", b"3"]


async def test_a_peer_that_does_not_read_is_cut_and_others_are_served() -> None:
    async with (
        EmbeddedBroker(limits=BrokerLimits(peer_backlog=256 * 1024)) as broker,
        tcp_stomp(broker.url) as deaf,
        tcp_stomp(broker.url) as quick,
        tcp_stomp(broker.url) as sender,
    ):
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for client in (deaf, quick):
            client.send("SUBSCRIBE", {"id": "1", "destination": "/topic/flood"})
        quick.send("SUBSCRIBE", {"id": "2", "destination": "/topic/none", "receipt": "r"})
        await quick.expect("RECEIPT")
        async with asyncio.timeout(30):
            while len(broker.peers) == 3:
                sender.send("SEND", {"destination": "/topic/flood"}, b"x" * 60_000)
                await quick.expect("MESSAGE")


async def test_heart_beats_are_sent_and_a_silent_peer_is_cut() -> None:
    async with (
        EmbeddedBroker() as broker,
        tcp_stomp(broker.url, connect=True, **{"heart-beat": "10000,10000"}),
    ):
        (peer,) = broker.peers
        assert peer.deadline is not None  # it will look again: heart-beats were agreed on


async def test_who_never_connects_is_told_so_and_cut() -> None:
    limits = BrokerLimits(connect_s=0.2)
    async with EmbeddedBroker(limits=limits) as broker, tcp_stomp(broker.url, connect=False) as client:
        error = await client.frame()
        assert error is not None and error.body == b"A peer has 0.2 s to CONNECT.\n"
        assert await client.frame() is None


async def test_a_taken_port_is_named() -> None:
    async with EmbeddedBroker() as broker:
        with pytest.raises(PortTakenError) as taken:
            async with EmbeddedBroker(port=broker.port):
                pass
        assert taken.value.port == broker.port


async def test_on_other_addresses_a_token_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUSHSCOPE_TOKEN", raising=False)
    with pytest.raises(UsageError):
        async with EmbeddedBroker("0.0.0.0"):
            pass
    monkeypatch.setenv("PUSHSCOPE_TOKEN", "secret")
    async with EmbeddedBroker("0.0.0.0") as broker:
        url = f"stomp://127.0.0.1:{broker.port}"
        async with tcp_stomp(url, connect=False) as client:
            client.send("CONNECT", {"accept-version": "1.2", "login": "joe", "passcode": "wrong"})
            error = await client.expect("ERROR")
            assert error.headers["message"] == "Bad CONNECT"
            assert error.body == b"Access refused for user 'joe'\n"
            client.send("CONNECT", {"accept-version": "1.2", "passcode": "secret"})
            await client.expect("CONNECTED")
        async with tcp_stomp(url, passcode="secret"):
            pass
