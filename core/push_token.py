"""The token of ``PUSHSCOPE_TOKEN``: by it programs push and read the admin endpoints of what wants it.

Servers compare it (:mod:`server.access.rule`), our pushers and checks carry it. It is looked up where it
is used and travels in no message, so that it gets into no file and no list of processes. It is given to
nobody who has not asked for it: see :data:`CHALLENGE`.
"""

from __future__ import annotations

import os
from typing import Final

from .errors import UsageError

TOKEN_VARIABLE: Final = "PUSHSCOPE_TOKEN"
#: ``WWW-Authenticate`` of our 401: who sees it knows that this token is wanted, and not another.
CHALLENGE: Final = 'Bearer realm="pushscope admin"'


def push_token() -> str:
    """The token of the environment, "" if there is none.

    Raises:
        UsageError: it cannot be the value of a header; the text does not quote it.
    """
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token.isascii() or not token.isprintable() or token != token.strip():
        raise UsageError(
            f"{TOKEN_VARIABLE} cannot be sent as a header",
            tried="read the token of the push API",
            hint="printable ASCII without blanks around it, as openssl rand -hex 32 makes it",
        )
    return token


def push_headers() -> dict[str, str]:
    """What a request to one of ours carries: ``Authorization`` with the token, or nothing without one.

    Raises:
        UsageError: as :func:`push_token`.
    """
    token = push_token()
    return {"Authorization": f"Bearer {token}"} if token else {}
