"""Filters that change the path: RewritePath, StripPrefix, PrefixPath, SetPath.

See docs/wire/gateway.md §3. Pure.

They work on the raw, still encoded path, and what they make is one again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .java_regex import compile_java
from .templates import Template, Variables

PathFilter = Callable[[str, Variables], str]

#: RFC 3986 §3.3, and what browsers send although they should not.
_PATH = re.compile(r"[!-~]*")


def rewrite_path(regex: str, replacement: str) -> PathFilter:
    r"""Filter RewritePath: Java's ``replaceAll`` on the raw path.

    ``$\{name}`` is first turned into ``${name}`` (Spring's way around property placeholders). A
    path that no longer begins with a slash gets one.

    Raises:
        ValueError: the regular expression or the replacement is not understood.
    """
    compiled = compile_java(regex)
    expand = java_replacement(replacement, compiled)

    def apply(path: str, variables: Variables) -> str:
        changed = _replace_all(compiled, expand, path)
        return changed if changed.startswith("/") else f"/{changed}"

    return apply


def replace_all(regex: str, replacement: str) -> Callable[[str], str]:
    """Java's ``replaceAll`` with ``$\\{name}`` for a group, as a function of the text.

    Raises:
        ValueError: the regular expression or the replacement is not understood.
    """
    compiled = compile_java(regex)
    expand, _ = _expander(replacement, compiled)
    return lambda text: _replace_all(compiled, expand, text)


def _replace_all(regex: re.Pattern[str], expand: Callable[[re.Match[str]], str], text: str) -> str:
    """Java's: behind an empty match it goes on at the next character, where Python looks twice."""
    out: list[str] = []
    copied = start = 0
    while start <= len(text) and (match := regex.search(text, start)) is not None:
        out += (text[copied : match.start()], expand(match))
        copied = match.end()
        start = copied + (match.start() == copied)
    return "".join(out) + text[copied:]


def java_replacement(replacement: str, regex: re.Pattern[str]) -> Callable[[re.Match[str]], str]:
    """A Java replacement string as a function of the match.

    ``$1`` and ``${name}`` are groups, a backslash takes the next character literally.

    Raises:
        ValueError: a group that does not exist, a lonely ``$`` or backslash, or what no path has.
    """
    expand, literal = _expander(replacement, regex)
    _check_path(literal)
    return expand


def _expander(replacement: str, regex: re.Pattern[str]) -> tuple[Callable[[re.Match[str]], str], str]:
    """The function of :func:`java_replacement`, and the text in it that is always there."""
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

    return expand, "".join(part for part in parts if isinstance(part, str))


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
    while text[end : end + 1] in _DIGITS and (end == index or int(text[index : end + 1]) <= regex.groups):
        end += 1
    if end == index:
        raise ValueError(f"replacement {whole!r} has a '$' without a group; a plain one is '\\$'")
    number = int(text[index:end])
    if number > regex.groups:
        raise ValueError(f"replacement {whole!r} names group {number}; the expression has {regex.groups}")
    return number, end


_DIGITS = tuple("0123456789")


def strip_prefix(parts: int) -> PathFilter:
    """Filter StripPrefix: drop the first ``parts`` segments that are not empty.

    Double slashes collapse, a slash at the end stays, and at least ``/`` is left.
    """

    def apply(path: str, variables: Variables) -> str:
        left = [segment for segment in path.split("/") if segment][parts:]
        if not left:
            return "/"
        return f"/{'/'.join(left)}{'/' if path.endswith('/') else ''}"

    return apply


def prefix_path(prefix: str) -> tuple[PathFilter, frozenset[str]]:
    """Filter PrefixPath, and the variables that it needs.

    Raises:
        ValueError: the prefix is none.
    """
    template = _path_template(prefix)

    def apply(path: str, variables: Variables) -> str:
        return template.fill(variables).rstrip("/") + path

    return apply, template.names


def set_path(text: str) -> tuple[PathFilter, frozenset[str]]:
    """Filter SetPath, and the variables that it needs.

    Raises:
        ValueError: the template is none.
    """
    template = _path_template(text)

    def apply(path: str, variables: Variables) -> str:
        return template.fill(variables)

    return apply, template.names


def _path_template(text: str) -> Template:
    if not text.startswith("/"):
        raise ValueError(f"a path begins with a slash, unlike {text!r}")
    _check_path(text)
    return Template(text)


def _check_path(literal: str) -> None:
    if not _PATH.fullmatch(literal) or "?" in literal or "#" in literal:
        raise ValueError(
            f"{literal!r} is no part of a path: no '?', no '#', no spaces; percent-encode other characters"
        )
