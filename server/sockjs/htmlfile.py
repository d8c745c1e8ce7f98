"""The transport htmlfile: a page that never ends, for very old Internet Explorers.

See docs/wire/sockjs.md §5.
"""

from __future__ import annotations

from typing import Final

from core.protocol.sockjs import htmlfile_chunk

from .dialect import SPRING, Dialect
from .receiving import Transport

#: The browser shows nothing before it has this much.
_LEAST: Final = 1024
_LONGEST_CALLBACK: Final = 256
_PAGE: Final = """<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.%s;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>"""


def _wrap(frame: bytes, callback: str) -> bytes:
    return htmlfile_chunk(frame)


def _prelude(callback: str) -> bytes:
    return (_PAGE % callback).ljust(_LEAST + 1).encode() + b"\r\n\r\n"


def _spring_prelude(callback: str) -> bytes:
    page = _PAGE.replace("<!doctype", "<!DOCTYPE").replace("  ", "\t")
    return (page % callback).ljust(_LEAST + 1).encode() + b"\r\n\r\n"


def htmlfile(dialect: Dialect) -> Transport:
    """The transport as a dialect has it."""
    return Transport(
        name="htmlfile",
        streaming=True,
        content_type=b"text/html; charset=UTF-8",
        wrap=_wrap,
        prelude=_spring_prelude if dialect is SPRING else _prelude,
        longest_callback=_LONGEST_CALLBACK,
    )
