"""Bookkeeping of the exchange that the contract suite cannot see."""

from __future__ import annotations

from server.brokers.exchange import Exchange, ExchangeLimits
from server.brokers.queues import HoldingConsumer, Queue, QueueLimits, Tally
from server.messages.message import Message, RawMessage


def message(destination: str, body: bytes = b"x") -> Message:
    return Message(destination, {}, body, "m-1")


def test_nothing_is_left_when_everybody_has_gone() -> None:
    exchange = Exchange()
    seen: list[Message] = []
    handles = [
        exchange.bind(name, seen.append) for name in ("/topic/a", "/topic/a.*", "/queue/a", "/queue/a")
    ]
    for handle in handles:
        exchange.unbind(handle)
        exchange.unbind(handle)
    assert (exchange.bindings, exchange.queues) == (0, 0)
    assert exchange.publish(message("/topic/a")) == 0


def test_a_queue_for_nobody_keeps_its_newest_messages() -> None:
    exchange = Exchange(ExchangeLimits(queue_messages=3, queue_bytes=100))
    for number in range(5):
        exchange.publish(message("/queue/a", str(number).encode()))
    seen: list[bytes] = []
    exchange.bind("/queue/a", lambda item: seen.append(item.body))
    assert seen == [b"2", b"3", b"4"]
    assert exchange.dropped == 2


def test_a_queue_for_nobody_is_bounded_in_bytes() -> None:
    exchange = Exchange(ExchangeLimits(queue_messages=100, queue_bytes=10))
    for _ in range(5):
        exchange.publish(message("/queue/a", b"xxxx"))
    seen: list[bytes] = []
    exchange.bind("/queue/a", lambda item: seen.append(item.body))
    assert len(seen) == 2


def test_of_many_queues_for_nobody_those_used_last_stay() -> None:
    exchange = Exchange(ExchangeLimits(queues=2))
    for name in ("/queue/a", "/queue/b", "/queue/a", "/queue/c"):
        exchange.publish(message(name))
    assert exchange.queues == 2
    seen: list[str] = []
    for name in ("/queue/a", "/queue/b", "/queue/c"):
        exchange.bind(name, lambda item: seen.append(item.destination))
    assert seen == ["/queue/a", "/queue/a", "/queue/c"]
    assert exchange.dropped == 1


def test_a_queue_that_has_a_consumer_again_is_no_orphan() -> None:
    exchange = Exchange(ExchangeLimits(queues=1))
    seen: list[str] = []
    exchange.publish(message("/queue/a"))
    exchange.bind("/queue/a", lambda item: seen.append(item.destination))
    exchange.publish(message("/queue/b"))
    exchange.publish(message("/queue/c"))
    exchange.publish(message("/queue/a"))
    assert seen == ["/queue/a", "/queue/a"]


def test_user_queues_that_nobody_consumes_vanish_and_others_stay() -> None:
    exchange = Exchange()
    for name in ("/queue/a-user123", "/queue/a", "/queue/b-user456"):
        exchange.publish(message(name))
    exchange.sweep(1)
    exchange.bind("/queue/b-user456", lambda item: None)
    exchange.publish(message("/queue/a-user123"))  # being published to is not being used
    exchange.sweep(1)
    assert exchange.queues == 2
    assert not exchange.has_queue("/queue/a-user123")
    assert (exchange.expired, exchange.dropped) == (1, 2)
    exchange.sweep(1)
    assert exchange.depth("/queue/a") == 1


def test_a_queue_whose_consumers_are_busy_keeps_its_newest_messages() -> None:
    exchange = Exchange(ExchangeLimits(queue_messages=2))
    seen: list[tuple[str, bytes]] = []
    handle = exchange.bind_held("/queue/a", lambda item, token: seen.append((token, item.body)), prefetch=1)
    for number in range(5):
        exchange.publish(message("/queue/a", str(number).encode()))
    assert exchange.settle(handle, seen[0][0])
    assert exchange.settle(handle, seen[1][0])
    assert [body for _, body in seen] == [b"0", b"3", b"4"]
    assert exchange.dropped == 2
    assert (exchange.status.waiting, exchange.status.unsettled) == (0, 1)


def test_what_comes_back_takes_its_old_place() -> None:
    exchange = Exchange()
    one: list[tuple[str, bytes]] = []
    handle = exchange.bind_held("/queue/a", lambda item, token: one.append((token, item.body)))
    for number in range(6):
        exchange.publish(message("/queue/a", str(number).encode()))
    exchange.settle(handle, one[2][0])
    busy = exchange.bind_held("/queue/a", lambda item, token: None, prefetch=1)
    exchange.publish(message("/queue/a", b"6"))  # goes to the first one, in turn, or to the other
    exchange.unbind(busy)
    exchange.unbind(handle)
    seen: list[Message] = []
    exchange.bind("/queue/a", seen.append)
    assert [item.body for item in seen] == [b"0", b"1", b"3", b"4", b"5", b"6"]
    assert all(item.headers["redelivered"] == "true" for item in seen)


def test_bytes_of_unsettled_messages_are_bounded_but_one_may_always_be_held() -> None:
    queue = Queue(QueueLimits(held_bytes=20), Tally())
    seen: list[str] = []
    queue.add(HoldingConsumer(1, lambda item, token: seen.append(token), 0, QueueLimits(held_bytes=20)))
    for _ in range(4):
        queue.put(message("/queue/a", b"x" * 15))
    assert len(seen) == 2  # the second one was let in at 15 bytes


def test_a_message_passed_on_raw_can_be_held_and_come_again() -> None:
    exchange = Exchange()
    seen: list[tuple[Message, str]] = []
    handle = exchange.bind_held("/topic/a.*", lambda item, token: seen.append((item, token)))
    exchange.publish(RawMessage("/topic/a.b", b"\nx:1\ncontent-length:2\n\nhi\0", 7))
    exchange.refuse(handle, seen[0][1], requeue=True)
    first, again = (item.held_tail(token.encode(), ack=True) for item, token in seen)
    assert first == b"destination:/topic/a.b\nmessage-id:1.1\nack:1.1\nx:1\ncontent-length:2\n\nhi\0"
    assert again == (
        b"destination:/topic/a.b\nmessage-id:1.2\nack:1.2\nredelivered:true\nx:1\ncontent-length:2\n\nhi\0"
    )
    assert not exchange.settle(handle, seen[0][1])
    assert exchange.refuse(handle, seen[1][1], requeue=False)
    exchange.unbind(handle)
    assert (exchange.bindings, exchange.queues) == (0, 0)


def test_the_direct_exchange_knows_no_wildcards() -> None:
    exchange = Exchange()
    seen: list[str] = []
    exchange.bind("/exchange/amq.direct/a.*", lambda item: seen.append(item.destination))
    assert exchange.publish(message("/exchange/amq.direct/a.b")) == 0
    assert exchange.publish(message("/exchange/amq.direct/a.*")) == 1
    assert exchange.queues == 0


def test_overlapping_bindings_each_get_a_copy() -> None:
    exchange = Exchange()
    seen: list[str] = []
    for name in ("/topic/a.b", "/topic/a.*", "/topic/#"):
        exchange.bind(name, lambda item, name=name: seen.append(name))
    assert exchange.publish(message("/topic/a.b")) == 3
    assert seen == ["/topic/a.b", "/topic/a.*", "/topic/#"]
