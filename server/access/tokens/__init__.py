"""Access tokens of clients: who may open a session, proven by a JWT or by a function of the application.

Not to be confused with ``PUSHSCOPE_TOKEN``, by which programs may push and read the admin endpoints where an
instance listens on another address than loopback (:mod:`server.access.rule`).
"""

from __future__ import annotations

from ...settings.tokens import TokenSettings
from ..admission import Principal
from .handshake import Authenticate, BadToken, Credentials
from .logs import HideTokens

__all__ = ["Authenticate", "BadToken", "Credentials", "HideTokens", "Principal", "TokenSettings"]
