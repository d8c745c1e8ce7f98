"""A fault of the peer leaves nothing behind, at any of the protocols: whoever attacks sends many."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.errors import RemoteProtocolError
from core.protocol import BROKER_LIMITS, ClientSession, Malformed, ServerSession, StompParser

BAD = {
    "no colon": b"SEND\nfoo bar\n\n\0",
    "no command": b"foo bar\n\n\0",
    "in pieces": b"SEND\ndestination",
    "not UTF-8": b"SEND\na:\xff\n\n\0",
    "undefined escape": b"SEND\na:\\t\n\n\0",
    "bare CR": b"\rx",
    "NUL in a head": b"SEND\na:b\0",
    "too long a line": b"SEND\na:" + b"x" * 70_000,
    "too many headers": b"SEND\n" + b"a:b\n" * 300,
    "too big": b"SEND\ncontent-length:99999999\n\nx",
    "body where none may be": b"SUBSCRIBE\nid:1\n\nbody\0",
}


def parser(data: bytes) -> list[Any]:
    fed = StompParser()
    return [*fed.feed(data[:9]), *fed.feed(data[9:]), *fed.feed(b" \n\n\0")]


def server_side(data: bytes) -> list[Any]:
    return ServerSession(session_id="1", server_name="x").receive(data + b" \n\n\0", 0.0)


def forgiving_server_side(data: bytes) -> list[Any]:
    session = ServerSession(session_id="1", server_name="x", limits=BROKER_LIMITS, forgiving=True)
    return session.receive(data + b" \n\n\0", 0.0)


def client_side(data: bytes) -> list[Any]:
    return ClientSession().receive(data + b" \n\n\0", 0.0)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only counting references frees something, as in a server that has no time to collect."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("feed", [parser, server_side, forgiving_server_side, client_side])
@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_the_error_is_freed_with_its_event(feed: Callable[[bytes], list[Any]], data: bytes) -> None:
    faults = [weakref.ref(event.error) for event in feed(data) if isinstance(event, Malformed)]
    assert len(faults) == 1
    assert faults[0]() is None


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "data",
    [
        b"SEND\n\nx\0",  # no CONNECT
        b"CONNECT\naccept-version:9.9\n\n\0",
        b"CONNECT\naccept-version:1.2\nheart-beat:x\n\n\0",
        b"CONNECT\naccept-version:1.2\n\n\0SEND\n\n\0",
        b"CONNECT\naccept-version:1.2\n\n\0CONNECT\naccept-version:1.2\n\n\0",
        b"MESSAGE\n\n\0",
    ],
)
def test_so_is_that_of_a_rule_of_the_session(data: bytes) -> None:
    faults = [weakref.ref(event.error) for event in server_side(data) if isinstance(event, Malformed)]
    assert faults
    assert [fault() for fault in faults] == [None] * len(faults)


def test_the_collector_frees_one_that_was_raised() -> None:
    """A client keeps the error and raises it to whoever waits: its traceback leads back to the event."""

    def keep() -> weakref.ref[RemoteProtocolError]:
        event = parser(b"foo bar\n\n\0")[-1]
        assert isinstance(event, Malformed)
        try:
            raise event.error
        except RemoteProtocolError as error:
            return weakref.ref(error)

    kept = keep()
    gc.collect()
    assert kept() is None
