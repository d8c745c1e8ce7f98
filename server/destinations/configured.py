"""Which destinations an instance may be told to use: prefixes, and Spring's two broadcasts.

A mistake in one of them is silent when it runs: what clients send goes nowhere, and instances do not
hear each other. So it is told at the start.
"""

from __future__ import annotations

from typing import Final

from core.errors import UsageError
from core.protocol import Prefixes

from .spellings import is_wild, spelling_of

#: Spring's own proposals; where users are looked for that an instance does not know, and where the
#: instances say who is connected to them.
USER_DESTINATION_BROADCAST: Final = "/topic/unresolved-user-destination"
USER_REGISTRY_BROADCAST: Final = "/topic/simp-user-registry"

_LONGEST_PREFIX: Final = 64
#: As long as a destination may be at a broker, in bytes.
_LONGEST_DESTINATION: Final = 255
_OF_INSTANCES: Final = "pushscope."


def check_prefixes(prefixes: Prefixes) -> None:
    """See that every destination is of one kind only.

    Raises:
        UsageError: One is no prefix, or what begins with it would be of two kinds.
    """
    if not prefixes.broker:
        raise UsageError("--broker-prefix: there is none", hint="as in --broker-prefix /topic")
    given = {"--app-prefix": (prefixes.application,), "--user-prefix": (prefixes.user,)}
    for option, values in {**given, "--broker-prefix": prefixes.broker}.items():
        for value in values:
            if why := _no_prefix(value, slash=option != "--broker-prefix"):
                raise UsageError(f"{option} {value[:_LONGEST_PREFIX]!r}: {why}", hint=f"as in {option} /name")
    application, user = f"{prefixes.application.rstrip('/')}/", prefixes.user
    # A broker prefix may begin both of the others ("/" has everything else): they are asked first.
    hidden = [
        ("--broker-prefix", each, name, other)
        for each in prefixes.broker
        for name, other in (("--app-prefix", application), ("--user-prefix", user))
        if f"{each.rstrip('/')}/".startswith(other)
    ]
    if application.startswith(user) or user.startswith(application):
        hidden.append(("--user-prefix", user, "--app-prefix", application))
    for option, value, other, covering in hidden:
        raise UsageError(
            f"{option} {value} is never reached: {other} {covering} has all that begins with it",
            hint="choose prefixes of which none begins with another",
        )


def check_broadcasts(prefixes: Prefixes, user_destination: str, user_registry: str) -> None:
    """See that instances can speak to each other there.

    Raises:
        UsageError: Says which of the two is no topic at a broker, and why.
    """
    for option, destination in (
        ("--user-destination-broadcast", user_destination),
        ("--user-registry-broadcast", user_registry),
    ):
        if why := _no_topic(destination, prefixes):
            raise UsageError(
                f"{option} {destination[:_LONGEST_DESTINATION]!r}: {why}",
                hint=f"as in {option} /topic/greetings",
            )


def _no_prefix(prefix: str, *, slash: bool) -> str:
    if slash and (not prefix.startswith("/") or not prefix.strip("/")):
        return "it begins with a slash and has a name"
    if not prefix.isprintable() or " " in prefix or len(prefix) > _LONGEST_PREFIX:
        return f"it has {_LONGEST_PREFIX} printable characters at most, and no blanks"
    return "it has no wildcards" if any(sign in prefix for sign in "*#>{}") else ""


def _no_topic(destination: str, prefixes: Prefixes) -> str:
    if not destination.startswith("/") or not destination.strip("/"):
        return "it begins with a slash"
    if (
        not destination.isprintable()
        or " " in destination
        or len(destination.encode()) > _LONGEST_DESTINATION
    ):
        return f"it has {_LONGEST_DESTINATION} bytes at most, printable, and no blanks"
    spelling = spelling_of(destination)
    if any(is_wild(name) for name in spelling.names):
        return "it has no wildcards"
    if spelling.queue or spelling.private:
        return "a topic is needed: of a queue one instance alone gets each message"
    if any(name.startswith(_OF_INSTANCES) for name in spelling.names):
        return f"names that begin with {_OF_INSTANCES} belong to the instances"
    if destination.startswith((prefixes.user, f"{prefixes.application.rstrip('/')}/")):
        return "the broker gets nothing that is sent there"
    return ""
