"""A FastAPI service that pushes to its users, whichever of its processes they are connected to.

The push endpoint is mounted beside the service's own routes and shares its logins. Run it twice, on one
broker (``pushscope broker --port 61613`` is one, RabbitMQ another), under any ASGI server:

    SHOP_ID=shop-1 uvicorn shop:app --port 8001
    SHOP_ID=shop-2 hypercorn shop:app --bind 127.0.0.1:8002

A page connects its STOMP client to ``ws://127.0.0.1:8001/push/ws`` and subscribes to
``/user/topic/orders``; then, through the other process:

    curl -X POST -H 'Authorization: Bearer token-of-the-warehouse' \
        '127.0.0.1:8002/orders/17/shipped?customer=lijian'
"""

import os
from http.cookies import SimpleCookie
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException
from pushscope.server import InstanceSettings, MountedInstance
from pushscope.server.handlers import message_mapping, send_to_user

# Stands for the service's own users; a real one asks its database.
TOKENS = {"token-of-lijian": "lijian", "token-of-maria": "maria", "token-of-the-warehouse": "warehouse"}


def user_of(scope: dict[str, Any]) -> str | None:
    """Who connects: the bearer token of a program, or the cookie of a page; None is refused."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    token = headers.get("authorization", "").removeprefix("Bearer ")
    if not token and (cookie := SimpleCookie(headers.get("cookie", "")).get("session")):
        token = cookie.value
    return TOKENS.get(token)


@message_mapping("/echo")
@send_to_user("/topic/echo")
def echo(message: str) -> str:
    """What a client sends to ``/app/echo`` comes back to its user."""
    return f"you said {message}"


push = MountedInstance(
    InstanceSettings(
        id=os.environ.get("SHOP_ID", f"shop-{os.getpid()}"),
        service="shop",
        broker_url=os.environ.get("SHOP_BROKER", "stomp://127.0.0.1:61613"),
    ),
    user=user_of,
    admin=True,
    handlers=[echo],
)
app = FastAPI(lifespan=push.lifespan)
app.mount("/push", push)


def signed_in(authorization: Annotated[str, Header()] = "") -> str:
    """The user of a request, as the service's other routes know it."""
    user = TOKENS.get(authorization.removeprefix("Bearer "))
    if user is None:
        raise HTTPException(401, "sign in first")
    return user


@app.post("/orders/{number}/shipped", status_code=202)
async def shipped(number: int, customer: str, by: Annotated[str, Depends(signed_in)]) -> dict[str, str]:
    """Tell a customer, wherever he is connected, that his order is on its way."""
    await push.template.send_to_user(
        customer, "/topic/orders", {"order": number, "state": "shipped", "by": by}, confirm=True
    )
    return {"pushed_by": push.instance.settings.id}
