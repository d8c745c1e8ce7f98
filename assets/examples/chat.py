"""A chat service on as many instances as you like: rooms, history, private messages, sign-in.

Start a broker (this one, or RabbitMQ) and two instances, on one file of history:

    pushscope broker --port 61613
    python chat.py --id chat-1 --port 8081
    python chat.py --id chat-2 --port 8082

A STOMP client connects to ``ws://127.0.0.1:8081/ws`` with the passcode ``token-of-lijian`` and then
may, whichever instance the others are on,

    SUBSCRIBE /app/chat/tea/history    the last words in the room, answered once
    SUBSCRIBE /topic/chat.tea          what is said from now on
    SUBSCRIBE /user/topic/private      what is said to it alone
    SUBSCRIBE /user/topic/errors       what it did wrong
    SEND      /app/chat/tea/say        {"text": "hello"}
    SEND      /app/tell/maria          {"text": "hello, Maria"}
    SEND      /app/rooms               answered to /user/topic/rooms
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import sqlite3
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

from pushscope.core.errors import BrokerUnavailable
from pushscope.server import Instance, InstanceSettings
from pushscope.server.handlers import (
    Allow,
    ClientFrame,
    Denied,
    Header,
    MessageConversionError,
    MessagingTemplate,
    Rules,
    User,
    message_exception_handler,
    message_mapping,
    send_to,
    send_to_user,
    subscribe_mapping,
)

# Stands for the service's own users; a real one asks its database.
TOKENS = {"token-of-lijian": "lijian", "token-of-maria": "maria"}


@dataclass
class Words:
    """What a client sends."""

    text: str


@dataclass
class Said:
    """What clients get."""

    by: str
    text: str


class History:
    """What was said, in a file that all instances share."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("CREATE TABLE IF NOT EXISTS said (room TEXT, by TEXT, text TEXT)")

    def add(self, room: str, said: Said) -> None:
        """Remember."""
        self._db.execute("INSERT INTO said VALUES (?, ?, ?)", (room, said.by, said.text))

    def last(self, room: str, most: int) -> list[Said]:
        """The last words in a room, oldest first."""
        rows = self._db.execute(
            "SELECT by, text FROM said WHERE room = ? ORDER BY rowid DESC LIMIT ?", (room, most)
        )
        return [Said(*row) for row in rows][::-1]

    def rooms(self) -> dict[str, int]:
        """How much was said in each room."""
        return dict(self._db.execute("SELECT room, count(*) FROM said GROUP BY room"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()


# Who may come in, and what they may do ------------------------------------------------------


def sign_in(frame: ClientFrame) -> ClientFrame | None:
    """The token of CONNECT says who somebody is; nothing else does."""
    if frame.command != "CONNECT":
        return None
    user = TOKENS.get(frame.headers.get("passcode", ""))
    if user is None:
        raise Denied("sign in first", "The passcode is no token of ours.")
    return frame.replace(user=user)


MAY = Rules(
    Allow("CONNECT"),
    Allow("SUBSCRIBE", "/app/chat/*/history", "/topic/chat.*", "/user/topic/*"),
    Allow("SEND", "/app/**"),
)


# What they get ------------------------------------------------------------------------------


@message_mapping("/chat/{room:[a-z]+}")
class Room:
    """Everything about one room; ``room`` is the variable of the path."""

    def __init__(self, history: History) -> None:
        self._history = history

    @subscribe_mapping("/history")
    def history(self, room: str, most: Annotated[int, Header("last")] = 20) -> list[Said]:
        """The answer to a subscription goes to the subscriber alone."""
        return self._history.last(room, min(most, 100))

    @message_mapping("/say")
    @send_to("/topic/chat.{room}")
    def say(self, words: Words, room: str, user: User) -> Said:
        """What a handler returns is sent where its decorator says."""
        if not words.text.strip():
            raise ValueError("say something")
        said = Said(user, words.text)
        self._history.add(room, said)
        return said


@message_mapping("/tell/{whom}")
async def tell(words: Words, whom: str, user: User, template: MessagingTemplate) -> None:
    """To all sessions of one user; the RECEIPT, if one is asked for, comes when the broker has it."""
    await template.send_to_user(whom, "/topic/private", Said(user, words.text), confirm=True)


class Rooms:
    """What rooms there are: asked for by a client, and told to everybody now and then."""

    def __init__(self, history: History) -> None:
        self._history = history

    @message_mapping("/rooms")
    @send_to_user("/topic/rooms", broadcast=False)
    def rooms(self) -> dict[str, int]:
        """To the session that asked, not to the user's others."""
        return self._history.rooms()

    async def announce(self, template: MessagingTemplate, every_s: float) -> None:
        """A task in the background sends with the template."""
        while True:
            with contextlib.suppress(BrokerUnavailable):  # it comes back, and so does the next turn
                template.send("/topic/chat.rooms", self._history.rooms())
            await asyncio.sleep(every_s)


@message_exception_handler(ValueError, MessageConversionError)
@send_to_user("/topic/errors", broadcast=False)
def mistake(error: Exception) -> str:
    """Tell clients what they did wrong; other exceptions are logged, and nobody is told."""
    return str(error)


# The service --------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def service(
    settings: InstanceSettings, history_file: str, announce_s: float = 60.0
) -> AsyncGenerator[Instance]:
    """One instance of the service, as long as the block lasts."""
    history = History(history_file)
    rooms = Rooms(history)
    try:
        async with Instance(
            settings, handlers=[Room(history), rooms, tell, mistake], interceptors=[sign_in, MAY]
        ) as instance:
            announcing = asyncio.create_task(rooms.announce(instance.template, announce_s))
            try:
                yield instance
            finally:
                announcing.cancel()
    finally:
        history.close()


async def main() -> None:
    """Run an instance until Ctrl-C."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", default="chat-1", help="name of the instance, another for each")
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--broker", default="stomp://127.0.0.1:61613")
    parser.add_argument("--history", default="chat.db", help="file that all instances share")
    options = parser.parse_args()
    settings = InstanceSettings(
        id=options.id, service="chat", port=options.port, broker_url=options.broker, default_user=""
    )
    async with service(settings, options.history):
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
