"""Names of STOMP commands, and what each of them may carry (STOMP 1.2, "Augmented BNF")."""

from __future__ import annotations

from typing import Final

#: Commands of clients.
CLIENT_COMMANDS: Final = frozenset(
    {
        "CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK",
        "BEGIN", "COMMIT", "ABORT", "DISCONNECT",
    }
)  # fmt: skip

#: Commands of servers.
SERVER_COMMANDS: Final = frozenset({"CONNECTED", "MESSAGE", "RECEIPT", "ERROR"})

#: Every command, mapped to the one string object that frames carry, so that comparing is cheap.
COMMANDS: Final[dict[str, str]] = {name: name for name in sorted(CLIENT_COMMANDS | SERVER_COMMANDS)}

#: The only commands that may have a body; for these ``content-length`` is always written.
WITH_BODY: Final = frozenset({"SEND", "MESSAGE", "ERROR"})

#: Either opens a session.
CONNECT_COMMANDS: Final = frozenset({"CONNECT", "STOMP"})

#: Headers of these are neither escaped nor unescaped, for the sake of STOMP 1.0 peers.
UNESCAPED: Final = frozenset({"CONNECT", "STOMP", "CONNECTED"})

#: Versions we speak, best first.
VERSIONS: Final = ("1.2", "1.1", "1.0")

#: WebSocket subprotocol of each version.
SUBPROTOCOLS: Final = {"1.2": "v12.stomp", "1.1": "v11.stomp", "1.0": "v10.stomp"}
