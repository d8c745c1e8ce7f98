"""Opening a connection to one node of a broker: TCP or TLS, and what went wrong in words."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import TypeVar

from core.errors import UsageError
from core.reasons import reason_of

from .addresses import StompAddress, Tls

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)


def tls_context(tls: Tls | None) -> ssl.SSLContext | None:
    """What TLS connections to a broker are made with; None for plain TCP.

    Raises:
        UsageError: A file is missing or is not what it should be.
    """
    if tls is None:
        return None
    cafile = _readable("cafile", tls.cafile)
    certfile, keyfile = _readable("certfile", tls.certfile), _readable("keyfile", tls.keyfile)
    try:
        context = ssl.create_default_context(cafile=cafile)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(
            f"the broker's cafile {cafile} holds no certificate: {_reason(error)}",
            hint="give the authority's certificate as a PEM file",
        ) from None
    if certfile is not None:
        try:
            # An encrypted key would ask for its password at the terminal.
            context.load_cert_chain(certfile, keyfile, password=lambda: "")
        except (ssl.SSLError, OSError) as error:
            raise UsageError(
                f"our certificate for the broker cannot be used: {_reason(error)}",
                hint="certfile and keyfile are PEM files that belong together; the key has no password",
            ) from None
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def dial(
    node: StompAddress, context: ssl.SSLContext | None, make: Callable[[], _Protocol]
) -> _Protocol:
    """Connect to one node; TLS is up when this returns.

    Raises:
        OSError: It did not come to that; :func:`trouble_of` has words for it.
    """
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(
        make, node.host, node.port, ssl=context, server_hostname=node.host if context is not None else None
    )
    return protocol


def trouble_of(error: OSError, node: StompAddress) -> str:
    """Why a node could not be connected to, and what to do if that is known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or reason_of(error)
        advice = "name its authority with ?cafile=…" if "self" in why or "issuer" in why else ""
        text = f"the certificate of {node.host}:{node.port} is not trusted: {why.rstrip('.')}"
        return f"{text}; {advice}" if advice else text
    if isinstance(error, ssl.SSLError):
        why = _reason(error)
        if "WRONG_VERSION" in why or "RECORD_LAYER" in why or "UNKNOWN_PROTOCOL" in why:
            return f"{node.host}:{node.port} does not speak TLS; {node.language}:// is without"
        return f"TLS with {node.host}:{node.port} failed: {why}"
    if isinstance(error, ConnectionAbortedError | ConnectionResetError) and node.tls is not None:
        return f"{node.host}:{node.port} ended the TLS handshake"
    return reason_of(error)


def _readable(what: str, file: str | None) -> str | None:
    if file is not None and not os.access(file, os.R_OK):
        raise UsageError(
            f"the broker's {what} {file} cannot be read", hint="the path is seen from where we were started"
        )
    return file


def _reason(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else ""
    return reason or reason_of(error)
