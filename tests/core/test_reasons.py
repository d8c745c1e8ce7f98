"""Every exception has words for people, also one whose text is empty."""

from __future__ import annotations

import asyncio
import errno

import aiohttp
import pytest

from core.reasons import reason_of

_EMPTY: tuple[tuple[BaseException, str], ...] = (
    (TimeoutError(), "no answer in time"),
    (ConnectionRefusedError(), "connection refused"),
    (ConnectionResetError(), "the connection was reset"),
    (ConnectionAbortedError(), "the connection was aborted"),
    (BrokenPipeError(), "the other end has closed the connection"),
    (asyncio.CancelledError(), "it was cancelled"),
    (EOFError(), "the connection ended"),
    (MemoryError(), "out of memory"),
    (OSError(), "OSError"),
    (ValueError(), "ValueError"),
    (ValueError("  \n"), "ValueError"),
    (aiohttp.ClientError(), "ClientError"),
    (aiohttp.ServerTimeoutError(), "no answer in time"),
    (aiohttp.ClientOSError(), "ClientOSError"),
    (aiohttp.ClientConnectionError(), "ClientConnectionError"),
)


@pytest.mark.parametrize(("error", "words"), _EMPTY, ids=lambda each: type(each).__name__)
def test_an_exception_without_a_text(error: BaseException, words: str) -> None:
    assert not str(error).strip()
    assert reason_of(error) == words


def test_a_deadline_of_ours_names_its_seconds_and_one_of_the_system_does_not() -> None:
    assert reason_of(TimeoutError(), within=2.5) == "no answer within 2.5 s"
    assert (
        reason_of(TimeoutError(errno.ETIMEDOUT, "Connection timed out"), within=2.5) == "Connection timed out"
    )


def test_what_led_to_it_speaks_for_an_exception_without_a_text() -> None:
    error = aiohttp.ClientError()
    error.__cause__ = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
    assert reason_of(error) == "Connection reset by peer"


def test_a_group_says_what_its_parts_say_once() -> None:
    group = ExceptionGroup("many", [TimeoutError(), TimeoutError(), OSError("no route")])
    assert reason_of(group) == "no answer in time; no route"


def test_asyncios_own_words_for_a_refusal_are_replaced() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")
    assert reason_of(refused) == "connection refused"
    assert reason_of(OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 1)")) == "no route to host"
