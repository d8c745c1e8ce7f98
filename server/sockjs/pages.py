"""What needs no session: greeting, ``/info`` and the iframe page (docs/wire/sockjs.md §2)."""

from __future__ import annotations

import hashlib
import json
import secrets
from html import escape
from typing import Any, Final

from ..access.origins import Origins
from ..settings.sockjs import SockJsSettings
from .answers import HTML, JSON, PLAIN, Answer, Scope, cached_for_a_year
from .cors import find
from .dialect import Dialect

GREETING: Final = Answer(200, b"Welcome to SockJS!\n", (PLAIN,))

_IFRAME: Final = """<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="{client_url}"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
"""
#: Tabs, a title, and the older order: a function that the client library calls when it has loaded.
_SPRING_IFRAME: Final = """<!DOCTYPE html>
<html>
<head>
\t<meta http-equiv="X-UA-Compatible" content="IE=edge" />
\t<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
\t<title>SockJS iframe</title>
\t<script>
\t\tdocument.domain = document.domain;
\t\t_sockjs_onload = function(){{SockJS.bootstrap_iframe();}};
\t</script>
\t<script src="{client_url}"></script>
</head>
<body>
\t<h2>Don't panic!</h2>
\t<p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>
"""


def info(settings: SockJsSettings, dialect: Dialect) -> Answer:
    """What a client asks first; it measures the round trip by it. Not cacheable, which the caller adds."""
    entropy = secrets.randbits(32)
    content: dict[str, Any] = {
        "websocket": settings.websocket,
        "origins": ["*:*"],
        "cookie_needed": settings.cookie_needed,
        "entropy": entropy,
    }
    if dialect.signed_entropy:  # and Spring's order
        content["entropy"] = entropy - (1 << 31)
        content = {name: content[name] for name in ("entropy", "origins", "cookie_needed", "websocket")}
    if settings.base_url:
        content["base_url"] = settings.base_url
    return Answer(200, json.dumps(content, separators=(",", ":")).encode(), (JSON,))


class IframePage:
    """The page that lets other domains use a transport without CORS.

    Where only listed origins may connect there is none: it would work for any page. Where only our
    own origin may, no other page may frame it.
    """

    def __init__(self, settings: SockJsSettings, dialect: Dialect) -> None:
        template = _IFRAME if dialect.cached_iframe else _SPRING_IFRAME
        self._body = template.format(client_url=escape(settings.client_url)).encode()
        self._etag = b'"%b"' % hashlib.sha256(self._body).hexdigest()[:32].encode()
        self._dialect = dialect

    def answer(self, scope: Scope, origins: Origins) -> Answer | None:
        """The page, 304 if the client has it, or None if there is none."""
        if origins.listed and not origins.anywhere:
            return None
        headers = ((b"etag", self._etag),)
        if self._dialect.cached_iframe:
            headers += cached_for_a_year()
        else:
            headers += ((b"cache-control", self._dialect.no_cache),)
        if not origins.anywhere:
            headers += ((b"x-frame-options", b"SAMEORIGIN"),)
        if self._etag in find(scope, b"if-none-match"):
            return Answer(304, b"", headers)
        return Answer(200, self._body, (HTML, *headers))
