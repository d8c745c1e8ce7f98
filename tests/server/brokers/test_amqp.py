"""RabbitMQ over AMQP: peers on STOMP and AMQP, content, order, refusals."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import aio_pika
import pytest

from core.errors import BrokerUnavailable
from core.protocol import Frame
from server.brokers.stomp import StompBroker

from ...support.rabbitmq import VirtualHost
from ...support.stomp_tcp import tcp_stomp
from ...support.watched_broker import HELD, PATIENCE, QUICK, Inbox, connected, eventually, watched

SENT = {
    "content-type": "application/json;charset=UTF-8",
    "ps-id": "run1.i1.u1.1",
    "simpOrigDestination": "/user/topic/greetings",
    "a:b": "c\\d\nü",
    "persistent": "true",
    "priority": "3",
    "correlation-id": "c1",
    "reply-to": "/queue/answers",
    "expiration": "60000",
    "type": "greeting",
    "app-id": "demo",
    "user-id": "guest",
    "timestamp": "1700000000",
    "amqp-message-id": "m1",
    "empty": "",
}


def without_hop(frame: Frame) -> dict[str, str]:
    """What of a MESSAGE is the sender's."""
    mine = {"subscription", "message-id", "receipt"}
    return {name: value for name, value in frame.headers.items() if name not in mine}


@pytest.mark.parametrize("destination", ["/topic/gre%2Fet.ings", "/queue/interop"])
async def test_a_stomp_peer_sees_what_a_stomp_sender_would_have_produced(
    rabbitmq: VirtualHost, destination: str
) -> None:
    async with connected(rabbitmq.amqp_url) as relay, tcp_stomp(rabbitmq.stomp_url) as peer:
        assert await peer.settled("SUBSCRIBE", {"id": "1", "destination": destination})
        peer.send("SEND", {"destination": destination, **SENT}, b'{"a":1}')
        from_stomp = await peer.expect("MESSAGE")
        await relay.publish(destination, b'{"a":1}', **SENT)
        from_amqp = await peer.expect("MESSAGE")
        assert without_hop(from_amqp) == without_hop(from_stomp)
        assert from_amqp.body == from_stomp.body


async def test_we_see_what_a_stomp_sender_says(rabbitmq: VirtualHost) -> None:
    over_amqp, over_stomp = Inbox(), Inbox()
    async with (
        connected(rabbitmq.amqp_url) as one,
        watched(StompBroker(rabbitmq.stomp_url, times=QUICK)) as two,
        tcp_stomp(rabbitmq.stomp_url) as peer,
    ):
        await two.up()
        await one.subscribe("/topic/greetings", over_amqp.put_nowait)
        await two.subscribe("/topic/greetings", over_stomp.put_nowait)
        head = {"destination": "/topic/greetings", **SENT}
        assert await peer.settled("SEND", head, b'{"a":1}')
        ours, theirs = await over_amqp.next(), await over_stomp.next()
        hop = {"subscription", "message-id", "redelivered", "content-length"}
        said = {name: value for name, value in theirs.headers.items() if name not in hop}
        said.pop("receipt")  # the plugin lets the sender's through
        assert {name: value for name, value in ours.headers.items() if name not in hop} == said
        assert ours.body == theirs.body == b'{"a":1}'


async def test_a_foreign_amqp_publisher_reaches_us_and_hears_us(rabbitmq: VirtualHost) -> None:
    inbox = Inbox()
    heard: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
    async with connected(rabbitmq.amqp_url) as relay, await aio_pika.connect(rabbitmq.amqp_url) as foreign:
        channel = await foreign.channel()
        exchange = await channel.get_exchange("amq.topic")
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, "answers")
        await queue.consume(heard.put, no_ack=True)
        await relay.subscribe("/topic/greetings", inbox.put_nowait)
        await exchange.publish(
            aio_pika.Message(b"{}", headers={"n": 5, "s": "ü"}, content_type="application/json", type="t"),
            "greetings",
            mandatory=False,
        )
        message = await inbox.next()
        assert (
            message.headers.items()
            >= {
                "destination": "/topic/greetings",
                "n": "5",
                "s": "ü",
                "content-type": "application/json",
                "type": "t",
            }.items()
        )
        await relay.publish("/topic/answers", b"!", content_type="text/plain", x="y", receipt="1")
        async with asyncio.timeout(PATIENCE):
            answer = await heard.get()
        assert (answer.body, answer.content_type, answer.headers) == (b"!", "text/plain", {"x": "y"})


async def test_messages_of_any_size_arrive_whole(rabbitmq: VirtualHost) -> None:
    inbox = Inbox()
    async with connected(rabbitmq.amqp_url) as relay:
        await relay.subscribe("/topic/a", inbox.put_nowait)
        for size in (0, 1, 131_064, 131_065, 1_000_000):
            await relay.publish("/topic/a", bytes(size))
            assert (await inbox.next()).body == bytes(size)


async def test_topics_keep_their_order_whatever_their_names(rabbitmq: VirtualHost) -> None:
    inbox = Inbox()
    bodies = [b"%d" % number for number in range(2000)]
    async with connected(rabbitmq.amqp_url) as one, connected(rabbitmq.amqp_url) as two:
        for number in range(7):
            await two.subscribe(f"/topic/t.{number}", inbox.put_nowait)
        for number, body in enumerate(bodies):
            one.broker.publish(f"/topic/t.{number % 7}", {}, body)
            if number % 50 == 0:
                await asyncio.sleep(0)
        assert await inbox.bodies(len(bodies)) == bodies


async def test_a_queue_keeps_its_order_from_its_declaration_on(rabbitmq: VirtualHost) -> None:
    inbox = Inbox()
    bodies = [b"%d" % number for number in range(500)]
    async with connected(rabbitmq.amqp_url) as one, connected(rabbitmq.amqp_url) as two:
        for body in bodies[:250]:
            one.broker.publish("/queue/new", {}, body)
        await one.publish("/queue/new", b"middle")
        await two.subscribe("/queue/new", inbox.put_nowait)
        for body in bodies[250:]:
            one.broker.publish("/queue/new", {}, body)
        assert await inbox.bodies(501) == [*bodies[:250], b"middle", *bodies[250:]]


async def test_overlapping_patterns_give_each_subscription_one_copy(rabbitmq: VirtualHost) -> None:
    boxes = {
        pattern: Inbox() for pattern in ("/topic/a.*", "/topic/#", "/topic/a.b", "/topic/*.b", "/topic/c")
    }
    async with connected(rabbitmq.amqp_url) as relay:
        for pattern, box in boxes.items():
            await relay.subscribe(pattern, box.put_nowait)
        await relay.publish("/topic/a.b", b"1")
        await relay.publish("/topic/a.b", b"2")
        for pattern in ("/topic/a.*", "/topic/#", "/topic/a.b", "/topic/*.b"):
            assert await boxes[pattern].bodies(2) == [b"1", b"2"]
        await relay.publish("/topic/c", b"3")
        assert await boxes["/topic/c"].bodies(1) == [b"3"]
        assert await boxes["/topic/#"].bodies(1) == [b"3"]
        assert all(box.empty() for box in boxes.values())


async def test_exchanges_are_destinations_too(rabbitmq: VirtualHost) -> None:
    everything, some = Inbox(), Inbox()
    await rabbitmq.node.ask("PUT", f"exchanges/{rabbitmq.name}/logs", {"type": "fanout"})
    async with connected(rabbitmq.amqp_url) as relay:
        await relay.subscribe("/exchange/logs", everything.put_nowait)
        await relay.subscribe("/exchange/amq.direct/k", some.put_nowait, HELD)
        await relay.publish("/exchange/logs/any.key", b"1")
        await relay.publish("/exchange/amq.direct/k", b"2")
        message = await everything.next()
        assert (message.headers["destination"], message.body) == ("/exchange/logs/any.key", b"1")
        message = await some.next()
        assert (message.headers["destination"], message.body) == ("/exchange/amq.direct/k", b"2")


# refusals -------------------------------------------------------------------------------------


async def test_a_refused_queue_hurts_nobody_else(rabbitmq: VirtualHost) -> None:
    inbox, work = Inbox(), Inbox()
    await rabbitmq.node.ask("PUT", f"queues/{rabbitmq.name}/other", {"durable": False})
    async with connected(rabbitmq.amqp_url) as relay:
        await relay.subscribe("/topic/a", inbox.put_nowait)
        await relay.subscribe("/queue/work", work.put_nowait)
        with pytest.raises(BrokerUnavailable, match="PRECONDITION_FAILED"):
            await relay.subscribe("/queue/other", inbox.put_nowait)
        with pytest.raises(BrokerUnavailable, match="NOT_FOUND"):
            await relay.subscribe("/amq/queue/missing", inbox.put_nowait)
        with pytest.raises(BrokerUnavailable, match="NOT_FOUND"):
            await relay.subscribe("/exchange/missing/k", inbox.put_nowait)
        with pytest.raises(BrokerUnavailable, match="PRECONDITION_FAILED"):
            await relay.publish("/queue/other")
        with pytest.raises(BrokerUnavailable, match="PRECONDITION_FAILED"):
            await relay.publish("/queue/other")  # remembered for a while
        with pytest.raises(BrokerUnavailable, match="NOT_FOUND"):
            await relay.publish("/exchange/missing/k")
        await relay.publish("/topic/a", b"1")
        await relay.publish("/queue/work", b"2")
        assert await inbox.bodies(1) == [b"1"]
        assert await work.bodies(1) == [b"2"]
        assert relay.changes == [(True, "")]

        async def again() -> bool:
            try:
                await relay.publish("/exchange/amq.topic2/a")
            except BrokerUnavailable as error:
                return "NOT_FOUND" in str(error)
            return False

        await eventually(again, "the channel for exchanges is open again")


async def test_commands_behind_a_refused_one_are_carried_out(rabbitmq: VirtualHost) -> None:
    await rabbitmq.node.ask("PUT", f"queues/{rabbitmq.name}/other", {"durable": False})
    outcomes: asyncio.Queue[tuple[str, BrokerUnavailable | None]] = asyncio.Queue()
    names = ["one", "two", "other", "three", "four"]
    async with connected(rabbitmq.amqp_url) as relay:
        for name in names:
            relay.broker.publish(
                f"/queue/{name}", {}, b"x", lambda e, name=name: outcomes.put_nowait((name, e))
            )
        async with asyncio.timeout(PATIENCE):
            found = dict([await outcomes.get() for _ in names])
    assert [name for name, error in found.items() if error is not None] == ["other"]


@pytest.mark.parametrize("destination", ["/topic/a/b", "/foo", "/topic/" + "x" * 300])
async def test_what_is_no_destination_is_refused_at_once(rabbitmq: VirtualHost, destination: str) -> None:
    async with connected(rabbitmq.amqp_url) as relay:
        with pytest.raises(BrokerUnavailable):
            await relay.subscribe(destination, lambda message: None)
        with pytest.raises(BrokerUnavailable):
            relay.broker.publish(destination, {}, b"")
        with pytest.raises(BrokerUnavailable):
            await relay.subscribe("/reply-queue/a", lambda message: None)


async def test_a_user_without_rights_hears_why(rabbitmq: VirtualHost) -> None:
    node, name = rabbitmq.node, quote(rabbitmq.name, safe="")
    await node.ask("PUT", "users/weak", {"password": "secret", "tags": ""})
    rights = {
        "configure": "^amq.gen.*$",
        "write": "^(amq.gen.*|amq.topic)$",
        "read": "^(amq.gen.*|amq.topic)$",
    }
    await node.ask("PUT", f"permissions/{name}/weak", rights)
    limits = {"exchange": "amq.topic", "write": "^free.*$", "read": "^free.*$"}
    await node.ask("PUT", f"topic-permissions/{name}/weak", limits)
    inbox = Inbox()
    async with connected(rabbitmq.amqp_url.replace("guest:guest", "weak:secret")) as relay:
        with pytest.raises(BrokerUnavailable, match="ACCESS_REFUSED"):
            await relay.subscribe("/topic/secret", inbox.put_nowait)
        await relay.subscribe("/topic/free", inbox.put_nowait)
        with pytest.raises(BrokerUnavailable, match="ACCESS_REFUSED"):
            await relay.publish("/topic/secret")

        async def again() -> bool:
            try:
                await relay.publish("/topic/free")
            except BrokerUnavailable:
                return False
            return True

        await eventually(again, "the channel is open again")
        assert await inbox.bodies(1) == [b"x"]
        assert relay.changes == [(True, "")]
    await node.ask("DELETE", "users/weak")


async def test_a_deleted_queue_is_made_again(rabbitmq: VirtualHost) -> None:
    inbox = Inbox()
    async with connected(rabbitmq.amqp_url) as relay:
        await relay.subscribe("/queue/work", inbox.put_nowait)
        await rabbitmq.node.ask("DELETE", f"queues/{rabbitmq.name}/work")

        async def back() -> bool:
            return bool([queue for queue in await rabbitmq.queues() if queue["name"] == "work"])

        await eventually(back, "the queue is there again")
        await relay.publish("/queue/work", b"1")
        assert await inbox.bodies(1) == [b"1"]
