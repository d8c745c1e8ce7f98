"""A queue loses nothing, doubles nothing and keeps its order, whatever its consumers do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.brokers.exchange import Exchange
from server.messages.message import Message

QUEUE = "/queue/a"


class Play:
    """Consumers of one queue; every message is a number."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        self.published = 0
        self.done: set[int] = set()
        self.held: dict[str, tuple[int, int]] = {}  # token: consumer, number
        self.consumers: list[int] = []

    def publish(self, _: int) -> None:
        self.exchange.publish(Message(QUEUE, {}, str(self.published).encode(), f"m-{self.published}"))
        self.published += 1

    def consume(self, prefetch: int) -> None:
        def take(message: Message, token: str) -> None:
            self.held[token] = (int(token.partition(".")[0]), int(message.body))

        self.consumers.append(self.exchange.bind_held(QUEUE, take, prefetch))

    def leave(self, which: int) -> None:
        if self.consumers:
            handle = self.consumers.pop(which % len(self.consumers))
            # what it held is given to others within the call
            self.held = {token: held for token, held in self.held.items() if held[0] != handle}
            self.exchange.unbind(handle)

    def ack(self, which: int) -> None:
        if self.held:
            token = list(self.held)[which % len(self.held)]
            handle, number = self.held.pop(token)
            assert self.exchange.settle(handle, token)
            self.done.add(number)
            assert not self.exchange.settle(handle, token)

    def ack_all_before(self, which: int) -> None:
        if self.held:
            tokens = list(self.held)
            at = which % len(tokens)
            handle, _ = self.held[tokens[at]]
            for token in tokens[: at + 1]:
                if self.held[token][0] == handle:
                    self.done.add(self.held.pop(token)[1])
            assert self.exchange.settle(handle, tokens[at], cumulative=True)

    def refuse(self, which: int) -> None:
        if self.held:
            token = list(self.held)[which % len(self.held)]
            handle, _ = self.held.pop(token)
            assert self.exchange.refuse(handle, token, requeue=True)

    def drop(self, which: int) -> None:
        if self.held:
            token = list(self.held)[which % len(self.held)]
            handle, number = self.held.pop(token)
            assert self.exchange.refuse(handle, token, requeue=False)
            self.done.add(number)


STEPS = ("publish", "consume", "leave", "ack", "ack_all_before", "refuse", "drop")


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 5)), max_size=60))
def test_every_message_is_in_one_place_and_what_is_left_is_in_order(steps: list[tuple[str, int]]) -> None:
    play = Play()
    for name, argument in steps:
        getattr(play, name)(argument)
        numbers = [number for _, number in play.held.values()]
        assert len(set(numbers)) == len(numbers)
        assert not play.done.intersection(numbers)
        status = play.exchange.status
        assert status.unsettled == len(numbers)
        assert status.waiting + len(numbers) + len(play.done) == play.published
    while play.consumers:
        play.leave(0)
    left: list[int] = []
    play.exchange.bind(QUEUE, lambda message: left.append(int(message.body)))
    assert left == [number for number in range(play.published) if number not in play.done]
