"""What our own instances tell each other about users: JSON values with a ``type`` field.

Spring's registry broadcast repeats everything every ten seconds; this one sends what changed,
numbered, and is acknowledged, so that a push accepted anywhere after a user's receipt finds it.
"""

from __future__ import annotations

import msgspec

from .registry import Subscriptions


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """To all: I am here (again); tell me your users, and take mine as ``seq``."""

    id: str
    epoch: str
    seq: int


class State(msgspec.Struct, frozen=True, tag_field="type", tag="state"):
    """To one: all my sessions at version ``seq``, in parts that follow each other.

    Attributes:
        id: Who says it.
        epoch: Which run of it.
        seq: The version; the same in all parts.
        sessions: Session id, user ("" if anonymous), subscription ids with their destinations.
        part: Number of this part, from 0.
        last: Whether it is the last part.
        leaving: Whether I have said, up to this version, that I am about to stop.
    """

    id: str
    epoch: str
    seq: int
    sessions: list[tuple[str, str, Subscriptions]]
    part: int = 0
    last: bool = True
    leaving: bool = False


class Delta(msgspec.Struct, frozen=True, tag_field="type", tag="delta", omit_defaults=True):
    """To all: what makes version ``seq`` of my sessions out of the one before.

    Attributes:
        id: Who says it.
        epoch: Which run of it.
        seq: The version.
        join: Session ids with their users ("" if anonymous).
        leave: Session ids.
        subs: All subscriptions of the sessions where they have changed.
        leaving: Whether I am about to stop: hold what is for my users until they are elsewhere.
    """

    id: str
    epoch: str
    seq: int
    join: list[tuple[str, str]] = []
    leave: list[str] = []
    subs: dict[str, Subscriptions] = {}
    leaving: bool = False


class Ack(msgspec.Struct, frozen=True, tag_field="type", tag="ack"):
    """To one: I have applied your versions up to ``seq``."""

    id: str
    epoch: str
    seq: int


class Alive(msgspec.Struct, frozen=True, tag_field="type", tag="alive"):
    """To all, regularly: I am alive, and my users are at version ``seq``."""

    id: str
    epoch: str
    seq: int


class Want(msgspec.Struct, frozen=True, tag_field="type", tag="want"):
    """To one: send me your State, I have missed something."""

    id: str
    epoch: str


class Bye(msgspec.Struct, frozen=True, tag_field="type", tag="bye"):
    """To all: I am leaving."""

    id: str
    epoch: str


PeerMessage = Hello | State | Delta | Ack | Alive | Want | Bye

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[PeerMessage] = msgspec.json.Decoder(PeerMessage)


def encode_peer_message(message: PeerMessage) -> bytes:
    """One message as JSON."""
    return _encoder.encode(message)


def decode_peer_message(data: bytes) -> PeerMessage:
    """The message in ``data``; raises msgspec.DecodeError or msgspec.ValidationError."""
    return _decoder.decode(data)
