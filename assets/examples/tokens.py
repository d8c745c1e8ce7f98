"""A FastAPI service that gives its pages access tokens and takes them at its push endpoint.

    SHOP_SECRET=$(openssl rand -hex 32) uvicorn tokens:app --port 8001

A page signs in and connects its STOMP client (or sockjs-client, whose transports all take the query along)
to ``ws://127.0.0.1:8001/push/ws?access_token=…``; programs may send ``Authorization: Bearer …``:

    curl -X POST '127.0.0.1:8001/sign-in?user=lijian&password=sesame'

Whoever comes without a token, with another's or with an old one gets 401 before anything is upgraded. With
several processes give each ``InstanceSettings`` an id and a broker, as in shop.py.
"""

import logging
import os
import time

import jwt
from fastapi import FastAPI, HTTPException
from pushscope.server import HideTokens, InstanceSettings, MountedInstance, TokenSettings
from pushscope.server.handlers import ClientFrame, Denied

SECRET = os.environ["SHOP_SECRET"]
# Stands for the service's own users; a real one asks its database.
USERS = {"lijian": ("sesame", "customer"), "maria": ("sesame", "clerk")}


def only_clerks_send(frame: ClientFrame) -> None:
    """The claims of a token are there for rules: the principal is one of the session's attributes."""
    if frame.command == "SEND" and frame.attributes["principal"].claims["role"] != "clerk":
        raise Denied("clerks only")


push = MountedInstance(
    InstanceSettings(service="shop", tokens=TokenSettings(secret=SECRET, audience="push")),
    interceptors=[only_clerks_send],
)
app = FastAPI(lifespan=push.lifespan)
app.mount("/push", push)
# uvicorn's logs have the query of every request.
for name in ("uvicorn.access", "uvicorn.error"):
    logging.getLogger(name).addFilter(HideTokens())


@app.post("/sign-in")
async def sign_in(user: str, password: str) -> dict[str, str]:
    """A token for an hour."""
    known, role = USERS.get(user, ("", ""))
    if not known or password != known:
        raise HTTPException(401, "wrong name or password")
    claims = {"sub": user, "role": role, "aud": "push", "exp": int(time.time()) + 3600}
    return {"access_token": jwt.encode(claims, SECRET, "HS256")}
