"""What simulated users connect with: shares of transports, and who takes which."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

from ..errors import UsageError
from ..toml_file import Mistake

#: ``websocket`` is a plain WebSocket as stompjs opens it; the others are SockJS's, ``sockjs-websocket``
#: with SockJS's frames in a WebSocket.
Transport = Literal["websocket", "sockjs-websocket", "xhr-streaming", "eventsource", "xhr-polling"]

TRANSPORTS: Final[tuple[Transport, ...]] = get_args(Transport)

#: Everybody has a plain WebSocket.
PLAIN: Final[Mapping[str, int]] = {"websocket": 100}


def plain() -> dict[str, int]:
    """A plain WebSocket for everybody, to be changed by whoever asked."""
    return dict(PLAIN)


#: Greatest share: they are relative to each other.
_GREATEST: Final = 1000


def share_mistakes(shares: Mapping[str, int]) -> Iterator[Mistake]:
    """Everything in shares of transports that makes no sense."""
    path = ("transports",)
    for name, share in shares.items():
        if name not in TRANSPORTS:
            yield Mistake((*path, name), "is no transport", f"choose among {', '.join(TRANSPORTS)}")
        elif not 0 <= share <= _GREATEST:
            yield Mistake((*path, name), f"{share} is not between 0 and {_GREATEST}")
    if not any(share > 0 for share in shares.values()):
        yield Mistake(path, "gives no transport a share", "as in { websocket = 60, xhr-streaming = 40 }")


def parse_shares(text: str) -> dict[str, int]:
    """Shares as written on the command line: ``websocket=40,xhr-streaming=20``.

    Raises:
        UsageError: says what is wrong and what would be right.
    """
    shares: dict[str, int] = {}
    for part in text.split(","):
        name, equals, share = (word.strip() for word in part.partition("="))
        if not equals or not share.isdecimal() or name in shares:
            twice = ": it is there twice" if name in shares else ""
            raise UsageError(
                f"cannot understand the share {part.strip()!r}{twice}",
                hint="write TRANSPORT=SHARE,…, such as 'websocket=60,xhr-streaming=40'",
            )
        shares[name] = int(share)
    for mistake in share_mistakes(shares):
        raise UsageError(f"{'.'.join(map(str, mistake.path))}: {mistake.message}", hint=mistake.hint)
    return shares


@functools.lru_cache(maxsize=16)
def _turn(shares: tuple[tuple[Transport, int], ...]) -> tuple[Transport, ...]:
    """The transports of as many users as it takes until the shares are exact, evenly mixed: each time
    the one that is furthest behind its share."""
    divisor = math.gcd(*(share for _, share in shares))
    weights: dict[Transport, int] = {name: share // divisor for name, share in shares if share}
    total = sum(weights.values())
    behind = dict.fromkeys(weights, 0)
    turn: list[Transport] = []
    for _ in range(total):
        for name, weight in weights.items():
            behind[name] += weight
        chosen = max(weights, key=lambda name: behind[name])
        behind[chosen] -= total
        turn.append(chosen)
    return tuple(turn)


def transport_of(user: str, shares: Mapping[str, int]) -> Transport:
    """Who takes which transport: always the same for a name; ``user-1`` to ``user-N`` have the shares
    exactly, and mixed, wherever N is a multiple of their sum."""
    known = tuple((name, shares[name]) for name in TRANSPORTS if shares.get(name))
    turn = _turn(known)
    digits = user[len(user.rstrip("0123456789")) :]
    number = int(digits[-15:]) - 1 if digits else zlib.crc32(user.encode())
    return turn[number % len(turn)]
