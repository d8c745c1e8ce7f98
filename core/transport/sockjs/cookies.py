"""The cookies of one session: what a load balancer goes by (docs/wire/sockjs.md §7)."""

from __future__ import annotations

#: More than this is no load balancer's business.
_MOST = 20
_LONGEST = 4096


class Cookies:
    """Names and values that one service has set; all go with every request to it.

    Paths, domains and ages are not looked at: a session's requests all go to one service, and it is
    over before a cookie is.
    """

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, str] | None = None

    @property
    def header(self) -> str:
        """The value of a Cookie header, or ""."""
        return "; ".join(f"{name}={value}" for name, value in self._values.items()) if self._values else ""

    def take(self, set_cookies: list[str]) -> bool:
        """Keep what ``Set-Cookie`` headers say; whether anything is new."""
        before = self.header
        for text in set_cookies:
            name, equals, value = text.partition(";")[0].strip().partition("=")
            if not equals or not name or len(text) > _LONGEST:
                continue
            if self._values is None:
                self._values = {}
            if name in self._values or len(self._values) < _MOST:
                self._values[name] = value
        return self.header != before
