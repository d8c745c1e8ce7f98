"""Path patterns and path rewriting as Spring Cloud Gateway has them (pure).

Patterns are Spring's PathPattern: ``?`` one character, ``*`` within a segment, ``**`` the rest
(also none of it), ``{name}``, ``{name:regex}``, ``{*rest}``; matched against the raw, still
encoded path.
"""

from __future__ import annotations

import re
from collections.abc import Callable

PathFilter = Callable[[str], str]

_VARIABLE = re.compile(r"\{(\*?)([A-Za-z_][A-Za-z0-9_]*)(?::((?:[^{}]|\{[^{}]*\})+))?\}")


class PathPattern:
    """One compiled pattern.

    Raises:
        ValueError: the pattern is not understood; the text says why.
    """

    def __init__(self, pattern: str) -> None:
        if not pattern.startswith("/"):
            pattern = f"/{pattern}"
        self.pattern = pattern
        self._regex = _compile(pattern)

    def __repr__(self) -> str:
        return f"PathPattern({self.pattern!r})"

    def match(self, path: str) -> dict[str, str] | None:
        """The captured variables if ``path`` matches, else None.

        A slash at the end of the path is optional, as in Spring up to 4.x.
        """
        found = self._regex.fullmatch(path)
        return found.groupdict() if found is not None else None

    def covers(self, other: PathPattern) -> bool:
        """Whether every path of ``other`` certainly matches this pattern too.

        Cautious: False only means that it is not certain.
        """
        if self.pattern == other.pattern:
            return True
        if not self.pattern.endswith("/**"):
            return False
        prefix = self.pattern[:-3]
        if _is_literal(prefix):
            return other.pattern == prefix or other.pattern.startswith(f"{prefix}/")
        return False


def _is_literal(text: str) -> bool:
    return not any(sign in text for sign in "?*{}")


def _compile(pattern: str) -> re.Pattern[str]:
    out: list[str] = []
    index, end = 0, len(pattern)
    while index < end:
        if pattern.startswith("/**", index):
            if index + 3 != end:
                raise ValueError(f"'**' stands only at the end of a path pattern: {pattern!r}")
            out.append("(?:/.*)?")
            return re.compile("".join(out))
        text, index = _token(pattern, index)
        out.append(text)
    out.append("/?" if not pattern.endswith("/") else "")
    try:
        return re.compile("".join(out))
    except re.error as error:
        raise ValueError(f"path pattern {pattern!r}: {error}") from error


def _token(pattern: str, index: int) -> tuple[str, int]:
    """The regex of what stands at ``index``, and where the next token begins."""
    if pattern.startswith("/{*", index):
        match = _VARIABLE.match(pattern, index + 1)
        if match is None or match.end() != len(pattern):
            raise ValueError(f"'{{*name}}' stands only at the end of a path pattern: {pattern!r}")
        return f"(?P<{match[2]}>(?:/.*)?)", match.end()
    sign = pattern[index]
    if sign == "?":
        return "[^/]", index + 1
    if sign == "*":
        if pattern.startswith("**", index):
            raise ValueError(f"'**' is a whole segment at the end: {pattern!r}")
        return "[^/]*", index + 1
    if sign == "{":
        match = _VARIABLE.match(pattern, index)
        if match is None or match[1]:
            raise ValueError(f"a variable is written {{name}} or {{name:regex}}: {pattern!r}")
        return f"(?P<{match[2]}>{match[3] or '[^/]+'})", match.end()
    return re.escape(sign), index + 1


def rewrite_path(regex: str, replacement: str) -> PathFilter:
    r"""Filter RewritePath: Java's ``replaceAll`` on the raw path.

    ``$\{name}`` is first turned into ``${name}`` (Spring's way around property placeholders).

    Raises:
        ValueError: the regular expression or the replacement is not understood.
    """
    try:
        # Java and Python differ in the spelling of named groups only, as far as paths need them.
        compiled = re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", regex))
    except re.error as error:
        raise ValueError(f"regular expression {regex!r}: {error}") from error
    template = java_replacement(replacement, compiled)

    def apply(path: str) -> str:
        changed = compiled.sub(template, path)
        return changed if changed.startswith("/") else f"/{changed}"

    return apply


def java_replacement(replacement: str, regex: re.Pattern[str]) -> Callable[[re.Match[str]], str]:
    """A Java replacement string as a function of the match.

    ``$1`` and ``${name}`` are groups, a backslash takes the next character literally.

    Raises:
        ValueError: a group that does not exist, or a lonely ``$`` or backslash.
    """
    text = replacement.replace("$\\", "$")
    parts: list[str | int] = []  # literal text; group number
    index = 0
    while index < len(text):
        sign = text[index]
        if sign == "\\":
            if index + 1 == len(text):
                raise ValueError(f"replacement {replacement!r} ends with a backslash")
            parts.append(text[index + 1])
            index += 2
        elif sign == "$":
            group, index = _group(text, index + 1, regex, replacement)
            parts.append(group)
        else:
            parts.append(sign)
            index += 1

    def expand(match: re.Match[str]) -> str:
        return "".join(part if isinstance(part, str) else (match[part] or "") for part in parts)

    return expand


def _group(text: str, index: int, regex: re.Pattern[str], whole: str) -> tuple[int, int]:
    """The group that a ``$`` before ``index`` means, and where it ends."""
    if text.startswith("{", index):
        end = text.find("}", index)
        name = text[index + 1 : end] if end > 0 else text[index + 1 :]
        if end < 0 or name not in regex.groupindex:
            raise ValueError(f"replacement {whole!r} names a group {name!r} that the expression has not")
        return regex.groupindex[name], end + 1
    end = index
    # Java takes as many digits as make a group that exists, at least one.
    while (
        end < len(text)
        and text[end].isdigit()
        and (end == index or int(text[index : end + 1]) <= regex.groups)
    ):
        end += 1
    if end == index:
        raise ValueError(f"replacement {whole!r} has a '$' without a group; a plain one is '\\$'")
    number = int(text[index:end])
    if number > regex.groups:
        raise ValueError(f"replacement {whole!r} names group {number}; the expression has {regex.groups}")
    return number, end


def strip_prefix(parts: int) -> PathFilter:
    """Filter StripPrefix: drop the first ``parts`` segments that are not empty.

    Double slashes collapse, a slash at the end stays, and at least ``/`` is left.
    """
    if parts < 0:
        raise ValueError(f"StripPrefix takes a number of segments, not {parts}")

    def apply(path: str) -> str:
        left = [segment for segment in path.split("/") if segment][parts:]
        if not left:
            return "/"
        return f"/{'/'.join(left)}{'/' if path.endswith('/') else ''}"

    return apply
