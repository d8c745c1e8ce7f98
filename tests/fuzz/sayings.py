"""Pieces of conversations, more or less as they should be: requests, WebSocket messages, STOMP frames."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any, Final

from .damage import battered, disordered, maybe, sometimes, value

Pairs = Sequence[tuple[str, str]]

_METHODS: Final = (
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "HEAD",
    "PATCH",
    "CONNECT",
    "TRACE",
    "get",
    "G\0T",
)
_COMMANDS: Final = (
    "CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT",
    "DISCONNECT",
)  # fmt: skip
_PLACES: Final = (
    "/topic/a", "/topic/a.*", "/topic/#", "/queue/a", "/user/topic/greetings", "/user/queue/x", "/app/hello",
    "/user/somebody/topic/greetings", "/topic/unresolved-user-destination", "/topic/simp-user-registry",
    "/exchange/amq.topic/a",
    "/amq/queue/a", "/reply-queue/a", "/temp-queue/t", "/app", "/user", "/topic/", "x",
)  # fmt: skip
_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "destination": _PLACES,
    "id": ("0", "1", "sub-0", "9.9"),
    "subscription": ("0", "sub-0"),
    "message-id": ("1", "m-1"),
    "ack": ("auto", "client", "client-individual"),
    "transaction": ("t", "u"),
    "receipt": ("r",),
    "content-type": ("application/json", "text/plain"),
    "accept-version": ("1.0,1.1,1.2", "1.2"),
    "heart-beat": ("0,0", "10000,10000", "1,1"),
    "host": ("/",),
    "login": ("somebody",),
    "passcode": ("guest",),
    "prefetch-count": ("1",),
    "x-y": ("z",),
}
_KINDS: Final[tuple[Any, ...]] = (None, True, -1, 1e308, 2**70, [], {}, [[]], {"a": {"b": 1}})
_BODIES: Final = (b"", b"hello", b'{"name":"x"}', b"\xff\xfe", b"x" * 5_000, b"\0", b"x" * 70_000)


def request(chance: random.Random, method: str, path: str, headers: Pairs = (), body: bytes = b"") -> bytes:
    """An HTTP request, in one of three cases damaged."""
    method = maybe(chance, 0.04, method, chance.choice(_METHODS))
    pairs = [("Host", "127.0.0.1"), *headers]
    if body or method in ("POST", "PUT"):
        body, more = _body(chance, body)
        pairs += more
    if sometimes(chance, 0.15):
        pairs = disordered(chance, pairs)
    path += maybe(chance, 0.05, "", "?" + value(chance))
    version = maybe(chance, 0.03, "HTTP/1.1", chance.choice(("HTTP/1.0", "HTTP/2.0", "HTTP/1.1 ", "")))
    head = "\r\n".join([f"{method} {path} {version}", *(f"{name}: {text}" for name, text in pairs), "", ""])
    whole = head.encode("utf-8", "surrogatepass") + body
    return maybe(chance, 0.15, whole, battered(chance, whole))


def _body(chance: random.Random, body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """A body as it travels, and the headers that say how."""
    if sometimes(chance, 0.1):
        body = battered(chance, body)
    match chance.randrange(12):
        case 0:
            pieces = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]) if part)
            return pieces + b"0\r\n\r\n", [("Transfer-Encoding", "chunked")]
        case 1:
            return body, [("Content-Length", str(len(body) + chance.choice((-1, 1, 100_000, 2**40))))]
        case 2:
            return body, [("Content-Length", str(len(body))), ("Expect", "100-continue")]
        case 3:
            return b"zz\r\n" + body, [("Transfer-Encoding", "chunked")]
        case _:
            return body, [("Content-Length", str(len(body)))]


def upgrade(chance: random.Random, path: str, headers: Pairs = ()) -> bytes:
    """A WebSocket handshake, in one of six cases damaged."""
    pairs = [
        ("Host", "127.0.0.1"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        *headers,
    ]
    if sometimes(chance, 0.3):
        pairs.append(("Sec-WebSocket-Protocol", "v12.stomp, v11.stomp"))
    if sometimes(chance, 0.2):
        pairs.append(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"))
    if sometimes(chance, 0.12):
        pairs = disordered(chance, pairs)
    head = "\r\n".join([f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in pairs), "", ""])
    whole = head.encode("utf-8", "surrogatepass")
    return maybe(chance, 0.06, whole, battered(chance, whole))


def websocket(chance: random.Random, payload: bytes, opcode: int = 1) -> bytes:
    """A message in one frame or several, in one of five cases with wrong bits, lengths or masks."""
    if sometimes(chance, 0.1) and len(payload) > 1:
        half = len(payload) // 2
        ping = maybe(chance, 0.5, b"", _frame(9, b"p" * chance.choice((0, 5, 126))))
        return _frame(opcode, payload[:half], fin=False) + ping + _frame(0, payload[half:])
    if sometimes(chance, 0.2):
        opcode = chance.choice((0, 1, 2, 3, 8, 9, 10, 15))
        bits = chance.choice((0, 0x40, 0x20, 0x70))
        announced = chance.choice((None, None, 0, 125, 300_000, 2**31, 2**63))
        return _frame(opcode, payload, bits=bits, masks=sometimes(chance, 0.8), announced=announced)
    return _frame(opcode, payload)


def _frame(
    opcode: int,
    payload: bytes,
    *,
    fin: bool = True,
    bits: int = 0,
    masks: bool = True,
    announced: int | None = None,
) -> bytes:
    size = len(payload) if announced is None else announced
    mask = 0x80 if masks else 0
    if size < 126:
        length = bytes((mask | size,))
    elif size < 2**16:
        length = bytes((mask | 126,)) + size.to_bytes(2, "big")
    else:
        length = bytes((mask | 127,)) + size.to_bytes(8, "big")
    return bytes(((0x80 if fin else 0) | bits | opcode,)) + length + (bytes(4) if masks else b"") + payload


def connect(chance: random.Random) -> bytes:
    """CONNECT, in one of five cases damaged."""
    head = {"accept-version": "1.2,1.1,1.0", "host": "/", "heart-beat": "0,0"}
    return _stomp(chance, "CONNECT", list(head.items()), b"", 0.2)


def stomp(chance: random.Random) -> bytes:
    """Any frame, in one of three cases damaged."""
    chosen = chance.sample(sorted(_HEADERS), chance.randint(0, 5))
    if sometimes(chance, 0.8) and "destination" not in chosen:
        chosen.append("destination")
    pairs = [(name, chance.choice(_HEADERS[name])) for name in chosen]
    command = chance.choice(_COMMANDS)
    body = chance.choice(_BODIES) if command == "SEND" else b""
    return _stomp(chance, command, pairs, body, 0.35)


def _stomp(chance: random.Random, command: str, pairs: Pairs, body: bytes, share: float) -> bytes:
    damaged = sometimes(chance, share)
    if damaged and sometimes(chance, 0.5):
        pairs = disordered(chance, pairs)
    if sometimes(chance, 0.2):
        pairs = [*pairs, ("content-length", str(len(body) + chance.choice((0, 0, 0, 1, -1, 2**40))))]
    end = maybe(chance, 0.1, "\n", "\r\n")
    head = end.join([command, *(f"{name}:{text}" for name, text in pairs), "", ""])
    whole = head.encode("utf-8", "surrogatepass") + body + b"\0" + maybe(chance, 0.2, b"", b"\n")
    return battered(chance, whole) if damaged and sometimes(chance, 0.6) else whole


def document(chance: random.Random, usual: dict[str, Any]) -> bytes:
    """A JSON document with some fields of other kinds, lost or too many; or no JSON."""
    fields = dict(usual)
    if sometimes(chance, 0.4):
        name = chance.choice(sorted(fields))
        match chance.randrange(6):
            case 0:
                del fields[name]
            case 1:
                fields[name] = value(chance)
            case 2:
                fields[name] = chance.choice(_KINDS)
            case 3:
                fields[value(chance)] = value(chance)
            case 4:
                fields[name] = {f"h{number}": value(chance) for number in range(chance.choice((3, 99, 300)))}
            case _:
                return b"[" * chance.choice((10, 5_000)) + json.dumps(fields).encode()
    body = json.dumps(fields, ensure_ascii=sometimes(chance, 0.5)).encode("utf-8", "surrogatepass")
    return maybe(chance, 0.2, body, battered(chance, body))
