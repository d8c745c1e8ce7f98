"""What travels on ``/watch``, as JSON with a ``type`` field: text messages, one value each.

The client may register itself; its lease is then bound to the connection (when it ends, however
it ends, the instance is dropped at once) *and* to renewals (a paused process keeps its
connection but goes silent). The server sends the whole registry at the start and after every
change; changes that come faster than the reader takes them are joined.
"""

from __future__ import annotations

import msgspec

from .registry import Registered


class Register(msgspec.Struct, frozen=True, tag_field="type", tag="register"):
    """Client: take me in; also says everything anew after a change of status."""

    instance: Registered
    lease_s: float = 2.0


class Renew(msgspec.Struct, frozen=True, tag_field="type", tag="renew"):
    """Client: I am still here."""


class Deregister(msgspec.Struct, frozen=True, tag_field="type", tag="deregister"):
    """Client: I am leaving, with goodbye."""


class Listing(msgspec.Struct, frozen=True, tag_field="type", tag="registry"):
    """Server: the registry now.

    ``epoch`` names this run of the server and ``age_s`` says how long it has been running: after
    a restart a registry is empty until everybody has registered again, and a reader should not
    mistake that for everybody's death.
    """

    epoch: str
    age_s: float
    version: int
    instances: tuple[Registered, ...]


class Unknown(msgspec.Struct, frozen=True, tag_field="type", tag="unknown"):
    """Server: your lease has run out; register again."""


class Refused(msgspec.Struct, frozen=True, tag_field="type", tag="refused"):
    """Server: that was not possible, and why; the connection ends."""

    reason: str


ClientMessage = Register | Renew | Deregister
ServerMessage = Listing | Unknown | Refused

_encoder = msgspec.json.Encoder()
_from_client: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_from_server: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


def encode(message: ClientMessage | ServerMessage) -> str:
    """One message as JSON text."""
    return _encoder.encode(message).decode()


def decode_client(text: str | bytes) -> ClientMessage:
    """A message from a client; raises msgspec.DecodeError or msgspec.ValidationError."""
    return _from_client.decode(text)


def decode_server(text: str | bytes) -> ServerMessage:
    """A message from the server; raises msgspec.DecodeError or msgspec.ValidationError."""
    return _from_server.decode(text)
