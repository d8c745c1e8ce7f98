"""The simulated users of one process: who dials, how many at once, and who is still there."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from ..client.reconnect import EAGER, ReconnectPolicy
from ..clock import now
from ..tokens import TokenOf
from ..transport import Connect, connect_websocket
from .heartbeats import HeartbeatWheel
from .layout import MessageLayout
from .transports import PLAIN
from .user import SimulatedUser, UserSink, UserState
from .ways import Ways


class Crowd:
    """An async context manager that holds users; leaving it disconnects all of them.

    A fixed number of dialers make all connections, first ones and later ones alike, so that
    neither a ramp nor a lost instance floods the target with more handshakes than ``dialers``.

    Args:
        url: WebSocket URL; ``{user}`` in it is replaced, else ``?user=`` is added.
        destination: What users subscribe to, without the ``/user`` prefix.
        sink: Where users report to.
        reconnect: When a user whose socket died dials again.
        dialers: Handshakes under way at once.
        dial_timeout: Seconds for one attempt, from the name to the RECEIPT of SUBSCRIBE.
        heartbeat: Milliseconds (can send, wants) offered in CONNECT.
        connect: Carrier of the plain transport; for headers or TLS give a ``functools.partial`` of
            :func:`core.transport.connect_websocket`.
        sockjs_url: Base URL of SockJS, with ``{user}`` as ``url``.
        transports: Shares of the transports that users connect with, by name.
        token_of: Gives the access token of a user, if users need one.

    Attributes:
        users: All users that were ever added, by name.
        counts: How many of them are in each state.
        wheel: The timer of their heart-beats.
        layout: The shape of the messages they get.
    """

    def __init__(
        self,
        url: str,
        destination: str,
        sink: UserSink,
        *,
        reconnect: ReconnectPolicy = EAGER,
        dialers: int = 96,
        dial_timeout: float = 10.0,
        heartbeat: tuple[int, int] = (10_000, 10_000),
        connect: Connect = connect_websocket,
        sockjs_url: str = "",
        transports: Mapping[str, int] = PLAIN,
        token_of: TokenOf | None = None,
    ) -> None:
        self.users: dict[str, SimulatedUser] = {}
        self.counts: Counter[UserState] = Counter()
        self.wheel = HeartbeatWheel()
        self.layout = MessageLayout()
        self.receipts_come = False
        self._ways = Ways(
            url, sockjs_url, transports, connect=connect, token_of=token_of, patience=dial_timeout
        )
        self._destination = destination
        self._sink = sink
        self._reconnect = reconnect
        self._dialers = dialers
        self._dial_timeout = dial_timeout
        self._heartbeat = heartbeat
        self._queue: asyncio.Queue[SimulatedUser] = asyncio.Queue()
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []
        self._ramps = 0
        self._present: set[SimulatedUser] = set()
        self._settled = asyncio.Event()
        self._settled.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._open = False

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._open = True
        self._tasks = [self._group.create_task(self._dial()) for _ in range(self._dialers)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        for task in self._tasks:
            task.cancel()
        try:
            await self.leave()
        finally:
            for user in self._present:
                user.abort()
            self.wheel.stop()
            self._ways.close()
            await self._group.__aexit__(kind, error, trace)

    # ---- asked for --------------------------------------------------------------------------

    def add(self, names: Iterable[str], *, over: float = 0.0) -> None:
        """Have users of these names connect, evenly over so many seconds; returns at once.

        A name that is here already is connected again if it is not connected.
        """
        wanted = list(names)
        if over > 0 and len(wanted) > 1:
            self._ramps += 1
            self._settled.clear()
            self._tasks.append(self._group.create_task(self._ramp(wanted, over)))
        else:
            for name in wanted:
                self._add(name)

    def reconnect(self, names: Iterable[str]) -> None:
        """Connect these users again; connected ones are moved: dropped and connected anew."""
        for name in names:
            self._want(self.users[name])

    def disconnect(self, names: Iterable[str]) -> None:
        """Disconnect these users; from this moment a push to them is not expected to arrive."""
        for name in names:
            self.users[name].disconnect()

    async def settled(self) -> None:
        """Return when no user is still on its way to its first connection: all are connected,
        reconnecting, disconnected or failed."""
        await self._settled.wait()

    async def leave(self, within: float = 6.0) -> bool:
        """Disconnect everybody; return whether all connections ended in time, aborting the rest."""
        for user in list(self._present):
            user.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._empty.wait()
        late = list(self._present)
        for user in late:
            user.abort()
        return not late

    # ---- UserHome ---------------------------------------------------------------------------

    def redial(self, user: SimulatedUser, delay: float) -> None:
        """Have a dialer take this user after ``delay`` seconds."""
        if not self._open:
            self.gone(user)
        elif delay > 0:
            asyncio.get_running_loop().call_later(delay, self._queue.put_nowait, user)
        else:
            self._queue.put_nowait(user)

    def changed(self, user: SimulatedUser, before: UserState) -> None:
        """Count."""
        self.counts[before] -= 1
        self.counts[user.state] += 1
        self._look()

    def gone(self, user: SimulatedUser) -> None:
        """The user has no connection and will not make one."""
        self._present.discard(user)
        if not self._present:
            self._empty.set()

    # ---- inside -----------------------------------------------------------------------------

    def _add(self, name: str) -> None:
        user = self.users.get(name)
        if user is None:
            way = self._ways.of(name)
            user = self.users[name] = SimulatedUser(
                name,
                way.url,
                self._destination,
                self._sink,
                self._reconnect,
                home=self,
                heartbeat=self._heartbeat,
                connect=way.connect,
                transport=way.transport,
            )
            self.counts[user.state] += 1
        if not user.wanted:
            self._want(user)

    def _want(self, user: SimulatedUser) -> None:
        self._present.add(user)
        self._empty.clear()
        user.want()

    def _look(self) -> None:
        if self.counts["connecting"] or self._ramps:
            self._settled.clear()
        else:
            self._settled.set()

    async def _ramp(self, names: Sequence[str], over: float) -> None:
        start = now()
        try:
            for index, name in enumerate(names):
                wait = start + over * index / len(names) - now()
                if wait > 0.002:
                    await asyncio.sleep(wait)
                self._add(name)
        finally:
            self._ramps -= 1
            self._look()

    async def _dial(self) -> None:
        while True:
            user = await self._queue.get()
            await user.dial(self._dial_timeout)
