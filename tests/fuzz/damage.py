"""Accidents that happen to what a client says, drawn from a seeded source of chance."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

#: What HTTP, WebSocket, STOMP, JSON and XML make something of.
SYNTAX: Final = (
    b"\0", b"\n", b"\r", b"\r\n", b"\r\n\r\n", b" ", b"\t", b":", b";", b",", b"%", b"%00", b"%2f", b"\\",
    b"\\c",
    b"\\x", b"/", b"/..", b"//", b"?", b"#", b"@", b"[", b"]", b"{", b"}", b'"', b"'", b"<", b">", b"&",
    b"\x1b[31m",
    b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\\ud800", b"0", b"-1", b"1e999",
    b"null",
    b"99999999999999999999", b"content-length:7\n", b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
)  # fmt: skip
#: What stands where a name or a number was expected.
VALUES: Final = (
    "", " ", "0", "-1", "1", "1e3", "0x10", "+5", "1_0", "99999999999999999999", "NaN", "true", "null",
    "[]", "{}",
    "\x00", "\x7f", "é", "日本", "\u2028", "a,b", "a;b", "a=b", '"', "'", "..", "/", "//", "%", "%00", "%ff",
    "%2F", "*",
    "#", "?", "@", "a b", "\tb", "x" * 300, "x" * 9_000, "x" * 70_000, "chunked", "close", "keep-alive",
    "websocket",
    "127.0.0.1", "evil.example", "127.0.0.1#evil", "evil@127.0.0.1", "[::1]", "[", "localhost:99999",
    "Bearer none",
    "Bearer a.b.c", "Basic Og==", "Basic %%%", "gzip", "text/plain; charset=x",
)  # fmt: skip


def chance_of(seed: str, number: int) -> random.Random:
    """The source for one visit: the same seed and number give the same visit."""
    return random.Random(f"{seed}/{number}")


def sometimes(chance: random.Random, share: float) -> bool:
    """Whether something happens that happens in this share of cases."""
    return chance.random() < share


def value(chance: random.Random) -> str:
    """A value that nobody expects."""
    return chance.choice(VALUES)


def battered(chance: random.Random, data: bytes) -> bytes:
    """One to four accidents to bytes, of which nothing is known."""
    hit = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(hit) + 1)
        match chance.randrange(5):
            case 0:
                hit[place:place] = chance.choice(SYNTAX)
            case 1:
                del hit[place : place + chance.randint(1, 20)]
            case 2:
                hit[place : place + 1] = bytes((chance.randrange(256),))
            case 3:
                hit[place:place] = hit[: chance.randint(0, 200)]
            case _:
                hit[place:place] = chance.choice(SYNTAX) * chance.choice((2, 100, 3000))
    return bytes(hit)


def disordered(chance: random.Random, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """One to three accidents to headers: lost, twice, changed, many, in another order."""
    hit = list(pairs)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(hit)) if hit else 0
        match chance.randrange(7 if hit else 1):
            case 0:
                hit.append((value(chance), value(chance)))
            case 1:
                del hit[place]
            case 2:
                hit.append(hit[place])
            case 3:
                hit[place] = (hit[place][0], value(chance))
            case 4:
                hit[place] = (hit[place][0].swapcase(), hit[place][1] + value(chance))
            case 5:
                hit += [(f"x-{number}", "y") for number in range(chance.choice((20, 99, 300)))]
            case _:
                chance.shuffle(hit)
    return hit


def cuts(chance: random.Random, data: bytes) -> list[bytes]:
    """The same bytes in some pieces: whole, in a few, or one by one at the beginning."""
    if len(data) < 2 or sometimes(chance, 0.5):
        return [data]
    if sometimes(chance, 0.2):
        single = min(len(data), 40)
        return [data[place : place + 1] for place in range(single)] + [data[single:]]
    places = sorted(chance.randrange(1, len(data)) for _ in range(chance.randint(1, 4)))
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


def maybe(chance: random.Random, share: float, usual: T, other: T) -> T:
    """``other`` in this share of cases."""
    return other if sometimes(chance, share) else usual
