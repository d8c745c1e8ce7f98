"""Path patterns: Spring's PathPattern, matched against the raw, still encoded path (pure).

``?`` one character, ``*`` within a segment, ``**`` the rest (also none of it), ``{name}`` a
segment, ``{name:regex}`` a part of one that matches, ``{*rest}`` the rest with a name. Parameters
(``;jsessionid=1``) are no part of a segment, nor of a variable. Unlike Spring's, variables keep their
percent-encoding: what is decoded once here and once more behind us could become another path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...sockets.path_parameters import without_parameters
from .java_regex import compile_java

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_VARIABLE = re.compile(rf"\{{({_NAME})(?::((?:[^{{}}]|\{{[^{{}}]*\}})+))?\}}")
_REST = re.compile(rf"/\{{\*({_NAME})\}}")
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class _Segment:
    """What stands between two slashes: a regular expression, and the variables in it.

    ``strict`` is the expression that the text of the segment has to match besides: an
    expression of the user's could reach across slashes in the whole.
    """

    text: str
    regex: str
    names: tuple[str, ...] = ()
    strict: re.Pattern[str] | None = None


class PathPattern:
    """One compiled pattern.

    Args:
        pattern: As Spring writes it.
        trailing_slash: Whether a slash at the end of a path may be there in addition (Spring's
            ``matchTrailingSlash``, on up to 4.x).

    Raises:
        ValueError: the pattern is not understood; the text says why.
    """

    def __init__(self, pattern: str, trailing_slash: bool = True) -> None:
        if len(pattern) > _LONGEST:
            raise ValueError(f"a path pattern has {_LONGEST} characters at most")
        if not pattern.startswith("/"):
            pattern = f"/{pattern}"
        self.pattern = pattern
        self.trailing_slash = trailing_slash
        body, self._rest = _without_rest(pattern)
        self._segments = tuple(_segments(body))
        self._names = tuple(name for part in self._segments for name in part.names)
        self.names = frozenset((*self._names, *((self._rest,) if self._rest else ())))
        if len(self.names) != len(self._names) + bool(self._rest):
            raise ValueError(f"a variable is there twice in {pattern!r}")
        self._checks = tuple(
            (f"s{number}", part) for number, part in enumerate(self._segments) if part.strict is not None
        )
        self._fullmatch = re.compile(self._whole()).fullmatch
        self._prefix = re.split(r"/?[?*{]", body, maxsplit=1)[0]

    def __repr__(self) -> str:
        return f"PathPattern({self.pattern!r})"

    def takes(self, path: str) -> bool:
        """Whether ``path`` matches."""
        path = without_parameters(path)
        if not path.startswith(self._prefix) or self._fullmatch(path) is None:
            return False
        return not self._checks or self.match(path) is not None

    def match(self, path: str) -> dict[str, str] | None:
        """The captured variables if ``path`` matches, else None."""
        found = self._fullmatch(without_parameters(path))
        if found is None:
            return None
        variables: dict[str, str] = {}
        for group, part in self._checks:
            assert part.strict is not None
            inner = part.strict.fullmatch(found[group])
            if inner is None:
                return None
            variables |= zip(part.names, (inner[f"v{n}"] for n in range(len(part.names))), strict=True)
        plain = [name for part in self._segments if part.strict is None for name in part.names]
        for number, name in enumerate(plain):
            variables[name] = found[f"p{number}"]
        if self._rest:
            variables[self._rest] = found["rest"] or ""
        return variables

    def covers(self, other: PathPattern) -> bool:
        """Whether every path of ``other`` certainly matches this pattern too.

        Cautious: False only means that it is not certain.
        """
        ours, theirs = self._segments, other._segments
        if self._rest is None:
            if other._rest is not None or len(ours) != len(theirs):
                return False
            if other.trailing_slash and not self.trailing_slash:
                return False
        elif len(ours) > len(theirs) or (
            # A star at the end is also nothing, which a star before more is not.
            len(ours) == len(theirs) > 0 and other._rest is None and theirs[-1].text == "*"
        ):
            return False
        return all(_covers(a, b) for a, b in zip(ours, theirs, strict=False))

    @property
    def takes_all(self) -> bool:
        """Whether every path matches."""
        return self._rest is not None and not self._segments

    def _whole(self) -> str:
        out: list[str] = []
        plain = 0
        last = len(self._segments) - 1
        for number, part in enumerate(self._segments):
            regex = part.regex
            if part.strict is not None:
                regex = f"(?P<s{number}>{regex})"
            elif part.names:
                regex, plain = f"(?P<p{plain}>{regex})", plain + 1
            if part.text == "*" and number == last and self._rest is None:
                # At the end a star is also nothing; the additional slash needs a segment before it.
                slash = "/?" if self.trailing_slash else ""
                return f"{''.join(out)}/(?:{regex}{slash})?"
            out.append(f"/{regex}")
        if self._rest is not None:
            return f"{''.join(out)}(?P<rest>(?s:/.*)?)"
        ends_in_slash = not self._segments or not self._segments[-1].text
        return "".join(out) + ("/?" if self.trailing_slash and not ends_in_slash else "")


def expressions_in(pattern: str) -> list[str]:
    """The regular expressions of a pattern's variables."""
    return [match[2] for match in _VARIABLE.finditer(pattern) if match[2] is not None]


def _without_rest(pattern: str) -> tuple[str, str | None]:
    """The pattern without ``/**`` or ``/{*name}`` at its end; the name, "" for ``**``, else None."""
    if pattern.endswith("/**"):
        body, rest = pattern[:-3], ""
    elif match := re.compile(_REST.pattern + r"\Z").search(pattern):
        body, rest = pattern[: match.start()], match[1]
    else:
        body, rest = pattern, None
    outside = _VARIABLE.sub("v", body)
    if "**" in outside:
        raise ValueError(f"'**' is a whole segment, at the end of a path pattern only: {pattern!r}")
    if "{*" in outside:
        raise ValueError(f"'{{*name}}' is a whole segment, at the end of a path pattern only: {pattern!r}")
    return body, rest


def _segments(body: str) -> Iterator[_Segment]:
    """The segments of a pattern that begins with a slash, or of "" (none)."""
    depth, text = 0, ""
    for sign in body[1:] + "/" if body else "":
        if sign == "/" and not depth:
            yield _segment(text)
            text = ""
            continue
        depth += (sign == "{") - (sign == "}")
        text += sign
    if text or depth:
        raise ValueError(f"a '{{' without its '}}' in {body!r}")


def _segment(text: str) -> _Segment:
    if text == "*":
        return _Segment(text, "[^/]+")
    whole = _VARIABLE.fullmatch(text)
    if whole is not None and whole[2] is None:
        return _Segment(text, "[^/]+", (whole[1],))
    names: list[str] = []
    out: list[str] = []
    at = 0
    while at < len(text):
        piece, at = _piece(text, at, names)
        out.append(piece)
    if not names:
        return _Segment(text, "".join(out))
    # Variables within a segment: matched on its text alone.
    return _Segment(text, "[^/]+", tuple(names), re.compile("".join(out), re.ASCII | re.DOTALL))


def _piece(text: str, at: int, names: list[str]) -> tuple[str, int]:
    """The regex of what stands at ``at`` and where the next begins."""
    sign = text[at]
    if sign == "?":
        return "[^/]", at + 1
    if sign == "*":
        return "[^/]*", at + 1
    if sign != "{":
        return re.escape(sign), at + 1
    match = _VARIABLE.match(text, at)
    if match is None:
        raise ValueError(f"a variable is written {{name}} or {{name:regex}}: {text!r}")
    names.append(match[1])
    group = f"(?P<v{len(names) - 1}>"
    if match[2] is None:
        return f"{group}.*)", match.end()
    own = compile_java(match[2])
    if own.groups:
        raise ValueError(f"no groups in the expression of {match[0]}; write (?:…)")
    if own.flags & ~(re.ASCII | re.UNICODE):
        raise ValueError(f"no flags in the expression of {match[0]}; write (?i:…)")
    return f"{group}{own.pattern})", match.end()


def _covers(ours: _Segment, theirs: _Segment) -> bool:
    if ours.text == theirs.text:
        return True
    if ours.strict is not None or ours.regex != "[^/]+":
        return False
    # Any segment that is not empty will do: is theirs never empty?
    return bool(re.search(r"[^*{}]", _VARIABLE.sub("", theirs.text))) or (
        theirs.regex == "[^/]+" and (theirs.text != "*" or ours.text == "*")
    )
