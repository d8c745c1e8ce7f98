"""Bookkeeping of the exchange that the contract suite cannot see."""

from __future__ import annotations

from server.brokers.exchange import Exchange, ExchangeLimits
from server.brokers.message import Message


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


def test_overlapping_bindings_each_get_a_copy() -> None:
    exchange = Exchange()
    seen: list[str] = []
    for name in ("/topic/a.b", "/topic/a.*", "/topic/#"):
        exchange.bind(name, lambda item, name=name: seen.append(name))
    assert exchange.publish(message("/topic/a.b")) == 3
    assert seen == ["/topic/a.b", "/topic/a.*", "/topic/#"]
