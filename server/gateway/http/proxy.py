"""Plain HTTP through the gateway: an ASGI application."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive, Scope, Send

from ..edge import Edge
from .body import BodyError, ClientGone
from .exchange import Exchange, Failure
from .pool import UpstreamPool


class HttpProxy:
    """Proxies what no page of the gateway itself takes. Use as an async context manager.

    It runs under :class:`..protocol.GatewayProtocol` only, which tells it when a client leaves.

    Attributes:
        pool: The connections to instances.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.pool = UpstreamPool(edge.dialler)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        exchange = Exchange(self._edge, self.pool, scope, receive, send)
        try:
            await exchange.run()
        except Failure as failure:
            await exchange.fail(failure.status, failure.message, **failure.details)
        except BodyError as error:
            await exchange.fail(error.status, error.message)
        except ClientGone:
            exchange.log(499)
        except asyncio.CancelledError:
            # The gateway stops, and this had its time (the listener's grace); nobody awaits us.
            await exchange.fail(503, "the gateway is stopping")
