"""What clients may not do: listen to or write on what belongs to instances, brokers, other sessions.

Spring lets any client read the registry and forge snapshots (docs/wire/spring-relay.md §5.3); we do not. The
rules hold for every spelling of a destination (:mod:`server.destinations.spellings`) and on every broker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from ..brokers.delivery import Delivery
from ..destinations.spellings import Spelling, is_wild, plain_name, spelling_of
from ..settings.instance import InstanceSettings
from .client_headers import HeaderRule

#: The longest destination at a broker in bytes: AMQP's routing keys and queue names have one byte of
#: length, and RabbitMQ's STOMP plugin fails the connection over a longer one.
LONGEST_DESTINATION: Final = 255
#: The longest destination of a client, with the name of a user in it.
_LONGEST_USER_DESTINATION: Final = 1024
_MOST_KNOWN: Final = 4096

_INTERNAL: Final = "it belongs to the instances"
#: Names of all instances of all services begin so.
_NAMESPACE: Final = "pushscope."
#: ``pushscope.<service>.peers``, … word by word; a wildcard that could match one is refused.
_SHAPES: Final = tuple(
    tuple(re.compile(word) for word in shape)
    for shape in (
        ("pushscope", r"[\w-]+", "peers"),
        ("pushscope", r"[\w-]+", "broadcast"),
        ("pushscope", r"[\w-]+", "peer", "[0-9a-f]{12}"),
    )
)
#: Names that belong to a broker: its administration, and queues that it named.
_OF_BROKER: Final = ("activemq.", "$sys", "amq.rabbitmq.")
_QUEUE_OF_BROKER: Final = ("amq.", "stomp-subscription-")
#: Ids of sessions as we (16 digits), Spring (UUID) and SockJS clients (8 characters) make them.
_SESSION_ID: Final = re.compile(
    r"-user([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16}|(?=[a-z]*[0-9])[a-z0-5]{8})(?![0-9A-Za-z])"
)
_SUFFIX: Final = "-user"


class _Verdict(msgspec.Struct, frozen=True):
    """What is true of a destination whoever asks: why nobody may, whose it is, whose it may be.

    ``internal`` and ``ours`` are for the push API: why it may not write there, and not there with more behind
    it either.
    """

    sending: str
    subscribing: str
    internal: str
    ours: str
    owners: frozenset[str]
    maybe: tuple[str, ...]


class Guard:
    """The rules of one instance.

    Args:
        settings: Names of the internal destinations, and what is allowed.
        is_session: Whether an id is the id of a session somewhere; for ids of unusual shape.
    """

    def __init__(
        self, settings: InstanceSettings, is_session: Callable[[str], bool] = lambda _: False
    ) -> None:
        #: Which headers pass.
        self.headers = HeaderRule(settings.allowed_headers)
        self._is_session = is_session
        self._exchanges = frozenset(settings.allowed_exchanges)
        internal = (settings.unresolved_destination, settings.registry_destination)
        self._internal = frozenset(plain_name(destination) for destination in internal)
        self._shapes = (
            *_SHAPES,
            *(tuple(re.compile(re.escape(word)) for word in name.split(".")) for name in self._internal),
        )
        self._verdicts: dict[str, _Verdict] = {}

    def refuse_send(self, destination: str, session_id: str) -> str:
        """Why a client may not send to a broker destination, or "" if it may."""
        verdict = self._verdict(destination)
        return verdict.sending or self._foreign(verdict, session_id)

    def refuse_subscribe(self, destination: str, session_id: str) -> str:
        """Why a client may not subscribe to a broker destination, or "" if it may."""
        verdict = self._verdict(destination)
        return verdict.subscribing or self._foreign(verdict, session_id)

    def refuse_push(self, destination: str, *, to_user: bool) -> str:
        """Why the push API may not write to a broker destination, or "" if it may.

        Programs may push to all but what the instances tell each other. What goes to a user goes to a
        destination of the user's sessions, whose name has more behind it.
        """
        verdict = self._verdict(destination)
        return verdict.internal if not to_user else verdict.ours

    def hides(self, delivery: Delivery) -> bool:
        """Whether a message that came through a client's wildcard is not meant for it."""
        headers = delivery.headers
        if "simpOrigDestination" in headers:
            return True
        verdict = self._verdict(headers["destination"])
        return bool(verdict.subscribing or verdict.owners) or any(map(self._is_session, verdict.maybe))

    def _foreign(self, verdict: _Verdict, session_id: str) -> str:
        if not verdict.owners and not verdict.maybe:  # nearly always
            return ""
        others = verdict.owners - {session_id}
        if others or any(id != session_id and self._is_session(id) for id in verdict.maybe):
            return "it belongs to another session"
        return ""

    def _verdict(self, destination: str) -> _Verdict:
        known = self._verdicts
        verdict = known.get(destination)
        if verdict is None:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            verdict = known[destination] = self._judge(destination)
        return verdict

    def _judge(self, destination: str) -> _Verdict:
        if why := malformed(destination, LONGEST_DESTINATION):
            return _Verdict(why, why, why, why, frozenset(), ())
        spelling = spelling_of(destination)
        owners = frozenset(id for name in spelling.names for id in _SESSION_ID.findall(name))
        both = self._refuse_both(spelling)
        sending = both or ("a message cannot be sent to a pattern" if spelling.wild else "")
        subscribing = both or self._refuse_pattern(spelling)
        ours = self._refuse_ours(spelling)
        internal = self._refuse_internal(spelling) or ours
        maybe = tuple(_possible_ids(spelling.names, owners))
        return _Verdict(sending, subscribing, internal, ours, owners, maybe)

    def _refuse_internal(self, spelling: Spelling) -> str:
        if not self._internal.isdisjoint(spelling.names):
            return _INTERNAL
        return self._refuse_pattern(spelling) if spelling.wild and not spelling.queue else ""

    @staticmethod
    def _refuse_ours(spelling: Spelling) -> str:
        if spelling.endless:
            return "it is percent-encoded too often"
        return _INTERNAL if any(name.startswith(_NAMESPACE) for name in spelling.names) else ""

    def _refuse_both(self, spelling: Spelling) -> str:
        if spelling.endless:
            return "it is percent-encoded too often"
        if spelling.private:
            return "temporary destinations are of one broker connection, which clients share here"
        for name in spelling.names:
            if name in self._internal or name.startswith(_NAMESPACE):
                return _INTERNAL
            lower = name.lower()
            if lower.startswith(_OF_BROKER) or (spelling.queue and lower.startswith(_QUEUE_OF_BROKER)):
                return "it belongs to the broker"
        if spelling.exchanges - self._exchanges:
            return "that exchange is not for clients (allowed_exchanges, --allow-exchange)"
        return ""

    def _refuse_pattern(self, spelling: Spelling) -> str:
        if not spelling.wild:
            return ""
        if spelling.queue:
            return "a queue has no wildcards"
        patterns = [name.split(".") for name in spelling.names if is_wild(name)]
        if any(_may_match(pattern, shape) for pattern in patterns for shape in self._shapes):
            return "it would cover what belongs to the instances"
        return ""


def malformed(destination: str, longest: int = _LONGEST_USER_DESTINATION) -> str:
    """Why a destination is none, or "": too long, or with characters that nobody can see."""
    if len(destination) > longest or len(destination.encode()) > longest:
        return f"it is longer than {longest} bytes"
    if not destination.isprintable():
        return "it has characters that cannot be printed"
    return ""


def clean(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a client's SEND that are passed on where nothing more is allowed.

    Raises:
        Refusal: One cannot be carried.
    """
    return _STRICT.of_send(headers)


_STRICT: Final = HeaderRule()


def _possible_ids(names: frozenset[str], owners: frozenset[str]) -> set[str]:
    """What follows ``-user`` in a name, if it does not look like an id but may be one all the same."""
    found: set[str] = set()
    for name in names:
        position = name.find(_SUFFIX)
        while position >= 0:
            found.add(name[position + len(_SUFFIX) :])
            position = name.find(_SUFFIX, position + 1)
    return found - owners - {""}


def _may_match(pattern: Sequence[str], shape: Sequence[re.Pattern[str]]) -> bool:
    """Whether a pattern matches some name of a shape: ``#`` and a last ``>`` are any number of words."""
    # reachable[i]: the words of the pattern so far match the first i words of the shape.
    reachable = [True] + [False] * len(shape)
    for number, word in enumerate(pattern):
        after = [False] * (len(shape) + 1)
        rest = word == "#" or (word == ">" and number == len(pattern) - 1)
        for position, reached in enumerate(reachable):
            if rest:
                after[position] = reached or (position > 0 and after[position - 1])
            elif reached and position < len(shape):
                after[position + 1] = word == "*" or shape[position].fullmatch(word) is not None
        reachable = after
    return reachable[-1]
