"""Answers in gzip for clients that take it: Spring's ``server.compression`` (pure).

Only bodies of a known length: an answer without one may be a stream, of which every piece has to
reach the client at once (event streams, SockJS's streaming transports), and is left alone.
"""

from __future__ import annotations

import re
import zlib

from ..edge import Compression
from ..heads import Header, tokens, values
from ..routing.request import RouteRequest
from .upstream import AnswerHead

#: Fast, and within a few percent of the best for text.
_LEVEL = 5
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_NONE = re.compile(rb"q=0(\.0{0,3})?")
#: Their bodies are made for one place in another body, or for what was stored before.
_STATUSES_WITHOUT = frozenset((204, 206, 304))
_STREAMS = frozenset(("text/event-stream",))


class Gzip:
    """Compresses one body, piece by piece."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def compress(self, piece: bytes, *, last: bool) -> bytes:
        """What can be sent of the pieces so far; may be empty unless ``last``."""
        data = self._stream.compress(piece)
        return data + self._stream.flush() if last else data


def gzip_for(
    rule: Compression, request: RouteRequest, head: AnswerHead, headers: list[Header]
) -> tuple[Gzip | None, list[Header]]:
    """Who compresses the answer, if anybody, and the headers that it has then.

    Args:
        rule: What is worth it.
        request: The client's.
        head: What upstream answered.
        headers: Of the answer as the client would get it uncompressed, end to end.
    """
    if not _worth_it(rule, head, headers):
        return None, headers
    # From here on the answer depends on what the client takes, also if this one takes no gzip.
    varying = headers
    if not tokens(headers, b"vary") & {b"accept-encoding", b"*"}:
        varying = [*headers, (b"vary", b"accept-encoding")]
    if not accepts_gzip(request):
        return None, varying
    changed: list[Header] = []
    for name, value in varying:
        if name == b"etag" and not value.startswith(b"W/"):
            changed.append((name, b"W/" + value))  # the bytes are others (RFC 9110 §8.8.1)
        elif name not in (b"content-length", b"accept-ranges"):
            changed.append((name, value))
    changed.append((b"content-encoding", b"gzip"))
    # HEAD is answered with the headers of GET: the length would be another (RFC 9110 §8.6).
    return None if request.method == "HEAD" else Gzip(), changed


def accepts_gzip(request: RouteRequest) -> bool:
    """Whether the client's Accept-Encoding takes gzip (RFC 9110 §12.5.3)."""
    wildcard = False
    for token in tokens(request.headers, b"accept-encoding"):
        coding, _, weight = token.partition(b";")
        refused = _NONE.fullmatch(weight.replace(b" ", b"")) is not None
        match coding.strip():
            case b"gzip" | b"x-gzip":
                return not refused
            case b"*":
                wildcard = not refused
            case _:
                pass
    return wildcard


def _worth_it(rule: Compression, head: AnswerHead, headers: list[Header]) -> bool:
    if head.length is None or head.length < rule.min_size or head.status in _STATUSES_WITHOUT:
        return False
    if values(headers, b"content-encoding") or values(headers, b"content-range"):
        return False  # it is compressed already, or a part
    if b"no-transform" in tokens(headers, b"cache-control"):
        return False  # RFC 9111 §5.2.2.6
    kinds = values(headers, b"content-type")
    kind = kinds[0].partition(b";")[0].strip().lower().decode("latin-1") if kinds else ""
    return kind in rule.mime_types and kind not in _STREAMS
