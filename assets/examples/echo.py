"""A Starlette service with a SockJS echo: WebSocket, and all its fallbacks, at one URL.

    uvicorn echo:app --port 8001

A page connects with ``new SockJS("http://127.0.0.1:8001/echo")`` (the greeting of ``/echo/`` says that
it is there). Anything else than an echo is another coroutine; ``conversation.request`` tells it who
connects.
"""

from pushscope.server.sockjs import Conversation, Conversations, SockJsService, SockJsSettings
from starlette.applications import Starlette
from starlette.routing import Mount


async def echo(conversation: Conversation) -> None:
    """Send back what one client sends, at the pace at which it reads."""
    async for message in conversation:
        conversation.send(message)
        await conversation.drain()


# Without allowed_origins any page may connect, which is SockJS's custom; () would be our own pages only.
settings = SockJsSettings(allowed_origins=("http://localhost:3000", "http://127.0.0.1:3000"))
app = Starlette(routes=[Mount("/echo", SockJsService(Conversations(echo), settings))])
