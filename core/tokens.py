"""Access tokens of simulated users: where they come from, so that secrets stay where they are.

What travels to workers and stands in files are names of environment variables and files; a worker looks
them up itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from .errors import UsageError
from .reasons import reason_of
from .toml_file import Mistake

_LARGEST_FILE: Final = 64 * 1024 * 1024
#: Life of a token that is made here; users get a new one with each connection.
_LIFE_S: Final = 3600
#: RFC 7518 §3.2.
_SHORTEST_SECRET: Final = 32

#: The access token of a user.
TokenOf = Callable[[str], str]


class TokenSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where users get their access tokens from; exactly one of the three is given.

    Attributes:
        env: Environment variable with the token of everybody; ``{user}`` in it is replaced.
        secret_env: Environment variable with a secret of HS256, with which every user's token is made:
            a JWT with the user's name for ``sub``, valid for an hour.
        file: A file with a line for each user: the name, a blank, the token.
    """

    env: str = ""
    secret_env: str = ""
    file: str = ""

    def mistakes(self) -> Iterator[Mistake]:
        """What makes no sense in it."""
        if sum(map(bool, (self.env, self.secret_env, self.file))) != 1:
            yield Mistake((), "names not exactly one source", "write env, secret_env or file")

    def resolve(self) -> TokenOf:
        """What gives a user's token.

        Raises:
            UsageError: the source is not there, or not what it should be.
        """
        if self.file:
            return _from_file(self.file)
        if self.secret_env:
            secret = _variable(self.secret_env)
            if len(secret.encode()) < _SHORTEST_SECRET:
                raise UsageError(
                    f"{self.secret_env}: too short for HS256", hint=f"at least {_SHORTEST_SECRET} bytes"
                )
            return lambda user: _signed(user, secret)
        template = _variable(self.env)
        return lambda user: template.replace("{user}", user)


def with_token(url: str, token: str) -> str:
    """The URL with the token in its query, where every transport takes it along."""
    return f"{url}{'&' if urlsplit(url).query else '?'}access_token={quote(token, safe='')}"


def _variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(f"the environment variable {name} is not set", tried="get the users' access tokens")
    return value


def _signed(user: str, secret: str) -> str:
    import jwt  # takes its time to load, and few runs need it

    return jwt.encode({"sub": user, "exp": int(time.time()) + _LIFE_S}, secret, "HS256")


def _from_file(path: str) -> TokenOf:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(_LARGEST_FILE + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "is not UTF-8 text"
        raise UsageError(
            f"{path}: {reason}", tried="get the users' access tokens", hint="a line for each user: NAME TOKEN"
        ) from error
    if len(text) > _LARGEST_FILE:
        raise UsageError(f"{path}: is larger than {_LARGEST_FILE} characters")
    tokens: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        user, _, token = line.strip().rpartition(" ")
        if line.strip() and not user:
            raise UsageError(f"{path}:{number}: is no line of a user", hint="the name, a blank, the token")
        tokens[user.strip()] = token

    def token_of(user: str) -> str:
        token = tokens.get(user)
        if token is None:
            raise UsageError(f"{path}: has no token for {user!r}", hint="a line for each user")
        return token

    return token_of
