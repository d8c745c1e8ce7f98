"""All the names that a destination may reach, however it is spelled.

Brokers know many spellings of one place. RabbitMQ sends ``/topic/x``, ``/topic/%78`` (``%2F`` at least),
``/exchange/amq.topic/x`` to the same routing key, and ``/queue/x``, ``/amq/queue/x``,
``/reply-queue/x`` and a bare ``x`` to the same queue (docs/wire/brokers.md §1). ActiveMQ takes
``a,topic://b`` for two destinations, what follows ``?`` for options, and does without blanks. A rule
about a name must hold for all of them, whichever broker there is; so the rules look at every name that
any broker could read out of a destination. A name too many is no harm, one too few is a hole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

import msgspec

#: How often a name may be percent-encoded over again before it counts as an attack.
_MOST_DECODINGS: Final = 4
_OPTIONS: Final = re.compile(r"[?;].*", re.DOTALL)
_WILD: Final = frozenset({"*", "#", ">"})
_QUEUES: Final = frozenset({"queue", "amq", "reply-queue"})
_PRIVATE: Final = frozenset({"temp-queue", "temp-topic", "remote-temp-queue", "remote-temp-topic"})


class Spelling(msgspec.Struct, frozen=True):
    """What a destination may mean.

    Attributes:
        names: Every name that it may reach: what follows any of its slashes, decoded or not.
        exchanges: Exchanges of ``/exchange/…`` that it names.
        queue: Whether it may be a queue, whose messages are consumed and not copied.
        private: Whether it may be a temporary destination of one broker connection.
        wild: Whether one of its names has a wildcard word.
        endless: Whether it is encoded so often that its names are not known.
    """

    names: frozenset[str]
    exchanges: frozenset[str]
    queue: bool
    private: bool
    wild: bool
    endless: bool


def spelling_of(destination: str) -> Spelling:
    """Everything that a destination of a client may mean to some broker."""
    forms, endless = _decoded(destination)
    names: set[str] = set()
    exchanges: set[str] = set()
    queue = private = False
    for form in forms:
        for part in _parts(form):
            first, _, rest = part.lstrip("/").partition("/")
            kind = first.lower()
            queue = queue or not rest or kind in _QUEUES
            private = private or kind in _PRIVATE
            if kind == "exchange":
                exchanges.add(rest.partition("/")[0])
            names.update(_suffixes(part))
    wild = any(is_wild(name) for name in names)
    return Spelling(frozenset(names), frozenset(exchanges), queue, private, wild, endless)


def is_wild(name: str) -> bool:
    """Whether a name has a wildcard word of RabbitMQ or ActiveMQ."""
    return not _WILD.isdisjoint(name.split("."))


def plain_name(destination: str) -> str:
    """The name behind the kind of a destination of ours: ``x`` of ``/topic/x`` and ``/exchange/e/x``."""
    decoded = unquote(destination)
    if not decoded.startswith("/"):
        return decoded
    kind, _, rest = decoded[1:].partition("/")
    return rest.partition("/")[2] if kind == "exchange" else rest


def _decoded(destination: str) -> tuple[list[str], bool]:
    forms = [destination]
    while len(forms) <= _MOST_DECODINGS:
        decoded = unquote(forms[-1])
        if decoded == forms[-1]:
            return forms, False
        forms.append(decoded)
    return forms, True


def _parts(form: str) -> Iterator[str]:
    """The destinations of a composite one, without options; Artemis has ``address::queue``."""
    yield form.rstrip("/")
    if "," in form or "?" in form or ";" in form or "::" in form or "://" in form:
        for part in form.replace("::", ",").split(","):
            yield _OPTIONS.sub("", part).strip().replace("://", "/").rstrip("/")


def _suffixes(part: str) -> Iterator[str]:
    """The part and all that follows one of its slashes, with and without the blanks around it."""
    yield part
    yield part.strip()
    position = part.find("/")
    while position >= 0:
        suffix = part[position + 1 :]
        yield suffix
        if " " in suffix:
            yield suffix.strip()
        position = part.find("/", position + 1)
