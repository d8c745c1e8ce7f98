"""A SockJS server: any application over WebSocket and its fallbacks, mountable in any ASGI server.

::

    async def echo(conversation: Conversation) -> None:
        async for message in conversation:
            conversation.send(message)

    app = Starlette(routes=[Mount("/echo", SockJsService(Conversations(echo)))])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings.sockjs import SockJsSettings as SockJsSettings
    from ..settings.sockjs import spring_settings as spring_settings
    from .application import Application as Application
    from .application import Connection as Connection
    from .application import Listener as Listener
    from .application import Message as Message
    from .application import Request as Request
    from .conversation import Conversation as Conversation
    from .conversation import Conversations as Conversations
    from .echo import Echo as Echo
    from .service import SockJsService as SockJsService

__all__ = [
    "Application",
    "Connection",
    "Conversation",
    "Conversations",
    "Echo",
    "Listener",
    "Message",
    "Request",
    "SockJsService",
    "SockJsSettings",
    "spring_settings",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Loaded when it is asked for: an instance's settings hold ours, and its parts need its settings.
    from ..settings import sockjs as settings
    from . import application, conversation, echo, service

    modules = (application, conversation, echo, service, settings)
    return next(getattr(module, name) for module in modules if hasattr(module, name))
