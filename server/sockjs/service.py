"""A SockJS service as an ASGI application: any application, at any prefix.

Mount it, ``Mount("/echo", SockJsService(application))``. It needs no lifespan; whoever stops the
server gracefully calls :meth:`SockJsService.stop` before the connections are closed.
"""

from __future__ import annotations

from typing import Any

from starlette import types

from core.errors import CloseCode

from ..access.admission import Admission, Anyone, NamedByHost, UserOf
from ..access.origins import Origins
from ..connections.mount import path_in
from ..settings.sockjs import SockJsSettings
from ..sockets.path_parameters import plain_scope
from .application import Application
from .dialect import DIALECTS
from .exchanges import Exchanges
from .handshakes import Handshakes
from .paths import Target, target_of
from .table import SessionTable


class SockJsService:
    """Serves one application over every transport of SockJS 0.3.

    Args:
        application: Called with each new session.
        settings: What differs from the defaults.
        origins: Which pages may connect, instead of the settings' list.
        user_of: Names the user of a request that begins a session (with ``bind_sessions`` of every
            request) from its ASGI scope: "" for nobody, None to refuse it.
        admission: Who may begin a session, and as whom, instead of ``user_of``.
        subprotocols: WebSocket subprotocols that the application speaks, in lower case.
    """

    def __init__(
        self,
        application: Application,
        settings: SockJsSettings | None = None,
        *,
        origins: Origins | None = None,
        user_of: UserOf | None = None,
        admission: Admission | None = None,
        subprotocols: tuple[str, ...] = (),
    ) -> None:
        self.settings = settings = settings or SockJsSettings()
        origins = origins or Origins(settings.allowed_origins)
        self._parameters = DIALECTS[settings.dialect].parameters
        admission = admission or (Anyone() if user_of is None else NamedByHost(user_of))
        self._table = SessionTable(settings, application)
        self._handshakes = Handshakes(settings, origins, application, admission, subprotocols)
        self._exchanges = Exchanges(settings, origins, self._table, admission)

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """One request or connection; paths count from where the service is mounted."""
        given: Any = (scope, receive, send)
        if scope["type"] == "lifespan":  # where it is not mounted but the server's application
            await self._live(receive, send)
            return
        target = self._target(given[0])
        if scope["type"] == "websocket":
            await self._handshakes.serve(target, *given)
        else:
            await self._exchanges.serve(target, *given)

    def _target(self, scope: dict[str, Any]) -> Target | None:
        if not self._parameters:
            return target_of(path_in(scope))
        target = target_of(path_in(plain_scope(scope)))
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        # Behind the name of a transport Spring wants none (docs/wire/sockjs.md §9).
        return None if target is not None and target.session and b";" in raw.rpartition(b"/")[2] else target

    async def _live(self, receive: types.Receive, send: types.Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop(0)
                await send({"type": "lifespan.shutdown.complete"})
                return

    @property
    def sessions(self) -> int:
        """How many sessions there are, with those that have ended and still answer."""
        return len(self._table) + len(self._handshakes.sessions)

    def close(self, code: int = CloseCode.GOING_AWAY, reason: str = "the server stops") -> None:
        """End all sessions and begin none any more."""
        self._handshakes.close_all(code, reason)
        self._table.close_all(code, reason)

    async def stop(self, within: float = 1.0) -> None:
        """End all sessions; return when every client has taken what waited for it and the close frame.

        Requests must still be answered meanwhile: a polling client comes for both, one by one.

        Args:
            within: Seconds after which clients that have not come are let go.
        """
        self.close()
        await self._table.drain(within)
        self._table.forget_all()

    def abandon(self) -> None:
        """Forget all sessions at once, without a word to clients or application: the server has died."""
        self._table.abandon()
