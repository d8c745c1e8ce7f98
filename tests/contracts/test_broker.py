"""One contract for all brokers: what ``server.brokers.base.Broker`` promises.

A further broker is one line in ``KINDS``. Where a broker cannot keep a promise that is not ours to
keep, its line names it with the reason, and the tests of that promise are expected to fail there.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from core.errors import BrokerUnavailable
from server.brokers.base import AUTO, Broker, Consume
from server.brokers.delivery import Delivery
from server.brokers.embedded import EmbeddedBroker
from server.brokers.memory import MemoryBroker, MemoryExchange
from server.brokers.urls import broker_for
from tests.support.activemq import ActiveMq
from tests.support.rabbitmq import VirtualHost

PATIENCE = 20.0
_numbers = itertools.count(1)

HELD = Consume(ack="client-individual")


class Ends:
    """Two ends of one broker, as two instances have them."""

    def __init__(self, one: Broker, two: Broker) -> None:
        self.one = one
        self.two = two
        self.lacks: Mapping[str, str] = {}
        #: A queue's destination by its name; tests that share a broker get queues of their own.
        self.queue: Callable[[str], str] = "/queue/{}".format

    def need(self, promise: str) -> None:
        """End a test of a promise that this broker cannot keep, as an expected failure."""
        if promise in self.lacks:
            pytest.xfail(self.lacks[promise])


class Inbox:
    """Collects what is delivered."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()

    def __call__(self, frame: Delivery) -> None:
        self._queue.put_nowait(frame)

    async def next(self) -> Delivery:
        async with asyncio.timeout(PATIENCE):
            return await self._queue.get()

    async def bodies(self, count: int) -> list[bytes]:
        return [(await self.next()).body for _ in range(count)]

    @property
    def empty(self) -> bool:
        return self._queue.empty()


async def subscribed(
    broker: Broker, destination: str, deliver: Callable[[Delivery], None], consume: Consume = AUTO
) -> int:
    """Subscribe and wait until it is in place."""
    ready: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
    handle = broker.subscribe(destination, deliver, ready.set_result, consume)
    async with asyncio.timeout(PATIENCE):
        error = await ready
    if error is not None:
        raise error
    return handle


async def published(
    broker: Broker, destination: str, body: bytes, headers: dict[str, str] | None = None
) -> None:
    """Publish and wait until the broker has it."""
    done: asyncio.Future[BrokerUnavailable | None] = asyncio.get_running_loop().create_future()
    broker.publish(destination, headers or {}, body, done.set_result)
    async with asyncio.timeout(PATIENCE):
        assert await done is None


@dataclass(frozen=True, slots=True)
class Kind:
    """How to come to two ends of a broker.

    Attributes:
        make: Makes both; gets what else the test run offers.
        lacks: Promises that it cannot keep, each with its reason.
    """

    make: Callable[[pytest.FixtureRequest, AsyncExitStack], Awaitable[tuple[Broker, Broker]]]
    lacks: Mapping[str, str] = field(default_factory=dict[str, str])


async def _memory(request: pytest.FixtureRequest, stack: AsyncExitStack) -> tuple[Broker, Broker]:
    shared = MemoryExchange()
    return MemoryBroker(shared), MemoryBroker(shared)


async def _embedded(request: pytest.FixtureRequest, stack: AsyncExitStack) -> tuple[Broker, Broker]:
    broker = await stack.enter_async_context(EmbeddedBroker())
    return broker_for(broker.url), broker_for(broker.url)


async def _rabbitmq_stomp(request: pytest.FixtureRequest, stack: AsyncExitStack) -> tuple[Broker, Broker]:
    host: VirtualHost = request.getfixturevalue("rabbitmq")
    return broker_for(host.stomp_url), broker_for(host.stomp_url)


async def _rabbitmq_amqp(request: pytest.FixtureRequest, stack: AsyncExitStack) -> tuple[Broker, Broker]:
    host: VirtualHost = request.getfixturevalue("rabbitmq")
    return broker_for(host.amqp_url), broker_for(host.amqp_url)


async def _activemq(request: pytest.FixtureRequest, stack: AsyncExitStack) -> tuple[Broker, Broker]:
    broker: ActiveMq = request.getfixturevalue("activemq")
    return broker_for(broker.url), broker_for(broker.url)


#: Every broker that we speak to.
KINDS = {
    "memory": Kind(_memory),
    "embedded": Kind(_embedded),
    "rabbitmq-stomp": Kind(
        _rabbitmq_stomp,
        {"order": "RabbitMQ keeps the order of each queue; every subscription has one"},
    ),
    "rabbitmq-amqp": Kind(
        _rabbitmq_amqp, {"order": "RabbitMQ keeps the order of each queue, and topics share one; not across"}
    ),
    "activemq-stomp": Kind(
        _activemq,
        {
            "order": "ActiveMQ dispatches each destination for itself",
            "hash": "ActiveMQ's wildcard for any number of words is >, and stands only at the end",
            "requeue": "ActiveMQ has a dead letter queue for what is refused",
        },
    ),
}


async def started(stack: AsyncExitStack, broker: Broker) -> Broker:
    """A broker object that is connected, until the stack ends."""
    up = asyncio.Event()
    await broker.start(lambda available, reason: up.set() if available else None)
    stack.push_async_callback(broker.stop)
    async with asyncio.timeout(PATIENCE):
        await up.wait()
    return broker


@pytest.fixture(params=KINDS)
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    kind = KINDS[request.param]
    async with AsyncExitStack() as stack:
        one, two = await kind.make(request, stack)
        ends = Ends(await started(stack, one), await started(stack, two))
        ends.lacks = kind.lacks
        test = next(_numbers)
        ends.queue = lambda name: f"/queue/{name}-{test}"
        yield ends


async def test_a_message_arrives_at_the_other_end_with_headers_and_body(ends: Ends) -> None:
    inbox = Inbox()
    await subscribed(ends.two, "/topic/greetings", inbox)
    body = bytes(range(256))
    ends.one.publish("/topic/greetings", {"content-type": "application/json", "a:b": "c\\d\ne"}, body)
    frame = await inbox.next()
    assert frame.headers["destination"] == "/topic/greetings"
    assert frame.headers["content-type"] == "application/json"
    assert frame.headers["a:b"] == "c\\d\ne"
    assert frame.headers["message-id"]
    assert frame.body == body


async def test_connection_headers_of_a_sender_do_not_travel(ends: Ends) -> None:
    inbox = Inbox()
    await subscribed(ends.two, "/topic/a", inbox)
    ends.one.publish(
        "/topic/a", {"receipt": "x", "transaction": "t", "message-id": "forged", "keep": "1"}, b""
    )
    frame = await inbox.next()
    assert frame.headers["keep"] == "1"
    assert "receipt" not in frame.headers and "transaction" not in frame.headers
    assert frame.headers["message-id"] != "forged"


async def test_a_publisher_that_subscribes_hears_itself(ends: Ends) -> None:
    inbox = Inbox()
    await subscribed(ends.one, "/topic/a", inbox)
    ends.one.publish("/topic/a", {}, b"me")
    assert (await inbox.next()).body == b"me"


async def test_every_topic_subscription_gets_a_copy(ends: Ends) -> None:
    inboxes = [Inbox() for _ in range(3)]
    await subscribed(ends.one, "/topic/a", inboxes[0])
    await subscribed(ends.two, "/topic/a", inboxes[1])
    await subscribed(ends.two, "/topic/a", inboxes[2])
    ends.one.publish("/topic/a", {}, b"x")
    for inbox in inboxes:
        assert (await inbox.next()).body == b"x"


async def test_order_holds_across_destinations(ends: Ends) -> None:
    ends.need("order")
    inbox = Inbox()
    await subscribed(ends.two, "/topic/a", inbox)
    await subscribed(ends.two, "/topic/b", inbox)
    await subscribed(ends.two, ends.queue("c"), inbox)
    bodies = [str(number).encode() for number in range(300)]
    for number, body in enumerate(bodies):
        ends.one.publish(("/topic/a", "/topic/b", ends.queue("c"))[number % 3], {}, body)
        if number % 50 == 0:
            await asyncio.sleep(0)  # several turns of the loop
    assert await inbox.bodies(len(bodies)) == bodies


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("/topic/a.*", "/topic/a.b", True),
        ("/topic/a.*", "/topic/a.b.c", False),
        ("/topic/a.#", "/topic/a.b.c", True),
        ("/topic/a.#", "/topic/a", True),
        ("/topic/*.b", "/topic/a.b", True),
        ("/topic/gr*", "/topic/greetings", False),
    ],
)
async def test_wildcards_stand_for_words(ends: Ends, pattern: str, name: str, matches: bool) -> None:
    if "#" in pattern:
        ends.need("hash")
    inbox, everything = Inbox(), Inbox()
    await subscribed(ends.two, pattern, inbox)
    await subscribed(ends.two, name, everything)
    await published(ends.one, name, b"x")
    assert (await everything.next()).body == b"x"
    if matches:
        assert (await inbox.next()).headers["destination"] == name
    assert inbox.empty


async def test_consumers_of_a_queue_take_turns(ends: Ends) -> None:
    one, two = Inbox(), Inbox()
    await subscribed(ends.one, ends.queue("work"), one)
    await subscribed(ends.two, ends.queue("work"), two)
    for number in range(6):
        ends.one.publish(ends.queue("work"), {}, str(number).encode())
    assert {*await one.bodies(3), *await two.bodies(3)} == {b"0", b"1", b"2", b"3", b"4", b"5"}


async def test_a_queue_keeps_messages_until_somebody_consumes(ends: Ends) -> None:
    await published(ends.one, ends.queue("later"), b"1")
    await published(ends.one, ends.queue("later"), b"2")
    inbox = Inbox()
    await subscribed(ends.two, ends.queue("later"), inbox)
    assert await inbox.bodies(2) == [b"1", b"2"]


async def test_nothing_is_delivered_after_unsubscribe(ends: Ends) -> None:
    gone, stays = Inbox(), Inbox()
    handle = await subscribed(ends.two, "/topic/a", gone)
    await subscribed(ends.two, "/topic/a", stays)
    ends.two.unsubscribe(handle)
    ends.two.unsubscribe(handle)  # unknown by now, ignored
    ends.one.publish("/topic/a", {}, b"x")
    assert (await stays.next()).body == b"x"
    assert gone.empty


async def test_callbacks_never_come_from_inside_the_call(ends: Ends) -> None:
    inside = True
    seen: list[bool] = []
    subscribed, arrived = asyncio.Event(), asyncio.Event()

    def deliver(frame: Delivery) -> None:
        seen.append(inside)
        arrived.set()

    def ready(error: BrokerUnavailable | None) -> None:
        seen.append(inside)
        subscribed.set()

    ends.one.subscribe("/topic/a", deliver, ready)
    inside = False
    async with asyncio.timeout(PATIENCE):
        await subscribed.wait()  # a message published before may be missed
    inside = True
    ends.one.publish("/topic/a", {}, b"x", lambda error: seen.append(inside))
    inside = False
    async with asyncio.timeout(PATIENCE):
        await arrived.wait()
    await published(ends.one, "/topic/b", b"")
    assert seen == [False, False, False]


async def test_publishing_to_a_stopped_broker_is_refused(ends: Ends) -> None:
    await ends.one.stop()
    assert not ends.one.available
    with pytest.raises(BrokerUnavailable):
        ends.one.publish("/topic/a", {}, b"x")


async def test_two_subscriptions_with_one_receiver_are_told_apart(ends: Ends) -> None:
    inbox = Inbox()
    first = await subscribed(ends.two, "/topic/a", inbox)
    await subscribed(ends.two, "/topic/a", inbox)
    ends.two.unsubscribe(first)
    await published(ends.one, "/topic/a", b"once")
    await published(ends.one, "/topic/a", b"twice")
    assert await inbox.bodies(2) == [b"once", b"twice"]


async def test_what_settles_itself_has_no_token(ends: Ends) -> None:
    inbox = Inbox()
    await subscribed(ends.two, ends.queue("auto"), inbox)
    ends.one.publish(ends.queue("auto"), {"ack": "forged"}, b"x")
    assert (await inbox.next()).ack == ""


async def test_a_settled_message_is_gone(ends: Ends) -> None:
    first, second = Inbox(), Inbox()
    handle = await subscribed(ends.two, ends.queue("held"), first, HELD)
    for body in (b"1", b"2", b"3"):
        ends.one.publish(ends.queue("held"), {}, body)
    one, two, three = [await first.next() for _ in range(3)]
    assert one.ack and "redelivered" not in one.outgoing().tail.decode()
    ends.two.ack(handle, two.ack)
    ends.two.nack(handle, one.ack, requeue=False)
    ends.two.unsubscribe(handle)
    await subscribed(ends.one, ends.queue("held"), second, HELD)
    again = await second.next()
    assert again.body == three.body
    assert again.headers["redelivered"] == "true"
    assert second.empty


async def test_what_a_consumer_held_when_it_ended_goes_to_another_before_the_rest(ends: Ends) -> None:
    gone, stays = Inbox(), Inbox()
    await subscribed(ends.one, ends.queue("held"), gone, Consume("client-individual", prefetch=2))
    for number in range(4):
        await published(ends.two, ends.queue("held"), str(number).encode())
    assert await gone.bodies(2) == [b"0", b"1"]
    await ends.one.stop()
    handle = await subscribed(ends.two, ends.queue("held"), stays, Consume("client-individual", prefetch=1))
    bodies: list[bytes] = []
    for _ in range(4):
        delivery = await stays.next()
        bodies.append(delivery.body)
        ends.two.ack(handle, delivery.ack)
    assert bodies == [b"0", b"1", b"2", b"3"]


async def test_prefetch_bounds_what_is_held(ends: Ends) -> None:
    inbox, fence = Inbox(), Inbox()
    handle = await subscribed(ends.two, ends.queue("held"), inbox, Consume("client-individual", prefetch=2))
    await subscribed(ends.two, ends.queue("fence"), fence)
    for number in range(5):
        ends.one.publish(ends.queue("held"), {}, str(number).encode())
    ends.one.publish(ends.queue("fence"), {}, b"")
    await fence.next()
    held = [await inbox.next() for _ in range(2)]
    assert inbox.empty
    for delivery in held:
        ends.two.ack(handle, delivery.ack)
    assert await inbox.bodies(2) == [b"2", b"3"]


async def test_a_refused_message_comes_again(ends: Ends) -> None:
    ends.need("requeue")
    inbox = Inbox()
    handle = await subscribed(ends.two, ends.queue("held"), inbox, Consume("client-individual", prefetch=1))
    ends.one.publish(ends.queue("held"), {"content-type": "text/plain"}, b"1")
    ends.one.publish(ends.queue("held"), {}, b"2")
    first = await inbox.next()
    ends.two.nack(handle, first.ack)
    again = await inbox.next()
    assert (again.body, again.headers["redelivered"]) == (b"1", "true")
    assert again.headers["content-type"] == "text/plain"
    assert again.ack != first.ack
    ends.two.ack(handle, again.ack)
    assert (await inbox.next()).body == b"2"


async def test_tokens_that_nobody_knows_are_ignored(ends: Ends) -> None:
    inbox = Inbox()
    handle = await subscribed(ends.two, ends.queue("held"), inbox, HELD)
    ends.one.publish(ends.queue("held"), {}, b"1")
    delivery = await inbox.next()
    ends.two.ack(handle, "nonsense")
    ends.two.nack(handle + 1, delivery.ack)
    ends.two.ack(handle, delivery.ack)
    ends.two.ack(handle, delivery.ack)  # by now
    await published(ends.one, ends.queue("held"), b"2")
    assert (await inbox.next()).body == b"2"
    assert inbox.empty


async def test_a_consumer_of_a_topic_may_settle_too(ends: Ends) -> None:
    ends.need("requeue")
    inbox = Inbox()
    handle = await subscribed(ends.two, "/topic/held", inbox, HELD)
    ends.one.publish("/topic/held", {}, b"1")
    delivery = await inbox.next()
    ends.two.nack(handle, delivery.ack)
    again = await inbox.next()
    assert (again.body, again.headers["redelivered"]) == (b"1", "true")
    ends.two.ack(handle, again.ack)
