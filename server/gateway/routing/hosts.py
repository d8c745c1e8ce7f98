"""Host patterns: Spring's Ant style with a dot between segments (pure).

``**`` any number of segments, ``*`` within one, ``?`` one character, ``{name}`` a variable within
one (without an expression, unlike Spring's). Compared with the Host header as it came, port and
all (docs/wire/gateway.md §2), but whatever its case: names of hosts have none.
"""

from __future__ import annotations

import re

_LONGEST = 300
_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class HostPattern:
    """One compiled pattern.

    Raises:
        ValueError: the pattern is not understood.
    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > _LONGEST:
            raise ValueError(f"a host pattern has {_LONGEST} characters at most")
        self.pattern = pattern
        names: list[str] = []
        self._regex = re.compile(_regex(pattern.split("."), names), re.ASCII | re.IGNORECASE)
        self.names = frozenset(names)

    def __repr__(self) -> str:
        return f"HostPattern({self.pattern!r})"

    def match(self, host: str) -> dict[str, str] | None:
        """The captured variables if ``host`` matches, else None."""
        if len(host) > _LONGEST:
            return None
        found = self._regex.fullmatch(host)
        return found.groupdict() if found is not None else None

    def covers(self, other: HostPattern) -> bool:
        """Whether every host of ``other`` certainly matches too; cautious."""
        if self.takes_all or self.pattern.lower() == other.pattern.lower():
            return True
        suffix = self.pattern.removeprefix("**.")
        literal = suffix != self.pattern and not set(suffix) & set("*?{}")
        return literal and f".{other.pattern}".lower().endswith(f".{suffix}".lower())

    @property
    def takes_all(self) -> bool:
        """Whether every host matches."""
        return self.pattern == "**"


def _regex(segments: list[str], names: list[str]) -> str:
    """Segments as one expression; two ``**`` in a row are one."""
    out = ""
    dot = ""  # what stands before the next segment
    for number, segment in enumerate(segments):
        if segment != "**":
            if "**" in segment:
                raise ValueError(f"'**' is a whole segment of a host pattern: {segment!r}")
            out, dot = out + dot + _segment(segment, names), r"\."
        elif number and segments[number - 1] == "**":
            continue
        elif all(left == "**" for left in segments[number:]):
            return out + (r"(?:\.[^.]+)*" if out else ".*")
        else:
            out, dot = f"{out}{dot}(?:[^.]+\\.)*?", ""
    return out


def _segment(text: str, names: list[str]) -> str:
    out: list[str] = []
    at = 0
    while at < len(text):
        sign = text[at]
        if sign != "{":
            out.append({"?": "[^.]", "*": "[^.]*"}.get(sign) or re.escape(sign))
            at += 1
            continue
        match = _VARIABLE.match(text, at)
        if match is None:
            raise ValueError(f"a variable of a host is written {{name}}: {text!r}")
        at = match.end()
        if match[1] in names:
            raise ValueError(f"a variable is there twice in {text!r}")
        names.append(match[1])
        out.append(f"(?P<{match[1]}>[^.]+)")
    return "".join(out)
