"""Who cuts a connection over which nothing goes, after how long, and what keeps it alive.

The article's first problem: behind Zuul, connections of users to whom nothing was pushed were lost.
Three connections are held side by side: one without any heart-beat, one with STOMP's, one of SockJS,
whose server sends its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from ..client import StompClient
from ..clock import now
from ..environment import EnvironmentInfo
from ..errors import ConnectionClosed, PushscopeError, TargetUnreachable
from ..transport import CloseInfo

IdleKind = Literal["silent", "stomp", "sockjs"]

#: How a connection fared: it stood; its end was told (closed) or just came (cut); it was gone without
#: a word (dead); or it was never there, which is no fault of a service without SockJS (refused).
Fate = Literal["alive", "closed", "cut", "dead", "refused"]

#: Seconds for connecting, and for the goodbye that shows whether a silent connection still stands.
_WITHIN: Final = 5.0
_NO_CLOSE_FRAME: Final = 1006


@dataclass(frozen=True, slots=True)
class IdleFinding:
    """How one connection fared.

    Attributes:
        kind: ``silent`` has no heart-beats, ``stomp`` STOMP's, ``sockjs`` those of a SockJS server.
        fate: See :data:`Fate`.
        seconds: How long it stood, or was waited for.
        heartbeat: The server's heart-beat header (ms that it can send, wants); "0,0": none.
        close: Code and reason of its end, if it was closed or cut; why it was refused.
    """

    kind: IdleKind
    fate: Fate
    seconds: float
    heartbeat: str = "0,0"
    close: CloseInfo | None = None

    @property
    def lost(self) -> bool:
        """Whether it ended before its time."""
        return self.fate in ("closed", "cut", "dead")


async def check_idle(
    info: EnvironmentInfo,
    seconds: float,
    *,
    heartbeat_ms: int = 10_000,
    show: Callable[[IdleFinding], None],
) -> dict[IdleKind, IdleFinding]:
    """Hold the three connections for ``seconds`` and tell how each fared.

    Args:
        info: Where users connect.
        seconds: How long nothing is said.
        heartbeat_ms: What the connection with STOMP's heart-beats asks for, both ways.
        show: Called with each finding as soon as it is one.

    Raises:
        PushscopeError: no WebSocket connection could be made.
    """

    async def one(kind: IdleKind, url: str, heartbeat: int) -> IdleFinding:
        user = f"idle-{kind}"
        token = token_of(user) if token_of is not None else None
        finding = await _hold(kind, url.replace("{user}", quote(user, safe="")), token, seconds, heartbeat)
        show(finding)
        return finding

    token_of = info.tokens.resolve() if info.tokens is not None else None
    failed: PushscopeError | None = None
    tasks: list[asyncio.Task[IdleFinding]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks.append(group.create_task(one("silent", info.websocket_url, 0)))
            tasks.append(group.create_task(one("stomp", info.websocket_url, heartbeat_ms)))
            tasks.append(group.create_task(one("sockjs", info.sockjs_url, 0)))
    except* PushscopeError as errors:
        failed = next(error for error in errors.exceptions if isinstance(error, PushscopeError))
    if failed is not None:
        raise failed
    return {finding.kind: finding for finding in (task.result() for task in tasks)}


async def _hold(kind: IdleKind, url: str, token: str | None, seconds: float, heartbeat: int) -> IdleFinding:
    client = StompClient(url, token=token, heartbeat=(heartbeat, heartbeat), within=_WITHIN)
    try:
        await client.__aenter__()
    except (TargetUnreachable, ConnectionClosed) as error:
        if kind != "sockjs":
            raise
        return IdleFinding(kind, "refused", 0.0, close=CloseInfo(_NO_CLOSE_FRAME, str(error)))
    begun = now()
    agreed = client.connected.headers.get("heart-beat", "0,0")
    try:
        async with asyncio.timeout(seconds):
            ended = await client.wait_closed()
    except TimeoutError:
        pass
    else:
        return IdleFinding(kind, _fate(ended), now() - begun, agreed, ended)
    held = now() - begun
    # A middlebox may forget a connection without telling anybody: only an answer shows that it stands.
    await client.close()
    dead = _fate(await client.wait_closed()) == "dead"
    return IdleFinding(kind, "dead" if dead else "alive", held, agreed)


def _fate(ended: CloseInfo) -> Fate:
    if ended.code != _NO_CLOSE_FRAME:
        return "closed"
    return "dead" if ended.asked else "cut"  # we gave it up, as no answer or heart-beat came
