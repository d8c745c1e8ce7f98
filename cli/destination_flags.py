"""Flags of the destinations of instances, for ``instance`` and ``serve``; and flags as words."""

from __future__ import annotations

from typing import Annotated, Final

import typer

#: A heading of ``--help``.
DESTINATIONS: Final = "Broker and destinations"

Strategy = Annotated[
    str,
    typer.Option(
        metavar="relay|broadcast|none",
        help="How a push finds a user on another instance.",
        rich_help_panel=DESTINATIONS,
    ),
]
OnBrokerLoss = Annotated[
    str,
    typer.Option(
        metavar="keep|spring",
        help="Clients while the broker is away: keep them, or end them with ERROR as Spring does.",
        rich_help_panel=DESTINATIONS,
    ),
]
RelayKind = Annotated[
    str,
    typer.Option(
        metavar="multiplexed|per-client",
        help="One broker connection for all clients of an instance, or one for each, as with Spring.",
        rich_help_panel=DESTINATIONS,
    ),
]
AppPrefix = Annotated[
    str,
    typer.Option(
        metavar="PREFIX",
        help="Destinations of clients that go to handlers.",
        rich_help_panel=DESTINATIONS,
    ),
]
BrokerPrefix = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PREFIX",
        help="Destinations that go to the broker, /topic and /queue by default; repeatable, as in"
        " --broker-prefix /topic --broker-prefix /exchange.",
        rich_help_panel=DESTINATIONS,
    ),
]
UserPrefix = Annotated[
    str,
    typer.Option(
        metavar="PREFIX",
        help="Destinations of one user's sessions.",
        rich_help_panel=DESTINATIONS,
    ),
]
AllowExchange = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Exchange that clients may name behind --broker-prefix /exchange, besides amq.topic, amq.direct"
        " and amq.fanout; repeatable.",
        rich_help_panel=DESTINATIONS,
    ),
]
UserDestinationBroadcast = Annotated[
    str,
    typer.Option(
        metavar="TOPIC",
        help="Where users are looked for that an instance does not know, as Spring's"
        " setUserDestinationBroadcast.",
        rich_help_panel=DESTINATIONS,
    ),
]
UserRegistryBroadcast = Annotated[
    str,
    typer.Option(
        metavar="TOPIC",
        help="Where Spring's instances and ours say who is connected to them, as setUserRegistryBroadcast;"
        " it may be the same topic.",
        rich_help_panel=DESTINATIONS,
    ),
]


def words_of(**given: str | int | list[str] | None) -> list[str]:
    """Options of a role as words of its command line, without those that are None.

    A list becomes one word, with spaces between.
    """
    words: list[str] = []
    for name, value in given.items():
        if value is not None:
            text = " ".join(value) if isinstance(value, list) else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    return words
