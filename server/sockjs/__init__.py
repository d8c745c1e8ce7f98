"""A SockJS server: any application over WebSocket and its fallbacks, mountable in any ASGI server.

::

    async def echo(conversation: Conversation) -> None:
        async for message in conversation:
            conversation.send(message)

    app = Starlette(routes=[Mount("/echo", SockJsService(Conversations(echo)))])
"""

from .application import Application, Connection, Listener, Message, Request
from .conversation import Conversation, Conversations
from .echo import Echo
from .service import SockJsService
from .settings import SockJsSettings, spring_settings

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
