"""Somebody's deployment as data: where users connect and where pushes go, from a file or from options.

A file is TOML: ``gateway`` and ``[[instances]]`` with ``id`` and ``url``, optionally ``name``,
``websocket``, ``test_path`` and a table ``[tokens]``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from .errors import UsageError
from .tokens import TokenSource
from .toml_file import Mistake, TomlFile

_BRACES: Final = re.compile(r"\{([^{}]*,[^{}]*)\}")

#: What an instance may be called; no dots: ids are split at them.
INSTANCE_NAME: Final = re.compile(r"[\w-]{1,40}")

#: Where the article's gateway has its WebSocket endpoint.
_USUAL_PATH: Final = "/web-socket/ws"
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class PushAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One instance: ``url`` is the base for ``/push`` and for the deployment's ``test_path``."""

    id: str
    url: str


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where users connect, and how each instance is asked to push.

    Attributes:
        gateway: URL of the gateway (http or ws). Without a path, the article's ``/web-socket/ws``
            is taken for the WebSocket endpoint.
        instances: Those that are asked to push.
        name: For people and reports; the gateway's host and port if empty.
        websocket: Where users connect, if that does not follow from the gateway; ``{user}`` stands
            for the user's name.
        sockjs: Where users with a transport of SockJS connect: its base URL, if that is not the one of
            ``websocket`` with ``http``.
        test_path: Path and query of the push API that takes nothing but a user, below an
            instance's ``url``.
        tokens: Where users get access tokens from, if they need them.
    """

    gateway: str
    instances: tuple[PushAddress, ...]
    name: str = ""
    websocket: str = ""
    sockjs: str = ""
    test_path: str = "/test?username={user}"
    tokens: TokenSource | None = None

    @property
    def title(self) -> str:
        """Its name, or the gateway's host and port."""
        return self.name or urlsplit(self.gateway).netloc

    @property
    def websocket_url(self) -> str:
        """Where users connect, with ``{user}`` for the user's name."""
        if self.websocket:
            return self.websocket
        parts = urlsplit(self.gateway)
        path = parts.path if parts.path not in ("", "/") else _USUAL_PATH
        query = f"?{parts.query}" if parts.query else "?user={user}"
        return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}{query}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that is talked to, without ports."""
        urls = (self.websocket_url, *filter(None, (self.sockjs,)), *(each.url for each in self.instances))
        return tuple(dict.fromkeys(urlsplit(url).hostname or "" for url in urls))


def load_deployment(path: str | Path) -> Deployment:
    """Read an environment file.

    Raises:
        ScenarioError: it cannot be read or says something that makes no sense; names file, key
            and line.
    """
    source = TomlFile.read(path)
    deployment = source.convert(source.values(), Deployment)
    source.refuse(deployment_mistakes(deployment))
    return deployment


def deployment_mistakes(deployment: Deployment) -> Iterator[Mistake]:
    """Everything in a deployment that makes no sense, in the order of its fields."""
    yield from _address_mistakes(("gateway",), deployment.gateway, tuple(_SCHEMES))
    if not deployment.instances:
        yield Mistake(("instances",), "lists nobody to push through", "write [[instances]] with id and url")
    taken: set[str] = set()
    for number, instance in enumerate(deployment.instances):
        if not INSTANCE_NAME.fullmatch(instance.id):
            hint = "letters, digits, '-' and '_', at most 40"
            yield Mistake(("instances", number, "id"), f"{instance.id!r} is no name of an instance", hint)
        if instance.id in taken:
            yield Mistake(("instances", number, "id"), f"there are two instances {instance.id!r}")
        taken.add(instance.id)
        yield from _address_mistakes(("instances", number, "url"), instance.url, ("http", "https"))
        if "?" in instance.url:
            hint = "say it in test_path"
            yield Mistake(("instances", number, "url"), f"{instance.url!r} has a query", hint)
    if deployment.websocket:
        yield from _address_mistakes(("websocket",), deployment.websocket, ("ws", "wss"))
    if deployment.sockjs:
        yield from _address_mistakes(("sockjs",), deployment.sockjs, ("http", "https"))
    if deployment.tokens is not None:
        yield from (
            msgspec.structs.replace(each, path=("tokens", *each.path))
            for each in deployment.tokens.mistakes()
        )
    if not deployment.test_path.startswith("/") or "{user}" not in deployment.test_path:
        message = f"{deployment.test_path!r} does not start with '/' and say where {{user}} goes"
        yield Mistake(("test_path",), message, "as in '/test?username={user}'")


def _address_mistakes(path: tuple[str | int, ...], url: str, schemes: tuple[str, ...]) -> Iterator[Mistake]:
    parts = _address(url, schemes)
    if parts is None:
        usual = {"ws": "ws://HOST:PORT/PATH?user={user}"}.get(schemes[0], "http://HOST:PORT")
        yield Mistake(path, f"{url!r} is not an address ({' or '.join(schemes)})", f"write {usual}")
    elif "@" in parts.netloc:
        yield Mistake(path, "holds a password or login, which would get into reports", "leave it out")


def _address(url: str, schemes: tuple[str, ...]) -> SplitResult | None:
    """The parts of a URL with a host and a possible port, else None."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in schemes and parts.hostname and port != 0 else None


def expand_braces(template: str) -> list[str]:
    """``http://h:{8080,8081}/x`` as a shell expands it; ``{user}`` has no comma and stays."""
    pieces = _BRACES.split(template)
    choices = [
        [word.strip() for word in piece.split(",")] if at % 2 else [piece] for at, piece in enumerate(pieces)
    ]
    return ["".join(chosen).strip() for chosen in itertools.product(*choices)]


def deployment_of(gateway: str, push: str) -> Deployment:
    """The deployment that ``--gateway`` and ``--push`` name.

    Args:
        gateway: As in :class:`Deployment`.
        push: URL template that makes an instance push to ``{user}``; alternatives in braces name
            the instances: ``http://h:{8080,8081}/test?username={user}``.

            Empty: nobody pushes, users only connect.

    Raises:
        UsageError: one of the two is no such URL.
    """
    if _address(gateway, tuple(_SCHEMES)) is None:
        raise UsageError(f"--gateway {gateway}: not an address", hint="write http://HOST:PORT or ws://…/PATH")
    if not push:
        return Deployment(gateway, ())
    if "{user}" not in push:
        raise UsageError(
            f"--push {push}: does not say where the user's name goes",
            hint="as in 'http://localhost:{8080,8081}/test?username={user}'",
        )
    test_path = ""
    instances: dict[str, PushAddress] = {}
    for url in expand_braces(push):
        parts = _address(url, ("http", "https"))
        if parts is None:
            raise UsageError(f"--push {url}: not an HTTP address", hint="write http://HOST:PORT/PATH")
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        if test_path not in ("", path):
            raise UsageError(f"--push {push}: instances differ in more than their address")
        test_path = path
        name = _instance_name(parts, instances)
        instances[name] = PushAddress(name, f"{parts.scheme}://{parts.netloc}")
    return Deployment(gateway, tuple(instances.values()), test_path=test_path)


def _instance_name(parts: SplitResult, taken: dict[str, PushAddress]) -> str:
    """The port names an instance; with its host where ports repeat. No dots: ids are split at them."""
    host = (parts.hostname or "").replace(".", "-")
    plain = str(parts.port or host)
    return plain if plain not in taken else f"{host}-{parts.port or ''}"
