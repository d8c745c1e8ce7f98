"""How a delivery is traced to its push.

Where we own both ends, a header ``ps-id: <run>.<via>.<user>.<seq>`` says it; the same text at the
start of the payload is the marker where headers do not survive. Spring's ``/test?username=``
takes neither: there deliveries are matched in order of arrival, and only its fixed text
(``hello:<user>``) tells whether a delivery reached the user it was meant for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

#: Name of the header that carries a push's id.
HEADER: Final = "ps-id"

_MARKER: Final = b"ps-id:"
_GREETING: Final = b"hello:"


class PushId(NamedTuple):
    """The parts of a push's id; only the user may contain dots."""

    run: str
    via: str
    user: str
    seq: int

    def __str__(self) -> str:
        return f"{self.run}.{self.via}.{self.user}.{self.seq}"


def parse_id(text: str) -> PushId | None:
    """The parts of an id; None if the text is not one of ours."""
    run, _, rest = text.partition(".")
    via, _, rest = rest.partition(".")
    user, _, seq = rest.rpartition(".")
    if not (run and via and user and seq.isascii() and seq.isdigit()):
        return None
    return PushId(run, via, user, int(seq))


def payload_for(push_id: str, size: int) -> str:
    """A payload of ``size`` ASCII characters that begins with the marker; longer if that has to be."""
    marker = f"{_MARKER.decode()}{push_id};"
    return marker + "x" * (size - len(marker))


def marker_in(body: bytes) -> str | None:
    """The id that the marker at the start of a payload carries; None without one."""
    start = 1 if body[:1] == b'"' else 0  # a JSON string
    if not body.startswith(_MARKER, start):
        return None
    end = body.find(b";", start, start + 300)
    return body[start + len(_MARKER) : end].decode("utf-8", "replace") if end > 0 else None


def greeted_user(body: bytes) -> str | None:
    """Whom the text of ``/test?username=`` names; None for any other text."""
    text = body.strip(b'"')
    return text[len(_GREETING) :].decode("utf-8", "replace") if text.startswith(_GREETING) else None
