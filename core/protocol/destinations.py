"""Destinations: who a user destination means, and which topic a pattern matches.

Pure functions (docs/wire/spring-relay.md §3, §4); the words are Spring's. A user
destination has two forms: a client subscribes to ``/user/queue/x`` (the *subscribe form*), somebody
sends to ``/user/joe/queue/x`` (the *send form*), and both become ``/queue/x-user<session id>``.
"""

from __future__ import annotations

from typing import Final

import msgspec

_SUFFIX: Final = "-user"


class Prefixes(msgspec.Struct, frozen=True):
    """Which destinations go where (docs/wire/spring-relay.md §3).

    Attributes:
        application: Handled by application code of the instance.
        broker: Relayed to the broker; a plain ``startswith``, as with Spring.
        user: Translated to the sessions of a user; ends with a slash.
    """

    application: str = "/app"
    broker: tuple[str, ...] = ("/topic", "/queue")
    user: str = "/user/"

    def __post_init__(self) -> None:
        """Put the closing slash to the user prefix, where it was left out."""
        if not self.user.endswith("/"):
            msgspec.structs.force_setattr(self, "user", self.user + "/")


DEFAULT_PREFIXES: Final = Prefixes()


def is_broker_destination(destination: str, prefixes: Prefixes = DEFAULT_PREFIXES) -> bool:
    """Whether the broker gets what is sent there."""
    return destination.startswith(prefixes.broker)


def application_path(destination: str, prefixes: Prefixes = DEFAULT_PREFIXES) -> str | None:
    """``/hello`` of ``/app/hello``; None if it is not the application's."""
    prefix = prefixes.application.rstrip("/") + "/"
    return destination[len(prefix) - 1 :] if destination.startswith(prefix) else None


def is_user_destination(destination: str, prefixes: Prefixes = DEFAULT_PREFIXES) -> bool:
    """Whether it starts with the user prefix."""
    return destination.startswith(prefixes.user)


def encode_user(name: str) -> str:
    """A user's name as one segment of a destination: ``/`` becomes ``%2F``, nothing else changes."""
    return name.replace("/", "%2F")


def decode_user(segment: str) -> str:
    """Undo :func:`encode_user`."""
    return segment.replace("%2F", "/")


def user_target(rest: str, session_id: str) -> str:
    """The broker destination of one session: ``/queue/x`` becomes ``/queue/x-user<session id>``."""
    return f"{rest}{_SUFFIX}{session_id}"


def subscribe_target(destination: str, session_id: str, prefixes: Prefixes = DEFAULT_PREFIXES) -> str:
    """Where a client's SUBSCRIBE to a user destination really goes: ``/queue/x-user<session id>``.

    Other destinations are returned as they are. If the first broker prefix has no leading slash the
    target has none either (``/user/jms.queue.call`` becomes ``jms.queue.call-user123``).
    """
    if not destination.startswith(prefixes.user):
        return destination
    return user_target(_actual(destination[len(prefixes.user) - 1 :], prefixes), session_id)


def split_user_destination(destination: str, prefixes: Prefixes = DEFAULT_PREFIXES) -> tuple[str, str] | None:
    """User and rest of a send form: ``/user/joe/queue/x`` is ``("joe", "/queue/x")``.

    The name is decoded. None if it is no user destination, or names a user only (``/user/joe``).
    """
    if not destination.startswith(prefixes.user):
        return None
    segment, slash, rest = destination[len(prefixes.user) :].partition("/")
    if not segment or not slash or not rest:
        return None
    return decode_user(segment), _actual(f"/{rest}", prefixes)


def subscribe_form(rest: str, prefixes: Prefixes = DEFAULT_PREFIXES) -> str:
    """``/user/queue/x`` of ``/queue/x``: what the client knows it as, for ``simpOrigDestination``."""
    return prefixes.user + rest.removeprefix("/")


def send_form(user: str, rest: str, prefixes: Prefixes = DEFAULT_PREFIXES) -> str:
    """``/user/joe/queue/x`` of a user and ``/queue/x``; the name is encoded."""
    return f"{prefixes.user}{encode_user(user)}/{rest.removeprefix('/')}"


def _actual(rest: str, prefixes: Prefixes) -> str:
    if prefixes.broker and not prefixes.broker[0].startswith("/"):
        return rest[1:]
    return rest


# ---- topics ----------------------------------------------------------------------------------


def is_pattern(destination: str) -> bool:
    """Whether a destination has a wildcard word, so that it may match others than itself."""
    if "*" not in destination and "#" not in destination:
        return False
    return any(word in ("*", "#") for word in _words(destination)[1])


def topic_matches(pattern: str, name: str) -> bool:
    """Whether a topic's name matches a pattern, as with RabbitMQ (docs/wire/brokers.md §1).

    Words are separated by dots; ``*`` stands for exactly one word, ``#`` for any number, also none.
    A wildcard is a whole word, so ``a*`` is plain text. Both may be given with a prefix such as
    ``/topic/``, which must be equal and is no word.
    """
    if pattern == name:
        return True
    pattern_prefix, pattern_words = _words(pattern)
    if "*" not in pattern_words and "#" not in pattern_words:
        return False
    prefix, words = _words(name)
    return prefix == pattern_prefix and _match(pattern_words, words)


def _words(destination: str) -> tuple[str, tuple[str, ...]]:
    """Prefix (``/topic/`` or nothing) and words."""
    begin = 0
    if destination.startswith("/"):
        begin = destination.find("/", 1) + 1
    name = destination[begin:]
    return destination[:begin], tuple(name.split(".")) if name else ()


def _match(pattern: tuple[str, ...], words: tuple[str, ...]) -> bool:
    """Greedy match that goes back to the last ``#`` only: time is bounded by the product of both."""
    at, pos, hash_at, hash_pos = 0, 0, -1, 0
    while pos < len(words):
        if at < len(pattern) and pattern[at] == "#":
            hash_at, hash_pos = at, pos
            at += 1
        elif at < len(pattern) and pattern[at] in ("*", words[pos]):
            at += 1
            pos += 1
        elif hash_at >= 0:
            hash_pos += 1
            at, pos = hash_at + 1, hash_pos
        else:
            return False
    return all(word == "#" for word in pattern[at:])
