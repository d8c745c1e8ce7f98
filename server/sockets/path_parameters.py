"""Parameters in a path, as ``;jsessionid=1`` in ``/ws;jsessionid=1/info``: they are no part of it.

Servlet containers write a session's id so where there are no cookies, and Spring does not look at them
(``UrlPathHelper``, ``PathPattern``). A semicolon that is percent-encoded begins none.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote

_PARAMETERS: Final = re.compile(r";[^/]*")


def without_parameters(path: str) -> str:
    """A path without the parameters of its segments; it is still percent-encoded."""
    return _PARAMETERS.sub("", path) if ";" in path else path


def plain_scope(scope: dict[str, Any]) -> dict[str, Any]:
    """An ASGI scope whose ``path`` has no parameters; ``raw_path`` keeps them."""
    path: str = scope["path"]
    if ";" not in path:
        return scope
    raw: bytes | None = scope.get("raw_path")
    if raw is None:  # a server may leave it out, and then nothing tells an encoded one apart
        return {**scope, "path": without_parameters(path)}
    return {**scope, "path": unquote(without_parameters(raw.partition(b"?")[0].decode("latin-1")))}
