"""The demo page's files: everything under ``/110000.``, a name that is the article's."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response

from core.errors import UsageError

#: What begins so is the page's, the gateway's own, and no route's.
PREFIX = "/110000."
#: ``/110000.js``, or ``/110000.vendor/sockjs.min.js`` for what ``dev.py page`` has fetched.
_NAME = re.compile(r"/(?:(110000\.[A-Za-z0-9.-]+)|110000\.vendor/([A-Za-z0-9][A-Za-z0-9.-]*))")
_KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".txt": "text/plain",
}
_HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",  # the address may carry an access token
    "x-content-type-options": "nosniff",
}


def demo_folder() -> Path:
    """The folder of the demo page, in a checkout and in the wheel (``assets`` beside ``server``).

    Raises:
        UsageError: it is not there.
    """
    folder = Path(__file__).resolve().parents[2] / "assets" / "demo"
    if not folder.is_dir():
        raise UsageError(
            f"the demo page is missing: {folder}", tried=f"read {folder}", hint="install Pushscope again"
        )
    return folder


class DemoPage:
    """Answers for the page's files, those of ``folder`` or our own.

    Raises:
        UsageError: our own are not there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or demo_folder()

    def answer(self, path: str) -> Response:
        """The file of a path that begins with :data:`PREFIX`, or 404.

        Without the fetched libraries ``/110000.vendor/libraries.json`` is an empty object, so that
        the page learns it without an error in the browser's console.
        """
        match = _NAME.fullmatch(path)
        if match is not None:
            name, library = match.groups()
            file = self._folder / name if name else self._folder / "vendor" / library
            kind = _KINDS.get(file.suffix)
            if kind is not None and file.is_file():
                return FileResponse(file, headers=_HEADERS, media_type=kind)
            if library == "libraries.json":
                return Response("{}\n", headers=_HEADERS, media_type=_KINDS[".json"])
        return PlainTextResponse(f"the demo page has no {path}\n", 404)
