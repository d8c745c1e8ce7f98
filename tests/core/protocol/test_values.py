"""The values that protocols speak in: frozen, without garbage collection where that is safe, and small."""

from __future__ import annotations

import inspect

import msgspec
import pytest

from core.protocol import events, frames, limits, sockjs_client
from core.protocol.limits import BROKER_LIMITS, CLIENT_LIMITS, Limits

#: Values that hold what may lead back to them: only the collector frees such a circle.
SEEN_BY_THE_COLLECTOR = {events.Malformed, sockjs_client.SockJsMessages, limits.Limits}

VALUES = sorted(
    {
        value
        for module in (events, frames, limits, sockjs_client)
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
    },
    key=lambda value: value.__name__,
)


@pytest.mark.parametrize("value", VALUES)
def test_values_are_frozen(value: type[msgspec.Struct]) -> None:
    assert value.__struct_config__.frozen


@pytest.mark.parametrize("value", VALUES)
def test_only_what_can_be_part_of_a_circle_is_seen_by_the_collector(value: type[msgspec.Struct]) -> None:
    assert value.__struct_config__.gc is (value in SEEN_BY_THE_COLLECTOR)


def test_limits_of_clients_are_springs() -> None:
    assert CLIENT_LIMITS == Limits() == Limits(65_536, 65_536, 16_384, 100)


def test_limits_of_broker_links_let_a_registry_snapshot_pass() -> None:
    assert Limits(16_777_216, 16_777_216, 65_536, 256) == BROKER_LIMITS


@pytest.mark.parametrize(("size", "shown"), [(96, b"x" * 96), (97, b"x" * 96 + b"...")])
def test_a_long_body_is_cut_where_a_frame_is_shown(size: int, shown: bytes) -> None:
    assert (
        repr(frames.Frame("SEND", {}, b"x" * size)) == f"Frame(command='SEND', headers={{}}, body={shown!r})"
    )
