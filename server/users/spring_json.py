"""Spring's registry snapshot as JSON (docs/wire/spring-relay.md §5.3): written exactly so, read with
tolerance.

Users are written and read one by one: a snapshot of 5,000 is 700 KiB, and most of them are the same
as in the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from ..sessions.session import Session
from .registry import Subscriptions
from .told import told_subscriptions

#: Where a naming strategy or another JSON library changed the names of the fields.
_RESEMBLES: Final = re.compile(rb'"_?user[ _.-]?map"', re.IGNORECASE)


class SnapshotSubscription(msgspec.Struct, frozen=True, gc=False):
    """A subscription with the destination that the client asked for."""

    id: str
    destination: str


class SnapshotSession(msgspec.Struct, frozen=True, gc=False):
    """A session on the sending instance."""

    id: str
    subscriptions: list[SnapshotSubscription] | None = None


class SnapshotUser(msgspec.Struct, frozen=True, gc=False):
    """A user with at least one session on the sending instance; ``name`` equals its key."""

    name: str
    sessions: list[SnapshotSession]


class RegistrySnapshot(msgspec.Struct, frozen=True):
    """All users of one instance; unknown fields and null placeholders of other versions are ignored."""

    id: str
    userMap: dict[str, msgspec.Raw]


_encode = msgspec.json.Encoder().encode
_snapshots: msgspec.json.Decoder[RegistrySnapshot] = msgspec.json.Decoder(RegistrySnapshot)
_users: msgspec.json.Decoder[SnapshotUser] = msgspec.json.Decoder(SnapshotUser)


def encode_entry(name: str, sessions: Iterable[Session]) -> bytes:
    """One entry of ``userMap``: the key and the user."""
    said = [
        SnapshotSession(session.id, [SnapshotSubscription(id, at) for id, at in told_subscriptions(session)])
        for session in sessions
    ]
    return _encode(name) + b":" + _encode(SnapshotUser(name, said))


def join_snapshot(id: str, entries: Iterable[bytes]) -> bytes:
    """The whole snapshot of its entries."""
    return b'{"id":%b,"userMap":{%b}}' % (_encode(id), b",".join(entries))


def decode_snapshot(body: bytes) -> RegistrySnapshot:
    """The snapshot in ``body``, its users still as JSON; raises msgspec.MsgspecError."""
    return _snapshots.decode(body)


def decode_user(raw: msgspec.Raw) -> Mapping[str, Subscriptions]:
    """The sessions of one user; raises msgspec.MsgspecError."""
    return {
        session.id: tuple((item.id, item.destination) for item in session.subscriptions or ())
        for session in _users.decode(raw).sessions
    }


def resembles_snapshot(body: bytes) -> bool:
    """Whether a body that is no snapshot looks like one with other names of the fields."""
    return _RESEMBLES.search(body) is not None
