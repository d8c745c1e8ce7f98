"""RabbitMQ over AMQP: peers on STOMP and AMQP, refusals, loss and return, nothing left behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote

import aio_pika
import pytest

from core.errors import BrokerUnavailable, UsageError
from core.protocol import Frame
from server.brokers.amqp import AmqpBroker
from server.brokers.base import AUTO, Broker, Consume
from server.brokers.delivery import Delivery
from server.brokers.reconnecting import RelayTimes
from server.brokers.stomp import StompBroker
from server.brokers.urls import broker_for

from ...support.processes import until, unused_port
from ...support.rabbitmq import VirtualHost
from ...support.stomp_tcp import tcp_stomp

PATIENCE = 20.0
QUICK = RelayTimes(first_pause_s=0.01, longest_pause_s=0.1)
HELD = Consume(ack="client-individual")


class Watched:
    """A broker object and what it said about its availability."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.changes: list[tuple[bool, str]] = []

    def note(self, available: bool, reason: str) -> None:
        self.changes.append((available, reason))

    async def up(self) -> None:
        await until(lambda: self.broker.available, "the broker is there")

    async def subscribe(
        self, destination: str, deliver: Callable[[Delivery], None], consume: Consume = AUTO
    ) -> int:
        ready: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        handle = self.broker.subscribe(destination, deliver, ready.set_result, consume)
        async with asyncio.timeout(PATIENCE):
            error = await ready
        if error is not None:
            raise error
        return handle

    async def publish(self, destination: str, body: bytes = b"x", **headers: str) -> None:
        done: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.broker.publish(destination, named, body, done.set_result)
        async with asyncio.timeout(PATIENCE):
            error = await done
        if error is not None:
            raise error


class Inbox(asyncio.Queue[Delivery]):
    """Collects what is delivered."""

    async def next(self) -> Delivery:
        async with asyncio.timeout(PATIENCE):
            return await self.get()

    async def bodies(self, count: int) -> list[bytes]:
        return [(await self.next()).body for _ in range(count)]


@asynccontextmanager
async def watched(broker: Broker) -> AsyncGenerator[Watched]:
    found = Watched(broker)
    await broker.start(found.note)
    try:
        yield found
    finally:
        await broker.stop()


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Watched]:
    async with watched(AmqpBroker(url, times=QUICK)) as relay:
        await relay.up()
        yield relay


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        await asyncio.sleep(0.1)


# peers ----------------------------------------------------------------------------------------

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


# connections ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["amqp://", "amqp://:5672", "amqp://u:secret@h:port", "amqp://u:secret@h,", "amqps://u:secret@:1"]
)
def test_urls_that_make_no_sense_are_refused_without_the_password(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        broker_for(url)
    assert "secret" not in str(refused.value)
    assert "amqp://" in refused.value.hint


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("amqp://h", "amqp://h:5672"),
        ("amqps://u:secret@h/a%2Fb", "amqps://h:5671/a/b"),
        ("amqp://u:secret@one:1,[::1]:2,three/", "amqp://one:1"),
    ],
)
def test_urls_are_shown_without_user_and_password(url: str, public: str) -> None:
    assert broker_for(url).url == public


async def test_a_wrong_password_is_a_reason_and_no_secret(
    rabbitmq: VirtualHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = rabbitmq.amqp_url.replace("guest:guest", "guest:pa%2Fs%3Aword")
    async with watched(AmqpBroker(url, times=QUICK)) as relay:
        await until(lambda: "ACCESS_REFUSED" in relay.broker.reason, "the login was refused")
        with pytest.raises(BrokerUnavailable):
            relay.broker.publish("/topic/a", {}, b"")
    for secret in ("pa%2Fs%3Aword", "pa/s:word"):
        assert secret not in caplog.text and secret not in relay.broker.reason


async def test_an_unknown_virtual_host_is_a_reason(rabbitmq: VirtualHost) -> None:
    async with watched(AmqpBroker(f"{rabbitmq.amqp_url}-not", times=QUICK)) as relay:
        await until(lambda: "not found" in relay.broker.reason, "the broker said so")


async def test_names_with_odd_characters_are_understood(rabbitmq: VirtualHost) -> None:
    node, name, password = rabbitmq.node, "a/b ü", "p@:/%#?ü"
    await node.ask("PUT", f"vhosts/{quote(name, safe='')}")
    await node.ask("PUT", "users/odd", {"password": password, "tags": ""})
    rights = {"configure": ".*", "write": ".*", "read": ".*"}
    await node.ask("PUT", f"permissions/{quote(name, safe='')}/odd", rights)
    place = f"127.0.0.1:{node.amqp_port}"
    async with connected(f"amqp://odd:{quote(password, safe='')}@{place}/{quote(name, safe='')}"):
        pass
    await node.ask("DELETE", f"vhosts/{quote(name, safe='')}")
    await node.ask("DELETE", "users/odd")


async def test_the_next_host_of_the_list_is_tried(rabbitmq: VirtualHost) -> None:
    place = f"127.0.0.1:{rabbitmq.node.amqp_port}"
    url = rabbitmq.amqp_url.replace(place, f"127.0.0.1:{unused_port()},{place}")
    async with connected(url):
        pass


async def test_a_lost_connection_comes_back_with_all_subscriptions(rabbitmq: VirtualHost) -> None:
    inbox, work = Inbox(), Inbox()
    async with connected(rabbitmq.amqp_url) as relay:
        gone = await relay.subscribe("/topic/gone", inbox.put_nowait)
        await relay.subscribe("/topic/a.#", inbox.put_nowait)
        await relay.subscribe("/queue/work", work.put_nowait, HELD)
        relay.broker.unsubscribe(gone)
        await relay.publish("/queue/work", b"held")
        held = await work.next()
        await rabbitmq.drop_connections()
        await until(lambda: len(relay.changes) >= 3, "it was lost and came back")
        assert [available for available, _ in relay.changes[:3]] == [True, False, True]
        assert relay.changes[1][1]
        await relay.publish("/topic/a.b", b"1")
        await relay.publish("/topic/gone", b"2")
        assert await inbox.bodies(1) == [b"1"]
        again = await work.next()
        assert (again.body, again.headers["redelivered"]) == (b"held", "true")
        handle = 3
        relay.broker.ack(handle, held.ack)  # stale: of the connection before
        relay.broker.ack(handle, again.ack)
        await relay.publish("/queue/work", b"next")
        assert await work.bodies(1) == [b"next"]
        assert inbox.empty()


async def test_what_was_not_confirmed_is_settled_when_the_broker_crashes(rabbitmq: VirtualHost) -> None:
    node, inbox = rabbitmq.node, Inbox()
    outcomes: list[BrokerUnavailable | None] = []
    async with connected(rabbitmq.amqp_url) as relay:
        await relay.subscribe("/topic/a", inbox.put_nowait)
        await node.stop(hard=True)
        for _ in range(3):
            if relay.broker.available:
                relay.broker.publish("/topic/a", {}, b"x", outcomes.append)
            else:
                outcomes.append(BrokerUnavailable("refused"))
        await until(lambda: not relay.broker.available and len(outcomes) == 3, "all are settled")
        assert all(outcomes)
        with pytest.raises(BrokerUnavailable) as refused:
            relay.broker.publish("/topic/a", {}, b"x")
        assert relay.broker.url in str(refused.value)
        ready: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        relay.broker.subscribe("/topic/meanwhile", inbox.put_nowait, ready.set_result)
        await node.start()
        async with asyncio.timeout(PATIENCE):
            assert await ready is None
        await relay.up()
        await relay.publish("/topic/a", b"1")
        await relay.publish("/topic/meanwhile", b"2")
        assert await inbox.bodies(2) == [b"1", b"2"]


async def test_stopping_leaves_nothing(rabbitmq: VirtualHost) -> None:
    before = asyncio.all_tasks()
    async with connected(rabbitmq.amqp_url) as relay:
        for number in range(20):
            await relay.subscribe(f"/topic/{number}", lambda message: None)
            await relay.subscribe("/exchange/amq.direct/k", lambda message: None)

        async def one_connection() -> bool:
            return len(await rabbitmq.connections()) == 1

        await eventually(one_connection, "the node tells of one connection")
    assert asyncio.all_tasks() == before

    async def nothing() -> bool:
        return not await rabbitmq.connections() and not await rabbitmq.queues()

    await eventually(nothing, "no connection and no queue is left")


async def test_unsubscribing_leaves_nothing_either(rabbitmq: VirtualHost) -> None:
    async with connected(rabbitmq.amqp_url) as relay:
        begun = len(asyncio.all_tasks())
        handles = [await relay.subscribe(f"/topic/{number}", lambda message: None) for number in range(20)]
        handles += [await relay.subscribe("/exchange/amq.direct/k", lambda message: None) for _ in range(5)]
        for handle in handles:
            relay.broker.unsubscribe(handle)

        async def nothing() -> bool:
            bindings = [each for each in await rabbitmq.bindings() if each["source"]]
            return not bindings and len(await rabbitmq.queues()) == 1

        await eventually(nothing, "no binding is left, and only the instance's queue")
        await until(lambda: len(asyncio.all_tasks()) == begun, "no task is left")


async def test_a_stop_settles_what_waits(rabbitmq: VirtualHost) -> None:
    broker = AmqpBroker(f"amqp://127.0.0.1:{unused_port()}", times=QUICK)
    await broker.start(lambda available, reason: None)
    outcomes: list[object] = []
    broker.subscribe("/topic/a", lambda message: None, outcomes.append)
    broker.subscribe("/queue/a", lambda message: None, outcomes.append)
    await until(lambda: "not connected yet" not in broker.reason, "it was tried")
    await broker.stop()
    assert len(outcomes) == 2 and all(isinstance(each, BrokerUnavailable) for each in outcomes)


async def test_more_consumers_than_channels_share_them(rabbitmq: VirtualHost) -> None:
    boxes = [Inbox() for _ in range(5)]
    async with watched(AmqpBroker(rabbitmq.amqp_url, times=QUICK, most_lanes=2)) as relay:
        await relay.up()
        handles = [
            await relay.subscribe(f"/queue/q{number}", box.put_nowait, HELD)
            for number, box in enumerate(boxes)
        ]
        for number, box in enumerate(boxes):
            await relay.publish(f"/queue/q{number}", b"%d" % number)
            assert (await box.next()).body == b"%d" % number
        relay.broker.unsubscribe(handles[0])  # gives back what it holds
        await relay.subscribe("/queue/q0", boxes[0].put_nowait)
        again = await boxes[0].next()
        assert (again.body, again.headers["redelivered"]) == (b"0", "true")
        await rabbitmq.node.ask("PUT", f"queues/{rabbitmq.name}/other", {"durable": False})
        with pytest.raises(BrokerUnavailable):
            await relay.subscribe("/queue/other", boxes[0].put_nowait)
        await relay.publish("/queue/q4", b"still")
        assert await boxes[4].bodies(1) == [b"still"]
